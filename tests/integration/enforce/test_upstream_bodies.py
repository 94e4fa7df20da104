"""Bodies too long to be inspected stream through, at the upstream's pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.model.errors import AgentProtocolError
from gateway.model.record import Outcome
from gateway.model.stop import Stop, StopScope
from tests.integration.enforce.conftest import MakeWayOut
from tests.support.fake_channel import FakeChannel
from tests.support.raw_upstream import RawPeer, answer_each

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PIECE = bytes(range(256)) * 256
STOP = Stop("stop-1", StopScope.AGENT, "agent", "it runs wild", "ada", 0)


@pytest.mark.parametrize("has_length", [True, False], ids=["with a length", "in chunks"])
async def test_large_upload_streams(make_way_out: MakeWayOut, has_length: bool) -> None:
    """Every byte arrives once and in order, and the connection is used again."""
    way = await make_way_out(answer_each(OK))
    for _ in range(2):
        channel = FakeChannel([PIECE] * 64)
        length = 64 * len(PIECE) if has_length else None
        sent, _ = await way.send("PUT", None, channel=channel, body_bytes=length)
        assert (sent.outcome, sent.status) == (Outcome.EXECUTED, 200)
    assert [body == PIECE * 64 for body in way.upstream.bodies] == [True, True]
    expected = b"content-length" if has_length else b"transfer-encoding: chunked"
    assert expected in way.upstream.heads[0].lower()
    assert way.upstream.connections == 1


async def test_whole_body_larger_than_one_write(make_way_out: MakeWayOut) -> None:
    """An inspected body of megabytes arrives whole."""
    way = await make_way_out(answer_each(OK))
    body = PIECE * 100
    sent, _ = await way.send("PUT", body)
    assert (sent.outcome, way.upstream.bodies == [body]) == (Outcome.EXECUTED, True)


async def test_upload_waits_for_a_slow_upstream(make_way_out: MakeWayOut) -> None:
    """The agent's body is taken no faster than it can be sent; memory stays flat."""
    go = asyncio.Event()

    async def script(peer: RawPeer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await go.wait()
        await peer.reader.readexactly(400 * len(PIECE))
        peer.write(OK)

    way = await make_way_out(script)
    channel = FakeChannel([PIECE] * 400)
    length = 400 * len(PIECE)
    sending = asyncio.create_task(way.send("PUT", None, channel=channel, body_bytes=length))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(sending), 0.5)
    assert channel.pieces_taken < 300
    go.set()
    sent, _ = await asyncio.wait_for(sending, 20)
    assert sent.outcome is Outcome.EXECUTED


async def test_upstream_that_takes_nothing_is_given_up(make_way_out: MakeWayOut) -> None:
    """The deadline of a stalled upload; what was sent is unknown."""

    async def script(peer: RawPeer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    way = await make_way_out(script, upstream_stalled_seconds_max=0.2)
    channel = FakeChannel([PIECE] * 400)
    sent, _ = await way.send("PUT", None, channel=channel, body_bytes=400 * len(PIECE))
    assert (sent.outcome, sent.code) == (Outcome.UNKNOWN, "upstream.stalled")


async def test_early_answer_stops_the_upload(make_way_out: MakeWayOut) -> None:
    """It is relayed, the rest of the body isn't sent, and the connection isn't used again."""

    async def script(peer: RawPeer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await peer.wait_end()

    way = await make_way_out(script)
    channel = FakeChannel([PIECE], hang=True)
    sent, _ = await way.send("PUT", None, channel=channel, body_bytes=400 * len(PIECE))
    assert (sent.outcome, sent.status, bytes(channel.body)) == (Outcome.EXECUTED, 413, b"big")
    await asyncio.wait_for(way.upstream.ended.wait(), 20)
    assert way.pool._pool.open_count == 0


@pytest.mark.parametrize("length", [None, 3 * len(PIECE)])
async def test_a_stop_ends_an_upload_midway(make_way_out: MakeWayOut, length: int | None) -> None:
    """No further byte leaves, the request never becomes whole, and what became of it is unknown."""
    way = await make_way_out(answer_each(OK))

    class Stopping(FakeChannel):
        async def body_rest(self) -> AsyncIterator[bytes]:
            yield PIECE
            way.stop = STOP
            yield PIECE
            self.pieces_taken += 1

    channel = Stopping()
    sent, _ = await way.send("PUT", None, channel=channel, body_bytes=length)
    assert (sent.outcome, sent.code, sent.error_status) == (Outcome.UNKNOWN, "KILL_SWITCH", 403)
    assert channel.pieces_taken == 0
    assert way.upstream.bodies == []


async def test_a_stop_before_the_end_of_a_chunked_body(make_way_out: MakeWayOut) -> None:
    """Without its last chunk the request is none, though all of its bytes have left."""
    way = await make_way_out(answer_each(OK))

    class Stopping(FakeChannel):
        async def body_rest(self) -> AsyncIterator[bytes]:
            yield PIECE
            way.stop = STOP

    sent, _ = await way.send("PUT", None, channel=Stopping(), body_bytes=None)
    assert (sent.outcome, sent.code) == (Outcome.UNKNOWN, "KILL_SWITCH")
    assert way.upstream.bodies == []


async def test_what_has_left_whole_is_awaited(make_way_out: MakeWayOut) -> None:
    """Its answer says what became of it; cutting it would only hide that."""
    way = await make_way_out(answer_each(OK))

    class Stopping(FakeChannel):
        async def body_rest(self) -> AsyncIterator[bytes]:
            yield PIECE
            way.stop = STOP

    sent, _ = await way.send("PUT", None, channel=Stopping(), body_bytes=len(PIECE))
    assert (sent.outcome, sent.status) == (Outcome.EXECUTED, 200)


async def test_a_stop_before_the_first_byte_sends_none(make_way_out: MakeWayOut) -> None:
    """Asked once a connection is had, however long that took; the connection stays usable."""
    way = await make_way_out(answer_each(OK))
    way.stop = STOP
    sent, _ = await way.send()
    assert (sent.outcome, sent.code, sent.error_status) == (Outcome.NOT_SENT, "KILL_SWITCH", 403)
    way.stop = None
    sent, _ = await way.send()
    assert sent.outcome is Outcome.EXECUTED
    assert len(way.upstream.bodies) == 1


BAD_BODIES = {
    "bad framing midway": ([PIECE, AgentProtocolError("body.bad_chunk", "bad chunk")], None,
                           "body.bad_chunk"),
    "shorter than its length": ([b"abc"], 10, "body.too_short"),
    "longer than its length": ([b"abc", b"defg"], 5, "body.too_long"),
}  # fmt: skip


@pytest.mark.parametrize(("pieces", "length", "code"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_bad_body_is_never_completed_upstream(
    make_way_out: MakeWayOut, pieces: list[bytes | Exception], length: int | None, code: str
) -> None:
    """The upstream connection breaks before the body's end, so that no upstream acts on it."""
    way = await make_way_out(answer_each(OK))
    channel = FakeChannel(pieces)
    sent, _ = await way.send("PUT", None, channel=channel, body_bytes=length)
    assert (sent.outcome, sent.code, sent.error_status) == (Outcome.UNKNOWN, code, 400)
    assert way.upstream.bodies == []


async def test_agent_that_leaves_during_its_upload(make_way_out: MakeWayOut) -> None:
    """The upstream never sees the end of the body."""
    way = await make_way_out(answer_each(OK))
    channel = FakeChannel([PIECE], hang=True)
    sending = asyncio.create_task(way.send("PUT", None, channel=channel))
    await asyncio.wait({sending}, timeout=0.1)
    channel.go()
    sent, _ = await asyncio.wait_for(sending, 20)
    assert (sent.outcome, sent.code) == (Outcome.UNKNOWN, "agent_gone")
    assert way.upstream.bodies == []
