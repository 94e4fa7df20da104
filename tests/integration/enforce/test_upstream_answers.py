"""What a real TLS upstream answers, and what is said to have become of the request."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model.decision import Permit
from gateway.model.exchange import Authority
from gateway.model.record import Outcome
from tests.integration.enforce.conftest import HOST, MakeWayOut
from tests.support.fake_channel import FakeChannel
from tests.support.raw_upstream import RawPeer, Script, answer_each

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
JSON = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"id":"ch"}'


def answer_once(data: bytes, *, then: str = "close") -> Script:
    """Answer the first request with these bytes, then end or hang."""

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(data)
        await peer.writer.drain()
        if then == "reset":
            await asyncio.sleep(0)
            peer.reset()
        elif then == "hang":
            await peer.wait_end()

    return script


async def test_request_is_written_anew(make_way_out: MakeWayOut) -> None:
    """Order and spelling are the agent's, framing is ours, secrets of the proxy stay here."""
    way = await make_way_out(answer_each(JSON))
    headers = (
        (b"authorization", b"Bearer k"),
        (b"content-LENGTH", b"99"),
        (b"Proxy-Authorization", b"Basic secret"),
        (b"Connection", b"keep-alive"),
        (b"Expect", b"100-continue"),
        (b"Checkrein-Decision", b"forged"),
        (b"Idempotency-Key", b"x"),
    )
    sent, channel = await way.send(headers=headers)
    (head,) = way.upstream.heads
    assert head.split(b"\r\n") == [
        b"POST /v1/charges HTTP/1.1",
        b"Host: api.example",
        b"authorization: Bearer k",
        b"content-LENGTH: 3",
        b"Idempotency-Key: x",
        b"",
        b"",
    ]
    assert way.upstream.bodies == [b"a=1"]
    assert (sent.outcome, sent.status, sent.began) == (Outcome.EXECUTED, 200, True)
    assert (channel.end, bytes(channel.body), sent.response_bytes) == (
        "finished",
        b'{"id":"ch"}',
        11,
    )


async def test_connections_are_reused(make_way_out: MakeWayOut) -> None:
    """A hundred requests one after another use one connection: no handshake is hidden."""
    way = await make_way_out(answer_each(JSON))
    for _ in range(100):
        sent, _ = await way.send()
        assert sent.outcome is Outcome.EXECUTED
    assert (way.upstream.connections, len(way.upstream.heads)) == (1, 100)


async def test_agents_never_share_a_connection(make_way_out: MakeWayOut) -> None:
    """An upstream that is out of step can answer only the agent that did it."""
    way = await make_way_out(answer_each(JSON))
    for agent in ("a", "b", "a", "b"):
        await way.send(agent=agent)
    assert way.upstream.connections == 2


COMPLETE = {
    "chunks": (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    "close-delimited": (OK + b"\r\nabcde", b"abcde"),
    "100 and then 200": (b"HTTP/1.1 100 Continue\r\n\r\n" + JSON, b'{"id":"ch"}'),
    "an error of the upstream's own": (
        b"HTTP/1.1 402 Payment Required\r\nContent-Length: 2\r\n\r\nno", b"no",
    ),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
}  # fmt: skip


@pytest.mark.parametrize(("data", "body"), COMPLETE.values(), ids=COMPLETE.keys())
async def test_complete_answer_is_executed(
    make_way_out: MakeWayOut, data: bytes, body: bytes
) -> None:
    """Relayed whole, and known."""
    way = await make_way_out(answer_once(data))
    sent, channel = await way.send()
    assert (sent.outcome, sent.code, channel.end) == (Outcome.EXECUTED, None, "finished")
    assert bytes(channel.body) == body


HALF = OK + b"Content-Length: 10\r\n\r\nabc"
BROKEN = {
    "closed without an answer": (b"", "close", "upstream.closed", False),
    "reset without an answer": (b"", "reset", "upstream.closed", False),
    "truncated body": (HALF, "close", "upstream.truncated", True),
    "truncated chunks": (CHUNKED + b"5\r\nabc", "close", "upstream.truncated", True),
    "reset inside the body": (HALF, "reset", "upstream.closed", True),
    "close-delimited, no close_notify": (OK + b"\r\nabc", "reset", "upstream.closed", True),
    "length and chunks": (
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "hang",
        "upstream.malformed", False,
    ),
    "not HTTP": (b"220 smtp.example\r\n", "hang", "upstream.malformed", False),
    "101 unasked": (
        b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "hang",
        "upstream.switched", False,
    ),
    "silence": (b"", "hang", "upstream.timed_out", False),
    "silence inside the body": (HALF, "hang", "upstream.timed_out", True),
}  # fmt: skip


@pytest.mark.parametrize(("data", "then", "code", "began"), BROKEN.values(), ids=BROKEN.keys())
async def test_incomplete_answer_is_unknown_and_never_repeated(
    make_way_out: MakeWayOut, data: bytes, then: str, code: str, began: bool
) -> None:
    """The upstream saw one request; the agent sees an error or a cut, and no second try."""
    is_silent = code == "upstream.timed_out"
    way = await make_way_out(
        answer_once(data, then=then),
        # Short where silence is waited for; what comes, may come late on a busy machine.
        upstream_first_byte_seconds_max=0.2 if is_silent and not began else 20.0,
        upstream_quiet_seconds_max=0.2 if is_silent else 20.0,
    )
    sent, channel = await way.send()
    assert (sent.outcome, sent.code, sent.began) == (Outcome.UNKNOWN, code, began)
    assert channel.end == ("cut" if began else None)
    assert sent.error_status == (504 if code == "upstream.timed_out" else 502)
    assert len(way.upstream.heads) == 1
    if then == "hang":
        await asyncio.wait_for(way.upstream.ended.wait(), 20)


async def test_connection_out_of_step_is_not_reused(make_way_out: MakeWayOut) -> None:
    """Bytes behind a complete answer never become the next one."""
    way = await make_way_out(answer_each(JSON + OK + b"Content-Length: 4\r\n\r\nEVIL"))
    for _ in range(3):
        sent, channel = await way.send()
        assert sent.outcome is Outcome.EXECUTED
        assert bytes(channel.body) == b'{"id":"ch"}'
    assert way.upstream.connections == 3


async def test_idle_connection_that_speaks_is_dropped(make_way_out: MakeWayOut) -> None:
    """An answer that comes before its question is thrown away with its connection."""
    is_idle = asyncio.Event()

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(JSON)
        await is_idle.wait()
        peer.write(OK + b"Content-Length: 4\r\n\r\nEVIL")
        await peer.wait_end()

    way = await make_way_out(script)
    await way.send()
    is_idle.set()
    await asyncio.wait_for(way.upstream.ended.wait(), 20)
    assert way.pool._pool.open_count == 0


async def test_stale_connection_is_retried_for_a_read_only(make_way_out: MakeWayOut) -> None:
    """The keep-alive race: a GET goes again on a new connection, a POST is unknown."""

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(JSON)
        await peer.read_request()  # and then close in its face

    way = await make_way_out(script)
    await way.send("GET", b"")
    sent, _ = await way.send("GET", b"")
    assert (sent.outcome, way.upstream.connections) == (Outcome.EXECUTED, 2)
    sent, _ = await way.send("POST")
    assert (sent.outcome, sent.code) == (Outcome.UNKNOWN, "upstream.closed")
    assert [head[:4] for head in way.upstream.heads] == [b"GET ", b"GET ", b"GET ", b"POST"]


async def test_agent_that_leaves_ends_the_upstream_connection(make_way_out: MakeWayOut) -> None:
    """Nobody reads the answer: the connection is dropped and the outcome unknown."""
    way = await make_way_out(answer_once(HALF, then="hang"))
    channel = FakeChannel()
    sending = asyncio.create_task(way.send(channel=channel))
    await asyncio.wait_for(channel.has_begun.wait(), 20)
    channel.go()
    sent, _ = await asyncio.wait_for(sending, 20)
    assert (sent.outcome, sent.code) == (Outcome.UNKNOWN, "agent_gone")
    await asyncio.wait_for(way.upstream.ended.wait(), 20)


async def test_agent_that_left_before_sends_nothing(make_way_out: MakeWayOut) -> None:
    """Gone while the connection was made: certainly not sent."""
    way = await make_way_out(answer_each(JSON))
    channel = FakeChannel()
    channel.go()
    sent, _ = await way.send(channel=channel)
    assert (sent.outcome, sent.code) == (Outcome.NOT_SENT, "agent_gone")
    assert way.upstream.heads == []


async def test_cancelled_send_drops_its_connection(make_way_out: MakeWayOut) -> None:
    """Cancellation goes through, and the half-used connection is never pooled."""
    way = await make_way_out(answer_once(HALF, then="hang"))
    channel = FakeChannel()
    sending = asyncio.create_task(way.send(channel=channel))
    await asyncio.wait_for(channel.has_begun.wait(), 20)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert channel.end == "cut"
    await asyncio.wait_for(way.upstream.ended.wait(), 20)
    assert way.pool._pool.open_count == 0


async def test_slow_agent_pauses_the_upstream(make_way_out: MakeWayOut) -> None:
    """A paused flow stops reading; resumed, the answer comes whole."""
    size = 8_000_000

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            peer.write(b"x" * 100_000)
            await peer.writer.drain()
        peer.upstream.ended.set()
        await peer.reader.read()

    way = await make_way_out(script)
    channel = FakeChannel()
    channel.pause_at = 100_000
    sending = asyncio.create_task(way.send(channel=channel))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(way.upstream.ended.wait(), 0.3)
    held = len(channel.body)
    assert held < size // 4
    assert channel.flow is not None
    channel.flow.resume_reading()
    sent, _ = await asyncio.wait_for(sending, 20)
    assert (sent.outcome, len(channel.body)) == (Outcome.EXECUTED, size)


async def test_head_is_answered_by_its_head(make_way_out: MakeWayOut) -> None:
    """A length without a body, on a connection that stays usable."""
    way = await make_way_out(answer_each(OK + b"Content-Length: 99\r\n\r\n"))
    for _ in range(3):
        sent, channel = await way.send("HEAD", b"")
        assert sent.outcome is Outcome.EXECUTED
        assert channel.head is not None
        assert (channel.head.has_body, channel.head.body_bytes) == (False, 99)
    assert way.upstream.connections == 1


async def test_plain_http_is_sent_plainly(make_way_out: MakeWayOut) -> None:
    """The scheme that was decided is the scheme that is sent."""
    way = await make_way_out(answer_each(JSON), context=None)
    sent, _ = await way.send(scheme="http")
    assert sent.outcome is Outcome.EXECUTED
    assert way.upstream.heads[0].startswith(b"POST /v1/charges HTTP/1.1\r\nHost: api.example")


async def test_closing_cuts_what_is_open(make_way_out: MakeWayOut) -> None:
    """After `close` nothing is left, and what was under way is unknown."""
    way = await make_way_out(answer_once(HALF, then="hang"))
    channel = FakeChannel()
    sending = asyncio.create_task(way.send(channel=channel))
    await asyncio.wait_for(channel.has_begun.wait(), 20)
    await way.pool.close()
    sent, _ = await sending
    assert sent.outcome is Outcome.UNKNOWN
    assert way.pool._pool.open_count == 0


async def test_tunnel_carries_raw_bytes(make_way_out: MakeWayOut) -> None:
    """A passthrough host gets exactly the agent's bytes, without TLS of ours."""

    async def script(peer: RawPeer) -> None:
        peer.write((await peer.reader.readexactly(4)).upper())

    class Receiver:
        def __init__(self) -> None:
            self.data: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def wire_data(self, data: bytes) -> None:
            self.data.set_result(data)

        def wire_eof(self) -> None: ...

        def wire_full(self) -> None: ...

        def wire_drained(self) -> None: ...

        def wire_lost(self, error: Exception | None) -> None: ...

    way = await make_way_out(script, context=None)
    wire = await way.pool.open_tunnel(Permit("tun_1", "tun_1"), Authority(HOST, 443))
    receiver = wire.receiver = Receiver()
    wire.write(b"ping")
    assert await asyncio.wait_for(receiver.data, 20) == b"PING"
    wire.abort()
