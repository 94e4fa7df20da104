"""A WebSocket whose messages are governed: nothing leaves undecided, nothing passes what waits, and
whatever ends it is said to both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.intercept import message_relay
from gateway.intercept.message_relay import QUEUE_COUNT_MAX
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Exchange, Message
from gateway.ports import AgentChannel
from gateway.wire.websocket_frames import Opcode
from tests.support.message_world import BYTES_MAX, HEADERS, Held, World, blocked
from tests.support.websocket_frames import frame

REFUSED = b"\x03\xf0checkrein: NEVER; dec-1"
TEXT, BINARY, CLOSE, PING = Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE, Opcode.PING


async def test_a_message_is_an_exchange_under_its_handshake() -> None:
    """Its target and headers, but for those of the handshake itself; its body is the message."""
    world = World()
    world.say(frame(1, b"{}") + frame(2, b"\xff"))
    await world.until(lambda: len(world.governed) == 2)
    text, binary = (exchange.request for exchange in world.governed)
    assert (text.method, text.target, text.body) == ("MESSAGE", b"/rooms/a?b=c", b"{}")
    assert (text.message, binary.message) == (Message.TEXT, Message.BINARY)
    assert text.headers == (HEADERS[0], HEADERS[2], (b"content-type", b"application/json"))
    assert text.fields[b"x-tenant"] == b"t-1"
    assert b"sec-websocket-key" not in text.fields
    assert not text.is_websocket
    assert binary.fields[b"content-type"] == b"application/octet-stream"
    world.task.cancel()


async def test_no_fragment_leaves_before_its_message_is_decided() -> None:
    """Neither while it comes nor while it is decided; then it goes as one frame."""
    world = World()
    held = world.answer = Held()
    for part in (frame(1, b"a", first=0), frame(0, b"b", first=0), frame(0, b"c")[:3]):
        world.say(part)
        await asyncio.sleep(0)
    assert world.governed == []
    world.say(frame(0, b"c")[3:])
    await world.until(lambda: len(world.governed) == 1)
    assert world.upstream.written == b""
    held.passes.set_result(True)
    await world.until(lambda: world.upstream.written != b"")
    assert world.arrived == [(TEXT, b"abc")]
    assert len(world.upstream.writes) == 1
    world.task.cancel()


async def test_what_stands_behind_a_held_message_waits_and_pings_pass() -> None:
    """In order and in bounded memory: then the agent is read no further."""
    world = World()
    held = world.answer = Held()
    world.say(frame(1, b"0"))
    await world.until(lambda: len(world.governed) == 1)
    count = QUEUE_COUNT_MAX + 200
    world.say(frame(9, b"p") + b"".join(frame(1, b"%d" % at) for at in range(1, count)))
    assert world.arrived == [(PING, b"p")]
    assert world.agent.is_paused
    assert len(world.relay._queue) == QUEUE_COUNT_MAX
    world.answer = None
    held.passes.set_result(True)
    await world.until(lambda: len(world.governed) == count)
    await world.until(lambda: not world.agent.is_paused)
    assert world.arrived[1:] == [(TEXT, b"%d" % at) for at in range(count)]
    world.task.cancel()


async def test_a_refused_message_ends_it_on_both_sides() -> None:
    """With the reason; nothing behind it is looked at."""
    world = World()
    world.answer = blocked
    world.say(frame(1, b"a") + frame(1, b"b"))
    await world.end()
    assert len(world.governed) == 1
    assert world.arrived == [(CLOSE, REFUSED)]
    assert world.agent.written == bytes((0x88, len(REFUSED))) + REFUSED


async def test_the_frame_that_the_upstream_is_in_is_ended_first() -> None:
    """A close frame stands between frames; what comes behind that one is not passed any more."""
    answer = frame(1, b"0123456789", key=None)
    world = World(early=answer[:1])
    world.answer = blocked
    world.upstream.receiver.wire_data(answer[1:5])
    world.say(frame(1, b"a"))
    await world.until(lambda: world.upstream.written != b"")
    assert world.agent.written == answer[1:5]
    world.upstream.receiver.wire_data(answer[5:] + answer)
    await world.end()
    assert world.agent.written == answer[1:] + bytes((0x88, len(REFUSED))) + REFUSED
    assert world.ended[0][1] == len(answer)


async def test_an_upstream_that_never_ends_its_frame_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The agent's connection is closed without a frame, which could not be read."""
    monkeypatch.setattr(message_relay, "CLOSE_SECONDS_MAX", 0.01)
    world = World(early=b"\x81")
    world.answer = blocked
    world.say(frame(1, b"a"))
    await world.end()
    assert world.agent.written == b""


FAULTY = {
    "malformed": (frame(3), b"\x03\xea", "websocket.malformed"),
    "no text": (frame(1, b"\xff"), b"\x03\xef", "websocket.malformed"),
    "too long": (frame(2, bytes(BYTES_MAX + 1)), b"\x03\xf1", "websocket.too_long"),
}


@pytest.mark.parametrize("case", FAULTY)
async def test_faulty_frames_end_it_behind_what_is_whole(case: str) -> None:
    """What came before is decided on; the fault is recorded once."""
    data, code, reason = FAULTY[case]
    world = World()
    world.say(frame(1, b"a") + data)
    await world.end()
    assert world.arrived[0] == (TEXT, b"a")
    assert world.arrived[1] == (CLOSE, code + b"checkrein: " + reason.encode())
    assert world.refusals == [reason]


async def test_an_agent_whose_key_has_ended_sends_nothing_more() -> None:
    """Who acts is asked for every message."""
    world = World()
    world.say(frame(1, b"a"))
    await world.until(lambda: len(world.arrived) == 1)
    world.stranger = AgentProtocolError("agent.unknown", "nobody", 407)
    world.say(frame(1, b"b"))
    await world.end()
    assert world.arrived == [(TEXT, b"a"), (CLOSE, b"\x03\xf0checkrein: agent.unknown")]
    assert world.refusals == ["agent.unknown"]


async def test_a_fault_of_ours_refuses() -> None:
    """It is logged, and ends the WebSocket; the message never leaves."""

    async def breaks(_exchange: Exchange, _channel: AgentChannel) -> bool:
        raise RuntimeError("a bug")

    world = World()
    world.answer = breaks
    world.say(frame(1, b"a"))
    await world.end()
    assert world.arrived == [(CLOSE, b"\x03\xf0checkrein: GATEWAY_FAULT")]


async def test_a_close_of_the_agent_passes_in_its_turn() -> None:
    """Behind what came before it; then the upstream's answer is waited for and passed."""
    world = World()
    world.say(frame(1, b"a") + frame(8, b"\x03\xe8") + frame(1, b"b"))
    await world.until(lambda: len(world.arrived) == 2)
    assert world.arrived == [(TEXT, b"a"), (CLOSE, b"\x03\xe8")]
    assert not world.task.done()
    answer = frame(8, b"\x03\xe8", key=None)
    world.upstream.receiver.wire_data(answer)
    world.upstream.receiver.wire_eof()
    await world.end()
    assert world.agent.written == answer


LEAVES: dict[str, Callable[[World], None]] = {
    "by a close": lambda world: world.say(frame(8)),
    "by the end of its connection": lambda world: world.agent.receiver.wire_eof(),
    "by a reset": lambda world: world.agent.receiver.wire_lost(None),
    "by what is malformed": lambda world: world.say(frame(3)),
}


@pytest.mark.parametrize("case", LEAVES)
async def test_an_agent_that_leaves_while_a_message_waits(case: str) -> None:
    """Neither that message nor any behind it is sent."""
    world = World()
    world.answer = Held()
    world.say(frame(1, b"held") + frame(1, b"behind"))
    await world.until(lambda: len(world.governed) == 1)
    await asyncio.sleep(0)
    world.answer = None  # what stands behind would pass
    LEAVES[case](world)
    if case == "by a close":
        await world.until(lambda: world.arrived != [])
        world.upstream.receiver.wire_eof()
    await world.end()
    assert [one for one in world.arrived if one[0] is not CLOSE] == []


async def test_a_message_that_comes_to_wait_when_its_agent_has_left() -> None:
    """Nobody is asked for long: the end came with it."""
    world = World()
    world.answer = Held()
    world.say(frame(1, b"held") + frame(1, b"behind") + frame(8))
    await world.until(lambda: world.arrived != [])
    assert world.arrived == [(CLOSE, b"")]
    assert len(world.governed) == 1
    world.upstream.receiver.wire_eof()
    await world.end()


async def test_what_was_sent_before_the_end_still_goes_out() -> None:
    """A program that says its last word and ends: nothing of it waits for a person."""
    world = World()
    world.say(frame(1, b"a") + frame(1, b"b"))
    world.agent.receiver.wire_eof()
    await world.end()
    assert world.arrived == [(TEXT, b"a"), (TEXT, b"b")]


async def test_a_cut_tells_the_agent() -> None:
    """The kill switch cuts the upstream's side; the agent reads why."""
    world = World()
    await asyncio.sleep(0)
    world.upstream.abort()
    world.upstream.receiver.wire_lost(None)
    await world.end()
    reason = b"\x03\xf0checkrein: KILL_SWITCH"
    assert world.agent.written == bytes((0x88, len(reason))) + reason


async def test_a_cut_while_a_message_waits_leaves_the_answer_to_whoever_decides() -> None:
    """It is refused as stopped, by name, and not as one whose agent has left."""
    world = World()
    held = world.answer = Held()
    world.say(frame(1, b"a"))
    await world.until(lambda: len(world.governed) == 1)
    await asyncio.sleep(0)
    world.upstream.abort()
    world.upstream.receiver.wire_lost(None)
    assert not world.channels[0].is_gone
    held.passes.set_result(False)
    await world.end()
    assert world.upstream.written == b""


async def test_an_upstream_that_ends_ends_it() -> None:
    """What waits for a person is not sent anywhere."""
    world = World()
    world.answer = Held()
    world.say(frame(1, b"a"))
    await world.until(lambda: len(world.governed) == 1)
    await asyncio.sleep(0)
    world.upstream.receiver.wire_eof()
    await world.end()
    assert world.upstream.written == b""


async def test_a_silent_one_ends() -> None:
    """After the idle time; not while a message waits for a person, which has its own."""
    world = World(idle_seconds_max=0.02)
    await world.end()
    world = World()
    held = world.answer = Held()
    world.say(frame(1, b"a"))
    await world.until(lambda: len(world.governed) == 1)
    world.relay._expire()
    held.passes.set_result(True)
    await world.until(lambda: world.arrived == [(TEXT, b"a")])
    world.say(frame(1, b"b"))
    await world.until(lambda: len(world.governed) == 2)
    world.relay._expire()
    world.task.cancel()


async def test_each_side_is_read_as_fast_as_the_other_takes() -> None:
    """A full agent pauses the upstream; a full upstream the agent, and its next message waits."""
    world = World()
    await asyncio.sleep(0)
    world.agent.receiver.wire_full()
    assert world.upstream.is_paused
    world.agent.receiver.wire_drained()
    assert not world.upstream.is_paused
    world.upstream.receiver.wire_full()
    assert world.agent.is_paused
    world.say(frame(1, b"a") + frame(1, b"b"))
    await world.until(lambda: len(world.governed) == 1)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(world.governed) == 1
    world.upstream.receiver.wire_drained()
    await world.until(lambda: len(world.governed) == 2)
    assert not world.agent.is_paused
    world.task.cancel()


async def test_a_relay_that_is_cancelled_closes_both() -> None:
    """And says what went through."""
    world = World(early=b"\x89\x00")
    world.say(frame(9, b"p"))
    await asyncio.sleep(0)
    world.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await world.task
    assert world.ended == [(7, 2)]
    assert world.agent.is_closing
