"""A WebSocket that opened: recorded before it is, under its decision; never opened unrecorded or
stopped; cut by the stops that its handshake falls under."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model.action import Canonical
from gateway.model.exchange import ResponseHead
from gateway.model.record import Outcome, OutcomeEntry, TunnelEntry
from gateway.model.stop import Stop, StopScope
from gateway.ports import Sent, Switched
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.fakes import FakeWire
from tests.support.policy_world import act

JOIN = Canonical((act("join_room", "execute"),), "stripe", "stripe")
HEAD = ResponseHead(101, b"Switching Protocols", (), None, False)


def switching() -> tuple[FakeWorld, FakeWire]:
    """A world whose upstream opens the WebSocket."""
    world, wire = FakeWorld(JOIN), FakeWire()
    switched = Switched(HEAD, wire, b"")
    world.upstream.sent = Sent(Outcome.EXECUTED, 101, False, switched=switched)
    return world, wire


def tunnels(world: FakeWorld) -> list[TunnelEntry]:
    return [entry for entry in world.records.entries if isinstance(entry, TunnelEntry)]


async def test_it_is_recorded_before_it_opens_and_when_it_ends() -> None:
    """Intent, the handshake's outcome, the opening on disk, the end with its bytes: one id."""
    world, _ = switching()
    channel = await govern(world)
    assert channel.switched is not None
    assert channel.response is None
    assert world.events == ["intent durably", "send", "outcome", "tunnel durably", "tunnel"]
    opened, closed = tunnels(world)
    (decision,) = world.decisions
    assert opened.tunnel_id == closed.tunnel_id == decision.decision_id
    assert (opened.closed, closed.closed) == (False, True)
    assert (closed.sent_bytes, closed.received_bytes) == (3, 5)


async def test_what_cannot_be_recorded_is_not_opened() -> None:
    """The upstream's side is cut, and the agent is told."""
    world, wire = switching()
    world.records.refuses = {"tunnel"}
    channel = await govern(world)
    assert wire.is_aborted
    assert channel.switched is None
    assert "RECORD_UNAVAILABLE" in told(channel)


STOPS = {
    "its agent": Stop("stop-1", StopScope.AGENT, "agent", "it runs wild", "ada", 0),
    "its provider": Stop("stop-1", StopScope.PROVIDER, "stripe", "it runs wild", "ada", 0),
}


@pytest.mark.parametrize("case", STOPS)
async def test_a_stop_cuts_it(case: str) -> None:
    """Other than a passthrough tunnel's, its provider is known."""
    world, wire = switching()
    channel = FakeChannel(hang=True)
    task = asyncio.create_task(govern(world, channel), name="govern")
    await channel.has_begun.wait()
    world.pipeline.obey_stops()
    assert not wire.is_aborted
    world.stops.stop = STOPS[case]
    world.pipeline.obey_stops()
    assert wire.is_aborted
    await task
    assert [entry.closed for entry in tunnels(world)] == [False, True]


async def test_a_stop_that_comes_before_it_opens() -> None:
    """The handshake was sent, and is known; the agent never gets the 101."""
    world, wire = switching()
    append = world.records.append_durably

    async def append_and_stop(entry: object) -> None:
        await append(entry)  # type: ignore[arg-type]
        if isinstance(entry, TunnelEntry):
            world.stops.stop = STOPS["its agent"]

    world.records.append_durably = append_and_stop  # type: ignore[assignment,method-assign]
    channel = await govern(world)
    assert wire.is_aborted
    assert channel.switched is None
    assert "it runs wild" in told(channel)
    assert [entry.closed for entry in tunnels(world)] == [False, True]
    assert any(isinstance(entry, OutcomeEntry) for entry in world.records.entries)
