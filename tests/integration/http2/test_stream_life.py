"""What becomes of streams and connections over time: slow peers, full windows, goodbyes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from h2.errors import ErrorCodes

from gateway.model.exchange import Exchange, Response, ResponseHead
from gateway.ports import AgentChannel
from tests.integration.http2.raw_agent import raw_agent
from tests.integration.intercept.agent import running_proxy
from tests.support.fakes import FakeFlow
from tests.support.frames import START, data, headers, raw, reset, with_header


async def test_slow_frames_are_not_waited_for(tmp_path: Path) -> None:
    """Half a frame holds a connection no longer than half a head does."""
    async with running_proxy(tmp_path, head_seconds_max=0.2) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, headers(1)[:-1])
        assert (await agent.until_closed()).goodbye == ErrorCodes.ENHANCE_YOUR_CALM
        assert [error.code for error in proxy.governor.refusals] == ["request.timed_out"]


async def test_agent_that_never_speaks_is_not_waited_for(tmp_path: Path) -> None:
    """Nor one that agreed on HTTP/2 and then says nothing."""
    async with running_proxy(tmp_path, head_seconds_max=0.2) as proxy:
        await (await raw_agent(proxy)).until_closed()
        assert [error.code for error in proxy.governor.refusals] == ["request.timed_out"]


async def test_agent_that_opens_no_window_is_cut_off(tmp_path: Path) -> None:
    """Slow reading: the upstream is paused, not buffered, and the stream ends after a while."""
    flow = FakeFlow()
    written = 0

    async def govern(_exchange: Exchange, channel: AgentChannel) -> None:
        nonlocal written
        channel.begin(ResponseHead(200, b"", (), None, True), flow)
        while not flow.is_paused:
            channel.write(b"x" * 16_384)
            written += 16_384
        await channel.wait_gone()

    async with running_proxy(tmp_path, write_stall_seconds_max=0.3) as proxy:
        proxy.governor.govern_with = govern
        agent = await raw_agent(proxy)
        agent.send(START, raw(4, 0, 0, b"\0\4\0\0\0\0"), headers(1))
        heard = await agent.until(lambda heard: bool(heard.resets()))
        assert heard.resets() == {1: ErrorCodes.CANCEL}
        assert heard.body(1) == b""
        assert written < 400_000


async def test_body_that_stops_is_not_waited_for(tmp_path: Path) -> None:
    """A promised body that stops coming is refused, on its stream."""
    async with running_proxy(tmp_path, body_idle_seconds_max=0.2) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, headers(1, ends=False), data(1, b"half"))
        heard = await agent.until(lambda heard: bool(heard.head(1)))
        assert heard.head(1)[b":status"] == b"408"


async def test_bodies_that_are_kept_are_bounded_together(tmp_path: Path) -> None:
    """What no single body is, all on one connection may not be either."""
    async with running_proxy(tmp_path, http2_held_bytes_max=40_000) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, *[headers(n, ends=False) for n in (1, 3, 5)])
        agent.send(*[data(n, b"x" * 15_000) for n in (1, 3, 5)])
        heard = await agent.until(lambda heard: any(heard.head(n) for n in (1, 3, 5)))
        (status,) = [heard.head(n)[b":status"] for n in (1, 3, 5) if heard.head(n)]
        assert status == b"413"
        assert [error.code for error in proxy.governor.refusals] == ["http2.bodies_too_large"]


async def test_reset_by_the_agent_is_an_agent_that_left(tmp_path: Path) -> None:
    """While its request waits for a person, say; other streams go on."""
    gone = asyncio.Event()

    async def govern(_exchange: Exchange, channel: AgentChannel) -> None:
        await channel.wait_gone()
        gone.set()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = govern
        agent = await raw_agent(proxy)
        agent.send(START, headers(1))
        await proxy.governor.until(lambda: len(proxy.governor.channels) == 1)
        agent.send(reset(1))
        async with asyncio.timeout(20):
            await gone.wait()
        proxy.governor.govern_with = None
        agent.send(headers(3))
        assert (await agent.until(lambda heard: heard.has_ended(3))).head(3)[b":status"] == b"200"


async def test_no_upstream_can_write_into_an_answer(tmp_path: Path) -> None:
    """INVARIANT(one-answer) holds for HTTP/2 too: the stream is reset instead."""

    async def govern(_exchange: Exchange, channel: AgentChannel) -> None:
        channel.respond(Response(200, ((b"x", b"1\r\ny: 2"),), b"body"))

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = govern
        agent = await raw_agent(proxy)
        agent.send(START, headers(1))
        heard = await agent.until(lambda heard: bool(heard.resets()))
        assert heard.resets() == {1: ErrorCodes.INTERNAL_ERROR}


async def test_name_that_tls_and_connect_disagree_on(tmp_path: Path) -> None:
    """Every stream is told why nothing may be asked there."""
    async with running_proxy(tmp_path) as proxy:
        tunnel = await proxy.connect(b"api.test:443")
        context = proxy.context()
        context.set_alpn_protocols(["h2"])
        await tunnel.start_tls(context, "other.test")
        tunnel.send(START + headers(1))
        async with asyncio.timeout(20):
            while not proxy.governor.refusals:
                await asyncio.sleep(0.01)
        assert [error.code for error in proxy.governor.refusals] == ["authority.mismatch"]
        assert proxy.governor.exchanges == []


async def test_upload_that_nobody_takes_is_not_buffered(tmp_path: Path) -> None:
    """The agent gets no more window than the upstream takes; then it gets as much again."""
    go_on = asyncio.Event()

    async def govern(_exchange: Exchange, channel: AgentChannel) -> None:
        await go_on.wait()
        size = 0
        async for piece in channel.body_rest():
            size += len(piece)
        channel.respond(Response(200, (), b"%d" % size))

    half, whole = 131_072, 262_144
    length = (b"content-length", b"%d" % (11 * 1024 * 1024))
    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = govern
        agent = await raw_agent(proxy)
        agent.send(START, headers(1, with_header(length), ends=False))
        await proxy.governor.until(lambda: len(proxy.governor.channels) == 1)
        agent.send(*[data(1, b"x" * 16_384) for _ in range(whole // 16_384)])
        agent.send(raw(6, 0, 0, b"12345678"))  # answered once all of that was read
        heard = await agent.until(lambda heard: any(f.type == 6 for f in heard.frames))
        assert heard.opened(1) == 0
        go_on.set()
        await agent.until(lambda heard: heard.opened(1) >= half)
        agent.close()


async def test_agent_that_says_goodbye_gets_what_it_asked_for(tmp_path: Path) -> None:
    """GOAWAY ends nothing that was begun; the connection ends after that."""
    go_on = asyncio.Event()

    async def govern(_exchange: Exchange, channel: AgentChannel) -> None:
        await go_on.wait()
        channel.respond(Response(200, (), b"late"))

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = govern
        agent = await raw_agent(proxy)
        agent.send(START, headers(1), raw(7, 0, 0, b"\0" * 8))
        await proxy.governor.until(lambda: len(proxy.governor.channels) == 1)
        go_on.set()
        heard = await agent.until_closed()
        assert heard.body(1) == b"late"
        assert proxy.governor.refusals == []


async def test_gateway_that_stops_takes_no_new_streams(tmp_path: Path) -> None:
    """It says goodbye, finishes what was begun, sends the rest back unlooked at, and closes."""
    go_on = asyncio.Event()

    async def govern(_exchange: Exchange, channel: AgentChannel) -> None:
        await go_on.wait()
        channel.respond(Response(200, (), b"late"))

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = govern
        agent = await raw_agent(proxy)
        agent.send(START, headers(1))
        await proxy.governor.until(lambda: len(proxy.governor.channels) == 1)
        draining = asyncio.create_task(proxy.listener.drain(5.0))
        await agent.until(lambda heard: heard.goodbye is not None)
        agent.send(headers(3))
        await agent.until(lambda heard: 3 in heard.resets())
        go_on.set()
        heard = await agent.until_closed()
        await draining
        assert heard.goodbye == ErrorCodes.NO_ERROR
        assert heard.resets() == {3: ErrorCodes.REFUSED_STREAM}
        assert heard.body(1) == b"late"
        assert len(proxy.governor.exchanges) == 1
