"""An upstream's answer in, our bytes out: framing, truncation, back-pressure, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.intercept.channel import Channel
from gateway.model.exchange import Response, ResponseHead
from tests.support.fakes import FakeFlow, FakeWire


async def no_body() -> AsyncIterator[bytes]:
    for piece in ():
        yield piece


def channel_on(
    wire: FakeWire, *, is_head: bool = False, is_http10: bool = False, closes: bool = False
) -> Channel:
    return Channel(
        wire,
        is_head=is_head,
        is_http10=is_http10,
        must_close=lambda: closes,
        body_rest=no_body,
    )


def head(length: int | None, status: int = 200, *, has_body: bool = True) -> ResponseHead:
    headers = ((b"Content-Length", b"999"), (b"X", b"y"), (b"Connection", b"close"))
    return ResponseHead(status, b"OK", headers, length, has_body)


CHUNKS = b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
RELAYED = {
    "a length": (
        (head(3), [b"ab", b"c"]), {},
        b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 3\r\n\r\nabc", False,
    ),
    "no length": (
        (head(None), [b"ab", b"c"]), {},
        b"HTTP/1.1 200 OK\r\nX: y\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS, False,
    ),
    "no length to HTTP/1.0": (
        (head(None), [b"abc"]), {"is_http10": True},
        b"HTTP/1.1 200 OK\r\nX: y\r\nconnection: close\r\n\r\nabc", True,
    ),
    "an empty body": (
        (head(0), []), {},
        b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 0\r\n\r\n", False,
    ),
    "to HEAD": (
        (head(5, has_body=False), []), {"is_head": True},
        b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 5\r\n\r\n", False,
    ),
    "to HEAD, with a body that must not be": (
        (head(5), [b"hello"]), {"is_head": True},
        b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 5\r\n\r\n", False,
    ),
    "204": (
        (head(0, 204, has_body=False), []), {}, b"HTTP/1.1 204 OK\r\nX: y\r\n\r\n", False,
    ),
    "304 with a length": (
        (head(7, 304, has_body=False), []), {},
        b"HTTP/1.1 304 OK\r\nX: y\r\ncontent-length: 7\r\n\r\n", False,
    ),
    "the last of its connection": (
        (head(1), [b"a"]), {"closes": True},
        b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 1\r\nconnection: close\r\n\r\na", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RELAYED)
async def test_relayed_answers(case: str) -> None:
    """Framed by us, in one write where it comes in one turn of the loop."""
    (relayed, pieces), options, expected, closes = RELAYED[case]
    wire = FakeWire()
    channel = channel_on(wire, **options)
    channel.begin(relayed, FakeFlow())
    for piece in pieces:
        channel.write(piece)
    channel.finish()
    assert wire.writes == [expected]
    assert channel.closes is closes
    assert not wire.is_closing


WRONG = {
    "shorter than it says": (head(5), [b"abc"], False),
    "longer than it says": (head(2), [b"abc"], False),
    "cut without a length": (head(None), [b"abc"], False),
    "cut to HTTP/1.0 without a length": (head(None), [b"abc"], True),
}


@pytest.mark.parametrize("case", WRONG)
async def test_an_answer_of_the_wrong_length(case: str) -> None:
    """The connection ends so that the agent sees it: a reset where an end would look proper."""
    relayed, pieces, is_http10 = WRONG[case]
    wire = FakeWire()
    channel = channel_on(wire, is_http10=is_http10)
    channel.begin(relayed, FakeFlow())
    for piece in pieces:
        channel.write(piece)
    if relayed.body_bytes is None:
        channel.cut()
    else:
        channel.finish()
    assert wire.is_closing
    assert channel.closes
    assert not wire.written.endswith(b"0\r\n\r\n")
    assert wire.is_aborted is is_http10


async def test_a_head_alone_is_sent_by_itself() -> None:
    """Nobody waits for the first piece of a stream to see its head."""
    wire = FakeWire()
    channel = channel_on(wire)
    channel.begin(head(None), FakeFlow())
    assert wire.writes == []
    await asyncio.sleep(0)
    assert len(wire.writes) == 1
    channel.write(b"x" * 100_000)
    assert len(wire.writes) == 2


async def test_back_pressure_reaches_the_flow_and_ends() -> None:
    """Paused while the agent reads too slowly; resumed when it reads, leaves or is done with."""
    for end in ("drained", "leave", "detach"):
        flow, channel = FakeFlow(), channel_on(FakeWire())
        channel.full()
        assert not flow.is_paused
        channel.begin(head(None), flow)
        channel.full()
        assert flow.is_paused
        getattr(channel, end)()
        assert not flow.is_paused


async def test_nothing_is_written_to_nobody() -> None:
    """After the agent left every call does nothing."""
    wire = FakeWire()
    channel = channel_on(wire)
    waiting = asyncio.create_task(channel.wait_gone(), name="wait")
    await asyncio.sleep(0)
    channel.begin(head(3), FakeFlow())
    channel.leave()
    await waiting
    await channel.wait_gone()
    channel.write(b"abc")
    channel.finish()
    channel.cut()
    channel.respond(Response(200, (), b""))
    await asyncio.sleep(0)
    assert (wire.writes, channel.is_gone) == ([], True)


async def test_one_answer() -> None:
    """A second answer is a bug of ours, and never reaches the agent."""
    channel = channel_on(FakeWire())
    channel.respond(Response(200, (), b"one"))
    with pytest.raises(AssertionError):
        channel.respond(Response(200, (), b"two"))
    with pytest.raises(AssertionError):
        channel.begin(head(3), FakeFlow())


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: b", b"a\nb", b"a\r\n\r\nHTTP/1.1 200 OK"])
async def test_no_upstream_splits_an_answer(value: bytes) -> None:
    """A line end within a header cuts the connection with nothing written."""
    wire = FakeWire()
    channel = channel_on(wire)
    channel.begin(ResponseHead(200, b"OK", ((b"a", value),), 0, True), FakeFlow())
    channel.finish()
    assert wire.written == b""
    assert wire.is_closing
