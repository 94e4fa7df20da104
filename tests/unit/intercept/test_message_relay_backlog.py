"""Who sends more behind a message that waits than is kept: held back for moments, then told to come
again, and never left unread for long, since neither pings nor an end are seen then."""

from __future__ import annotations

import asyncio

import pytest

from gateway.intercept import message_relay
from gateway.intercept.message_relay import QUEUE_COUNT_MAX
from gateway.model.exchange import Exchange
from gateway.ports import AgentChannel
from gateway.wire.websocket_frames import Opcode
from tests.support.message_world import Held, World
from tests.support.websocket_frames import frame

TEXT, CLOSE, PING, PONG = Opcode.TEXT, Opcode.CLOSE, Opcode.PING, Opcode.PONG
BACKLOG = b"\x03\xf5checkrein: websocket.backlog"
MORE_THAN_IS_KEPT = frame(1, b"0") * (QUEUE_COUNT_MAX + 2)


async def test_pings_pass_behind_as_many_as_are_kept() -> None:
    """From the agent and to it; only behind more than that is the agent left unread."""
    world = World()
    world.answer = Held()
    world.say(frame(1, b"0"))
    await world.until(lambda: len(world.governed) == 1)
    world.say(frame(1, b"x") * (QUEUE_COUNT_MAX - 1) + frame(9, b"ping") + frame(10, b"pong"))
    assert world.arrived == [(PING, b"ping"), (PONG, b"pong")]
    assert not world.agent.is_paused
    world.upstream.receiver.wire_data(frame(9, b"p", key=None))
    assert world.agent.written == frame(9, b"p", key=None)
    world.task.cancel()


async def test_an_agent_that_is_left_unread_for_long_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More stands behind a held message than is kept: neither it nor any of these is sent, since
    the agent may have left meanwhile, unseen."""
    monkeypatch.setattr(message_relay, "UNREAD_SECONDS_MAX", 0.01)
    world = World()
    world.answer = Held()
    world.say(MORE_THAN_IS_KEPT)
    await world.end()
    assert world.channels[0].is_gone
    assert world.arrived == [(CLOSE, BACKLOG)]
    assert world.agent.written == bytes((0x88, len(BACKLOG))) + BACKLOG
    assert world.refusals == ["websocket.backlog"]


async def test_an_upstream_that_takes_nothing_leaves_no_agent_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a message waits, its agent's leaving has to be seen, whatever it is that is full."""
    monkeypatch.setattr(message_relay, "UNREAD_SECONDS_MAX", 0.01)
    world = World()
    world.answer = Held()
    world.say(frame(1, b"a"))
    await world.until(lambda: len(world.governed) == 1)
    await asyncio.sleep(0)
    world.upstream.receiver.wire_full()
    await world.end()
    assert world.arrived == [(CLOSE, BACKLOG)]


async def test_the_close_comes_behind_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision that takes long and asks nobody: its message goes out, and then the close."""
    monkeypatch.setattr(message_relay, "UNREAD_SECONDS_MAX", 0.01)
    decided = asyncio.get_running_loop().create_future()

    async def slow(_exchange: Exchange, _channel: AgentChannel) -> bool:
        return bool(await decided)

    world = World()
    world.answer = slow
    world.say(MORE_THAN_IS_KEPT)
    await world.until(lambda: world.refusals != [])
    assert world.arrived == []
    decided.set_result(True)
    await world.end()
    assert world.arrived == [(TEXT, b"0"), (CLOSE, BACKLOG)]


async def test_an_agent_that_sends_faster_than_is_decided_is_held_back_alone() -> None:
    """Each message has the time for itself, so that a long line of them ends nothing."""
    world = World()
    dues = world.relay._unread = Dues()  # type: ignore[assignment]
    first, second = Held(), Held()
    world.answer = first
    world.say(frame(1, b"0"))
    await world.until(lambda: len(world.governed) == 1)
    world.say(MORE_THAN_IS_KEPT * 2)
    assert dues.is_due
    world.answer = second
    first.passes.set_result(True)
    await world.until(lambda: len(world.governed) == 2)
    assert world.agent.is_paused
    assert dues.told == ["set", "clear", "set"]
    world.answer = None
    second.passes.set_result(True)
    await world.until(lambda: not world.agent.is_paused)
    assert not dues.is_due
    world.task.cancel()


class Dues:
    """A deadline that passes for nobody."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @property
    def is_due(self) -> bool:
        return self.told[-1:] == ["set"]

    def set(self, _due_at: float) -> None:
        self.told.append("set")

    def clear(self) -> None:
        if self.is_due:
            self.told.append("clear")

    def end(self) -> None:
        self.clear()
