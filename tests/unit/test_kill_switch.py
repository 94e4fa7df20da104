"""A stop that comes while something is under way: held, being recorded, uploaded, tunnelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.journey.settings import PipelineSettings
from gateway.model.action import Canonical, WitnessRead
from gateway.model.approval import ApprovalEvent
from gateway.model.effect import Mode
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, Principal
from gateway.model.record import GatewayEntry, TunnelEntry
from gateway.model.stop import Stop, StopScope
from gateway.ports import Sent, TunnelVerdict
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.fakes import FakeWire
from tests.support.policy_world import act

CHARGE = Canonical((act("create_charge", "create"),), "stripe", "stripe")
ALLOW = "- {id: all, priority: 1, effect: ALLOW}"
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL, reason: ASK, message: ask first}"
STOP = Stop("stop-1", StopScope.AGENT, "agent", "it runs wild", "ada", 0)
REFUSED = [("refused", "KILL_SWITCH")]

REFUND = Canonical(
    (replace(act("create_refund"), witness=WitnessRead("GET /v1/charges/{target.id}", ("paid",))),),
    "stripe",
    "stripe",
)
ASK_WITH_WITNESS = (
    "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL, approval: {witness: required}}"
)
STATE = b'{"paid": true}'

PINNED = Authority("pinned.example.com", 443)
PASSING = PipelineSettings(passthrough_hosts=(PINNED.host,))
ME = Principal("agent", "run-1")


async def held(world: FakeWorld, **exchange: str) -> tuple[FakeChannel, asyncio.Task[FakeChannel]]:
    """A request that waits for a person."""
    channel, before = FakeChannel(), world.events.count("wait")
    task = asyncio.create_task(govern(world, channel, **exchange))
    while world.events.count("wait") == before:
        await asyncio.sleep(0)
    return channel, task


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.MONITOR])
async def test_a_stopped_request_is_refused(mode: Mode) -> None:
    """Whatever the policies say, and in monitor mode too: somebody pulled the switch."""
    world = FakeWorld(CHARGE, ALLOW, settings=PipelineSettings(mode=mode))
    world.stops.stop = STOP
    channel = await govern(world)
    assert "agent `agent` is stopped by ada: it runs wild" in told(channel)
    assert (world.upstream.permits, world.outcomes) == ([], REFUSED)


async def test_what_waits_for_a_person_is_refused_at_once() -> None:
    """The approval stays, unused; once the stop is lifted the same action can join it again."""
    world = FakeWorld(CHARGE, ASK)
    channel, task = await held(world)
    world.stops.stop = STOP
    world.pipeline.obey_stops()
    await task
    assert "stopped by ada: it runs wild" in told(channel)
    assert (world.upstream.permits, world.desk.consumed_by) == ([], [])
    assert world.outcomes == REFUSED
    world.stops.stop = None
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "bob")
    assert (await govern(world)).end == "finished"
    assert world.desk.consumed_by == ["dec-2"]


async def test_what_another_agent_waits_for_goes_on() -> None:
    """A stop of one agent ends nothing of another."""
    world = FakeWorld(CHARGE, ASK)
    mine, my_task = await held(world)
    other, other_task = await held(world, agent="other")
    world.stops.stop = STOP
    world.pipeline.obey_stops()
    await my_task
    assert mine.response is not None
    assert not other_task.done()
    world.desk.answer("apr-2", ApprovalEvent.APPROVE, "bob")
    await other_task
    assert other.end == "finished"
    assert len(world.upstream.permits) == 1


async def test_a_stop_that_comes_while_the_question_is_asked() -> None:
    """It is not missed between the decision and the wait."""
    world = FakeWorld(CHARGE, ASK)

    def stop(_approval: object) -> None:
        world.stops.stop = STOP
        world.pipeline.obey_stops()

    world.desk.on_ask = stop
    channel = await govern(world)
    assert "it runs wild" in told(channel)
    assert "wait" not in world.events


async def test_a_stop_that_comes_before_there_is_a_place_to_end() -> None:
    """While the counters are asked, say: nobody wakes the request, so it looks by itself."""
    world = FakeWorld(CHARGE, ASK)
    world.desk.on_ask = lambda _: setattr(world.stops, "stop", STOP)
    channel = await govern(world)
    assert "it runs wild" in told(channel)
    assert "wait" not in world.events


async def test_a_stop_that_comes_with_the_answer() -> None:
    """Approved and stopped in one moment: stopped, and the approval is not used up."""
    world = FakeWorld(CHARGE, ASK)

    def answer_and_stop() -> None:
        world.desk.answer("apr-1", ApprovalEvent.APPROVE, "bob")
        world.stops.stop = STOP

    world.desk.on_wait = answer_and_stop
    channel = await govern(world)
    assert "it runs wild" in told(channel)
    assert world.desk.consumed_by == []
    assert world.outcomes == REFUSED


@pytest.mark.parametrize("rules", [ALLOW, ASK])
async def test_a_stop_that_comes_while_the_intent_is_written(rules: str) -> None:
    """Decided and recorded, and then not sent: the way out asks once more."""
    world = FakeWorld(CHARGE, rules)
    world.desk.on_ask = lambda approval: world.desk.answer(
        approval.approval_id, ApprovalEvent.APPROVE, "bob"
    )
    append = world.records.append_durably

    async def append_and_stop(entry: object) -> None:
        await append(entry)  # type: ignore[arg-type]
        if world.decisions[-1].sends:
            world.stops.stop = STOP

    world.records.append_durably = append_and_stop  # type: ignore[method-assign]
    channel = await govern(world)
    assert "it runs wild" in told(channel)
    assert "KILL_SWITCH" in told(channel)
    assert world.upstream.permits == []
    assert world.outcomes == [("not_sent", "KILL_SWITCH")]


async def test_a_stop_that_comes_while_the_world_is_looked_at() -> None:
    """Told as a stop, not as a world that can't be seen; nothing is asked of anybody."""
    world = FakeWorld(REFUND, ASK_WITH_WITNESS)
    world.stops.stop = None
    append = world.records.append

    def append_and_stop(entry: object) -> None:
        append(entry)  # type: ignore[arg-type]
        if isinstance(entry, GatewayEntry):
            world.stops.stop = STOP

    world.records.append = append_and_stop  # type: ignore[method-assign]
    channel = await govern(world)
    assert "it runs wild" in told(channel)
    assert (world.desk.asks, world.upstream.permits) == ([], [])
    assert world.outcomes == REFUSED


async def test_a_stop_that_comes_after_the_answer_leaves_the_approval_unused() -> None:
    """While the world is looked at again: once the stop is lifted, the approval is there."""
    world = FakeWorld(REFUND, ASK_WITH_WITNESS)
    world.upstream.states = [STATE, STATE]
    world.desk.on_ask = lambda approval: world.desk.answer(
        approval.approval_id, ApprovalEvent.APPROVE, "bob"
    )
    send = world.upstream.send

    async def send_and_stop(*arguments: Any) -> Sent:
        sent = await send(*arguments)
        if len(world.upstream.permits) == 2:
            world.stops.stop = STOP
        return sent

    world.upstream.send = send_and_stop  # type: ignore[method-assign]
    channel = await govern(world)
    assert "it runs wild" in told(channel)
    assert world.desk.consumed_by == []
    assert world.outcomes == REFUSED


# --- passthrough tunnels --------------------------------------------------------------------------


async def test_open_tunnels_are_cut_and_new_ones_refused() -> None:
    """Cut on our side; its session then notes the end. A CONNECT that is inspected goes on, so
    that the agent is told inside."""
    world = FakeWorld(CHARGE, settings=PASSING)
    world.upstream.tunnel = wire = FakeWire()
    assert await world.pipeline.open_tunnel(ME, PINNED) is wire
    world.pipeline.obey_stops()
    assert not wire.is_aborted
    world.stops.stop = STOP
    world.pipeline.obey_stops()
    assert wire.is_aborted
    world.pipeline.note_tunnel_closed(wire, 3, 5)
    with pytest.raises(AgentProtocolError) as caught:
        world.pipeline.admit_tunnel(ME, PINNED)
    assert (caught.value.code, caught.value.status) == ("KILL_SWITCH", 403)
    assert "stopped by ada: it runs wild" in caught.value.message
    inspected = world.pipeline.admit_tunnel(ME, Authority("api.stripe.com", 443))
    assert inspected is TunnelVerdict.INTERCEPT


async def test_a_tunnel_that_is_stopped_while_it_connects_carries_nothing() -> None:
    """Cut before its first byte, and recorded as ended."""
    world = FakeWorld(CHARGE, settings=PASSING)
    world.upstream.tunnel = wire = FakeWire()
    world.stops.stop = STOP
    with pytest.raises(AgentProtocolError):
        await world.pipeline.open_tunnel(ME, PINNED)
    assert wire.is_aborted
    ends = [entry.closed for entry in world.records.entries if isinstance(entry, TunnelEntry)]
    assert ends == [False, True]


async def test_a_tunnel_of_another_agent_stays_open() -> None:
    """Cut is who is stopped."""
    world = FakeWorld(CHARGE, settings=PASSING)
    world.upstream.tunnel = wire = FakeWire()
    await world.pipeline.open_tunnel(ME, PINNED)
    world.stops.stop = replace(STOP, name="other")
    world.pipeline.obey_stops()
    assert not wire.is_aborted
