"""Well-behaved agents through a real listener and real TLS: every way to ask and to answer."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.model.exchange import Exchange, Response, ResponseHead
from gateway.ports import AgentChannel
from tests.integration.intercept.agent import CREDENTIALS, GET, post, running_proxy
from tests.support.fakes import FakeFlow


async def test_many_requests_on_one_connection(tmp_path: Path) -> None:
    """Kept alive, each decided on its own, with the principal of the CONNECT and its run."""
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.tunnel()
        for number in range(3):
            answer = await agent.ask(post(b"x" * number))
            assert (answer.status, answer.body) == (200, b"POST /v1/things %d" % number)
            assert b"connection" not in answer.headers
        exchange = proxy.governor.exchanges[0]
        assert (exchange.principal.agent, exchange.principal.run) == ("agent", "r1")
        assert str(exchange.request.authority) == "api.test:443"
        assert exchange.request.scheme == "https"
        assert exchange.request.headers == ((b"Host", b"api.test"),)


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    """A second that comes with the first waits, and is decided by itself."""
    started = asyncio.Event()

    async def one_at_a_time(exchange: Exchange, channel: AgentChannel) -> None:
        assert not started.is_set(), "two exchanges of one connection at once"
        started.set()
        await asyncio.sleep(0)
        started.clear()
        channel.respond(Response(200, (), exchange.request.target))

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = one_at_a_time
        agent = await proxy.tunnel()
        agent.send(post(b"a", path=b"/1") + post(b"b" * 9, path=b"/2") + post(b"", path=b"/3"))
        assert [(await agent.read_answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]
        assert [e.request.body for e in proxy.governor.exchanges] == [b"a", b"b" * 9, b""]


CHUNKED = b"POST /c HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n"


async def test_chunked_bodies_are_collected(tmp_path: Path) -> None:
    """A chunked body is whole before it is governed, and its length is not declared."""
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.tunnel()
        answer = await agent.ask(CHUNKED + b"\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert answer.body == b"POST /c 5"
        request = proxy.governor.exchanges[0].request
        assert (request.body, request.body_bytes) == (b"abcde", None)
        assert (await agent.ask(GET)).status == 200


async def test_expect_continue(tmp_path: Path) -> None:
    """We answer 100 ourselves before the body, none for an empty one, and pass nothing on."""
    expects = b"Expect: 100-continue\r\n"
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.tunnel()
        agent.send(post(b"abc", expects)[:-3])
        assert (await agent.read_head())[0] == 100
        assert (await agent.ask(b"abc")).body == b"POST /v1/things 3"
        assert (await agent.ask(post(b"", expects))).status == 200
        for exchange in proxy.governor.exchanges:
            assert b"expect" not in exchange.request.fields


async def test_head_and_bodyless_answers(tmp_path: Path) -> None:
    """HEAD keeps the length and has no body; 204 has neither; the connection goes on."""
    flow = FakeFlow()

    async def relay(exchange: Exchange, channel: AgentChannel) -> None:
        if exchange.request.method == "HEAD":
            channel.begin(ResponseHead(200, b"OK", (), 1234, False), flow)
        else:
            channel.begin(ResponseHead(204, b"No Content", (), None, False), flow)
        channel.finish()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = relay
        agent = await proxy.tunnel()
        agent.send(b"HEAD / HTTP/1.1\r\nHost: api.test\r\n\r\n")
        answer = await agent.read_answer(is_head=True)
        assert (answer.headers[b"content-length"], answer.body) == (b"1234", b"")
        answer = await agent.ask(GET)
        assert (answer.status, answer.headers) == (204, {})


async def test_events_arrive_one_by_one(tmp_path: Path) -> None:
    """Each piece of a stream reaches the agent before the next is made."""
    read = asyncio.Queue[bytes]()

    async def stream(exchange: Exchange, channel: AgentChannel) -> None:
        head = (b"Content-Type", b"text/event-stream"), (b"Connection", b"X-Hop"), (b"TE", b"x")
        channel.begin(ResponseHead(200, b"OK", head, None, True), FakeFlow())
        for _ in range(3):
            channel.write(b"data: " + await read.get())
        channel.finish()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = stream
        agent = await proxy.tunnel()
        agent.send(GET)
        status, headers = await agent.read_head()
        assert (status, headers) == (
            200,
            {b"content-type": b"text/event-stream", b"transfer-encoding": b"chunked"},
        )
        for word in (b"one", b"two", b"three"):
            read.put_nowait(word)
            assert await agent.read_chunk() == b"data: " + word
        assert await agent.read_chunk() == b""


async def test_http10_gets_a_body_that_ends_with_the_connection(tmp_path: Path) -> None:
    """No chunks for an HTTP/1.0 client, and close_notify at the end."""

    async def stream(exchange: Exchange, channel: AgentChannel) -> None:
        channel.begin(ResponseHead(200, b"OK", (), None, True), FakeFlow())
        channel.write(b"abc")
        channel.finish()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = stream
        agent = await proxy.tunnel()
        agent.send(b"GET / HTTP/1.0\r\nHost: api.test\r\n\r\n")
        status, headers = await agent.read_head()
        assert (status, headers) == (200, {b"connection": b"close"})
        assert await agent.read_rest() == b"abc"


async def test_a_cut_answer_looks_cut(tmp_path: Path) -> None:
    """An answer that can't be completed ends without its last chunk."""

    async def stream(exchange: Exchange, channel: AgentChannel) -> None:
        channel.begin(ResponseHead(200, b"OK", (), None, True), FakeFlow())
        channel.write(b"abc")
        channel.cut()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = stream
        agent = await proxy.tunnel()
        agent.send(GET)
        await agent.read_head()
        assert await agent.read_rest() == b"3\r\nabc\r\n"


async def test_a_slow_agent_pauses_the_upstream(tmp_path: Path) -> None:
    """What the agent does not read pauses the flow, and resumes it when it does."""
    flow = FakeFlow()
    size = 8_000_000

    async def relay(exchange: Exchange, channel: AgentChannel) -> None:
        channel.begin(ResponseHead(200, b"OK", (), size, True), flow)
        sent = 0
        while sent < size:
            while flow.is_paused:
                await asyncio.sleep(0.001)
            channel.write(b"x" * 100_000)
            sent += 100_000
        channel.finish()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = relay
        agent = await proxy.tunnel()
        agent.send(GET)
        await agent.read_head()
        async with asyncio.timeout(20):
            while not flow.pauses:
                await asyncio.sleep(0.001)
        assert len(await agent.reader.readexactly(size)) == size
        assert (await agent.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")).status == 421


async def test_a_body_over_the_limit_streams(tmp_path: Path) -> None:
    """Beyond the inspection limit the body is None and comes in pieces, whole and in order."""
    body = bytes(range(256)) * 8_000

    async def echo(exchange: Exchange, channel: AgentChannel) -> None:
        assert exchange.request.body is None
        pieces = [piece async for piece in channel.body_rest()]
        channel.respond(Response(200, (), b"".join(pieces)))

    async with running_proxy(tmp_path, body_bytes_max=10_000) as proxy:
        proxy.governor.govern_with = echo
        agent = await proxy.tunnel()
        assert (await agent.ask(post(body))).body == body
        chunks = b"".join(b"%x\r\n%b\r\n" % (256, body[i : i + 256]) for i in range(0, 99_840, 256))
        assert (await agent.ask(CHUNKED + b"\r\n" + chunks + b"0\r\n\r\n")).body == body[:99_840]
        agent.send(post(body, b"Expect: 100-continue\r\n")[: -len(body)])
        assert (await agent.read_head())[0] == 100
        assert (await agent.ask(body)).body == body
        assert [e.request.body_bytes for e in proxy.governor.exchanges] == [
            len(body), None, len(body),
        ]  # fmt: skip


async def test_a_body_that_nobody_takes_closes_the_connection(tmp_path: Path) -> None:
    """Refused without reading: the answer arrives whole, and the connection ends."""

    async def refuse(exchange: Exchange, channel: AgentChannel) -> None:
        channel.respond(Response(413, (), b"too long"))

    async with running_proxy(tmp_path, body_bytes_max=100) as proxy:
        proxy.governor.govern_with = refuse
        agent = await proxy.tunnel()
        agent.send(post(b"x" * 600_000)[:300_000])
        answer = await agent.read_answer()
        assert (answer.status, answer.body) == (413, b"too long")
        assert answer.headers[b"connection"] == b"close"
        assert await agent.read_rest() == b""


async def test_plain_proxy_requests(tmp_path: Path) -> None:
    """Absolute-form requests carry their credentials each, and none of them goes on."""
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.dial()
        for _ in range(2):
            line = b"GET http://API.test./a?b=c HTTP/1.1\r\nHost: api.test:80\r\n"
            answer = await agent.ask(line + CREDENTIALS + b"Accept: */*\r\n\r\n")
            assert answer.body == b"GET /a?b=c 0"
        request = proxy.governor.exchanges[0].request
        assert (request.scheme, str(request.authority)) == ("http", "api.test:80")
        assert request.headers == ((b"Host", b"api.test:80"), (b"Accept", b"*/*"))


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
async def test_an_agent_that_leaves_is_noticed_while_held(tmp_path: Path, how: str) -> None:
    """Any end of the connection with a request in flight means that nobody will read."""
    noticed = asyncio.Event()

    async def hold(exchange: Exchange, channel: AgentChannel) -> None:
        assert not channel.is_gone
        await channel.wait_gone()
        assert channel.is_gone
        channel.respond(Response(200, (), b"to nobody"))
        noticed.set()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = hold
        agent = await proxy.dial() if how == "half-close" else await proxy.tunnel()
        if how == "half-close":
            agent.send(b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" + CREDENTIALS + b"\r\n")
        else:
            agent.send(GET)
        await proxy.governor.until(lambda: bool(proxy.governor.exchanges))
        match how:
            case "close":
                agent.writer.close()
            case "reset":
                agent.writer.transport.abort()
            case _:
                agent.writer.write_eof()
        async with asyncio.timeout(20):
            await noticed.wait()


async def test_a_flood_behind_a_held_request_counts_as_leaving(tmp_path: Path) -> None:
    """An agent can't hide its leaving behind pipelined bytes: beyond a bound it is cut off."""
    noticed = asyncio.Event()

    async def hold(exchange: Exchange, channel: AgentChannel) -> None:
        await channel.wait_gone()
        noticed.set()

    async with running_proxy(tmp_path, pipelined_bytes_max=10_000) as proxy:
        proxy.governor.govern_with = hold
        agent = await proxy.tunnel()
        agent.send(GET)
        await proxy.governor.until(lambda: bool(proxy.governor.exchanges))
        agent.send(b"x" * 50_000)
        async with asyncio.timeout(20):
            await noticed.wait()
        assert len(proxy.governor.exchanges) == 1


async def test_a_fault_of_ours_is_a_refusal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever govern raises, the agent reads 500 and the connection ends."""

    async def fail(exchange: Exchange, channel: AgentChannel) -> None:
        raise RuntimeError("a bug with a secret")

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = fail
        agent = await proxy.tunnel()
        answer = await agent.ask(GET)
        assert answer.status == 500
        assert b"secret" not in answer.body
        assert await agent.read_rest() == b""


async def test_drain_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """Idle connections end at once, one in flight gets its answer, new ones are refused."""
    go_on = asyncio.Event()

    async def wait(exchange: Exchange, channel: AgentChannel) -> None:
        await go_on.wait()
        channel.respond(Response(200, (), b"done"))

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = wait
        idle, busy = await proxy.tunnel(), await proxy.tunnel()
        busy.send(GET)
        await proxy.governor.until(lambda: bool(proxy.governor.exchanges))
        drained = asyncio.create_task(proxy.listener.drain(5.0), name="drain")
        assert await idle.read_rest() == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(proxy.listener.address, 1).close()
        go_on.set()
        answer = await busy.read_answer()
        assert (answer.body, answer.headers[b"connection"]) == (b"done", b"close")
        await drained


async def test_connections_beyond_the_cap_are_refused(tmp_path: Path) -> None:
    """One too many gets 503 at once, and a place is free again when another leaves."""
    async with running_proxy(tmp_path, connections_max=1) as proxy:
        first = await proxy.tunnel()
        second = await proxy.dial()
        assert (await second.read_answer()).status == 503
        first.close()
        async with asyncio.timeout(20):
            while proxy.listener.connections:
                await asyncio.sleep(0.001)
        third = await proxy.tunnel()
        assert (await third.ask(GET)).status == 200
