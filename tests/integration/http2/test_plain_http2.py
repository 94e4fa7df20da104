"""Clients of plain HTTP/2, and which protocol a client gets at all."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from h2.errors import ErrorCodes

from gateway.model.exchange import Exchange, Response
from gateway.model.record import Outcome
from gateway.ports import AgentChannel
from tests.integration.http2.raw_agent import raw_agent
from tests.integration.http2.relay import Relay, running_relay
from tests.integration.http2.scripted import ScriptedUpstream, scripted_upstream
from tests.integration.intercept.agent import Proxy, running_proxy
from tests.support.frames import REQUEST, START, data, headers, raw, with_header
from tests.support.pki import TestAuthority
from tests.support.raw_upstream import RawPeer, run_upstream

HOST = "api.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("pki"))


OFFERS: dict[str, tuple[list[str], tuple[str, ...], str | None]] = {
    "nothing": ([], (), None),
    "HTTP/1.1": (["http/1.1"], (), "http/1.1"),
    "both": (["h2", "http/1.1"], (), "http/1.1"),
    "both, for a host that is named": (["h2", "http/1.1"], ("*.test",), "h2"),
    "both, the other way round": (["http/1.1", "h2"], ("api.test",), "h2"),
    "both, for another host": (["h2", "http/1.1"], ("*.example",), "http/1.1"),
    "HTTP/2 alone": (["h2"], (), "h2"),
    "HTTP/1.1, for a host that is named": (["http/1.1"], ("*",), "http/1.1"),
}


@pytest.mark.parametrize(("offered", "hosts", "chosen"), OFFERS.values(), ids=OFFERS.keys())
async def test_who_gets_http2(
    tmp_path: Path, offered: list[str], hosts: tuple[str, ...], chosen: str | None
) -> None:
    """Who offers nothing else, and who calls a host that is named for it; nobody else."""
    async with running_proxy(tmp_path, http2_hosts=hosts) as proxy:
        agent = await proxy.connect()
        context = proxy.context()
        if offered:
            context.set_alpn_protocols(offered)
        await agent.start_tls(context, HOST)
        secured: ssl.SSLObject = agent.writer.get_extra_info("ssl_object")
        assert secured.selected_alpn_protocol() == chosen


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("body_bytes", [0, 20_000, 12_000_000])
async def test_curl_is_served_over_http2(tmp_path: Path, body_bytes: int) -> None:
    """An ordinary client, also with a body above the inspection limit, which it asks to send."""

    async def govern(exchange: Exchange, channel: AgentChannel) -> None:
        body = exchange.request.body
        rest = [] if body is not None else [len(piece) async for piece in channel.body_rest()]
        count = sum(rest) if body is None else len(body)
        text = f"{exchange.request.method} {count} {'whole' if body is not None else 'streamed'}"
        channel.respond(Response(200, (), text.encode()))

    async with running_proxy(tmp_path, http2_hosts=(HOST,)) as proxy:
        proxy.governor.govern_with = govern
        answered = await curl(proxy, body_bytes)
    method = "POST" if body_bytes else "GET"
    how = "whole" if body_bytes <= 10 * 1024 * 1024 else "streamed"
    assert answered == f"{method} {body_bytes} {how}\n2 200"


async def curl(proxy: Proxy, body_bytes: int) -> str:
    command = ["curl", "-sS", "--http2", "--cacert", str(proxy.ca.ca_pem_file)]
    command += ["-w", "\n%{http_version} %{http_code}"]
    command += ["-x", "http://agent:secret@{}:{}".format(*proxy.listener.address)]
    if body_bytes:
        command += ["--data-binary", "@-"]
    process = await asyncio.create_subprocess_exec(
        *command, f"https://{HOST}/v1/things",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, _ = await process.communicate(b"x" * body_bytes)
    return out.decode()


# --- the way out ----------------------------------------------------------------------------------


@pytest.fixture
async def pair(
    tmp_path: Path, authority: TestAuthority
) -> AsyncIterator[tuple[Relay, ScriptedUpstream]]:
    """A gateway, and an upstream that speaks HTTP/2 in frames of the test's making."""
    context = authority.server_context([HOST], alpn=("h2",))
    async with (
        scripted_upstream(context) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file) as relay,
    ):
        yield relay, upstream


Pair = tuple[Relay, ScriptedUpstream]
OK = [(b":status", b"200")]


async def test_request_goes_on_as_it_was_decided(pair: Pair) -> None:
    """Order and values of the headers are the agent's; nothing hop-by-hop, nothing of ours and no
    credentials of the proxy go on; a body has the length that was given."""
    relay, upstream = pair
    agent = await raw_agent(relay.proxy)
    extra = [
        (b"b", b"2"), (b"te", b"trailers"), (b"proxy-authorization", b"Basic x"), (b"a", b"1"),
        (b"checkrein-x", b"1"), (b"x-forwarded-for", b"1"), (b"content-length", b"5"), (b"b", b"3"),
    ]  # fmt: skip
    agent.send(START, headers(1, with_header(*extra), ends=False), data(1, b"hello", ends=True))
    upstream.answer = lambda stream_id: headers(stream_id, OK)
    await agent.until(lambda heard: heard.has_ended(1))
    (request,) = upstream.requests
    listed = [(b"b", b"2"), (b"a", b"1"), (b"b", b"3"), (b"content-length", b"5")]
    assert request == [*REQUEST, *listed]
    assert upstream.body == b"hello"


async def test_trailers_are_passed_on_but_take_nothing_back(pair: Pair) -> None:
    """What may not come after a body is dropped from them, as it is from heads."""
    relay, upstream = pair
    trailers = [
        (b"grpc-status", b"0"), (b"set-cookie", b"a=b"), (b"content-length", b"9"),
        (b"checkrein-x", b"1"), (b"authorization", b"x"), (b"x-sum", b"1"),
    ]  # fmt: skip
    upstream.answer = lambda n: headers(n, OK, ends=False) + data(n, b"body") + headers(n, trailers)
    agent = await raw_agent(relay.proxy)
    agent.send(START, headers(1))
    heard = await agent.until(lambda heard: heard.has_ended(1))
    assert (heard.body(1), heard.trailers(1)) == (b"body", {b"grpc-status": b"0", b"x-sum": b"1"})
    assert relay.sent[0].outcome is Outcome.EXECUTED


FAULTS: dict[str, tuple[bytes, str]] = {
    "a reset": (raw(3, 0, 1, b"\0\0\0\2"), "upstream.reset"),
    "no status": (headers(1, [(b"x", b"1")]), "upstream.malformed"),
    "a status of four digits": (headers(1, [(b":status", b"2000")]), "upstream.malformed"),
    "HTTP/2's 101": (headers(1, [(b":status", b"101")]), "upstream."),
    "a pushed stream": (raw(5, 4, 1, b"\0\0\0\2"), "upstream.malformed"),
    "a body that is too short": (
        headers(1, [*OK, (b"content-length", b"9")], ends=False) + data(1, b"x", ends=True),
        "upstream.malformed",
    ),
    "CR LF in a value": (headers(1, [*OK, (b"x", b"1\r\ny: 2")]), "upstream.malformed"),
    "a frame that is too large": (raw(0, 0, 1, b"x" * 16_385), "upstream.malformed"),
    "interim answers without an end": (
        headers(1, [(b":status", b"103")], ends=False) * 40, "upstream.informational",
    ),
    "PING without an end": (raw(6, 0, 0, b"12345678") * 3_000, "upstream.malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("frames", "code"), FAULTS.values(), ids=FAULTS.keys())
async def test_faulty_upstream_makes_the_outcome_unknown(
    pair: Pair, frames: bytes, code: str
) -> None:
    """The request left, no whole answer came: that is what is said, and the connection is spent."""
    relay, upstream = pair
    upstream.answer = lambda _: frames
    agent = await raw_agent(relay.proxy)
    agent.send(START, headers(1))
    await agent.until(lambda heard: heard.has_ended(1) or bool(heard.resets()))
    await relay.until_sent(1)
    (sent,) = relay.sent
    assert sent.outcome is Outcome.UNKNOWN
    assert (sent.code or "").startswith(code)


async def test_request_that_was_not_looked_at_goes_again_once(pair: Pair) -> None:
    """An upstream that says goodbye below our stream has not looked at it: on a new connection it
    is sent again, whatever its method, and the agent notices nothing."""
    relay, upstream = pair
    agent = await raw_agent(relay.proxy)
    upstream.answer = lambda n: headers(n, OK)
    agent.send(START, headers(1))
    await agent.until(lambda heard: heard.has_ended(1))
    leaves = raw(7, 0, 0, b"\0\0\0\1\0\0\0\0")
    upstream.answer = lambda n: leaves if n == 3 else headers(n, OK)
    agent.send(headers(3))
    heard = await agent.until(lambda heard: heard.has_ended(3))
    assert heard.head(3)[b":status"] == b"200"
    assert upstream.connections == 2


async def test_connection_is_used_again_and_a_goodbye_ends_it(pair: Pair) -> None:
    """One connection for requests after each other; none after the upstream said that it leaves."""
    relay, upstream = pair
    agent = await raw_agent(relay.proxy)
    upstream.answer = lambda n: headers(n, OK)
    agent.send(START)
    for stream_id in (1, 3):
        agent.send(headers(stream_id))
        await agent.until(lambda heard, n=stream_id: heard.has_ended(n))
    assert upstream.connections == 1
    upstream.answer = lambda n: headers(n, OK) + raw(7, 0, 0, b"\0\0\0\5\0\0\0\0")
    for stream_id in (5, 7):
        agent.send(headers(stream_id))
        await agent.until(lambda heard, n=stream_id: heard.has_ended(n))
    assert upstream.connections == 2


async def test_flat_memory_when_the_agent_reads_slowly(pair: Pair) -> None:
    """The upstream is not read faster than the agent reads: what lies in between is bounded."""
    relay, upstream = pair
    upstream.answer = lambda n: headers(n, OK, ends=False)
    upstream.pours = True
    agent = await raw_agent(relay.proxy)
    agent.send(START, headers(1))  # and no window beyond the first 64 KiB
    await agent.until(lambda heard: len(heard.body(1)) == 65_535)
    poured = -1
    while poured != upstream.poured:
        poured = upstream.poured
        await asyncio.sleep(0.2)
    assert poured < 8_000_000
    agent.close()
    await relay.until_sent(1)
    assert relay.sent[0].outcome is Outcome.UNKNOWN


async def test_upstream_of_http1_answers_agents_of_http2(
    tmp_path: Path, authority: TestAuthority
) -> None:
    """A plain request goes on in HTTP/1.1 where the upstream has nothing else; a length that the
    agent did not give is not made up for a body that streams, and trailers go on."""

    async def script(peer: RawPeer) -> None:
        while True:
            await peer.read_request()
            peer.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-hop\r\n"
                b"X-Hop: 1\r\nX-End: 2\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n"
            )

    async with (
        run_upstream(script, authority.server_context([HOST])) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file) as relay,
    ):
        agent = await raw_agent(relay.proxy)
        agent.send(START, headers(1, ends=False), data(1, b"hello", ends=True))
        heard = await agent.until(lambda heard: heard.has_ended(1))
        assert heard.head(1) == {b":status": b"200", b"x-end": b"2"}
        assert (heard.body(1), heard.trailers(1)) == (b"ok", {b"x-late": b"1"})
        assert upstream.heads[0].startswith(b"POST /v1/things HTTP/1.1\r\nhost: api.test\r\n")
        assert upstream.bodies == [b"hello"]


async def test_early_answer_ends_an_upload(pair: Pair) -> None:
    """An upstream that answers before the body is whole is heard, and the agent is told that
    nobody wants the rest."""
    relay, upstream = pair
    upstream.answer = lambda n: headers(n, [(b":status", b"413")])
    upstream.answers_at_once = True
    agent = await raw_agent(relay.proxy)
    length = (b"content-length", b"20000000")
    agent.send(START, headers(1, with_header(length), ends=False), data(1, b"x" * 1_000))
    heard = await agent.until(lambda heard: bool(heard.resets()))
    assert heard.head(1)[b":status"] == b"413"
    assert heard.resets() == {1: ErrorCodes.NO_ERROR}
