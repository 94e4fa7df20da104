"""Requests that wait for a person: asked after they are recorded, sent once or not at all."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AbstractContextManager

import pytest

from gateway.enforce.hold import HoldRoom, HoldSettings, Place
from gateway.model.action import Canonical
from gateway.model.approval import Approval, ApprovalEvent, ApprovalState
from gateway.model.decision import Permit
from gateway.model.errors import ApprovalError
from gateway.model.record import Outcome, OutcomeEntry
from gateway.ports import ApprovalAsk, Sent
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.fakes import FakeClock
from tests.support.policy_world import act

CHARGE = Canonical((act("create_charge", "create"),), "stripe", "stripe")
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL, reason: ASK, message: ask first}"

HELD = ["decision durably", "ask"]


def answer_at_once(world: FakeWorld, event: ApprovalEvent) -> None:
    """Be a person who answers while the agent still waits."""

    def answer(approval: Approval) -> None:
        if approval.state is ApprovalState.PENDING:
            world.desk.on_wait = lambda: world.desk.answer(approval.approval_id, event, "ada")

    world.desk.on_ask = answer


CONSUMED = [*HELD, "wait", "consume", "intent durably", "send", "outcome"]
REFUSED = [*HELD, "wait", "outcome"]

ANSWERS = {
    "approved": (ApprovalEvent.APPROVE, CONSUMED, ("executed", None), ""),
    "denied": (ApprovalEvent.REJECT, REFUSED, ("refused", "APPROVAL_DENIED"), "denied by ada"),
    "cancelled": (
        ApprovalEvent.CANCEL, REFUSED, ("refused", "APPROVAL_CANCELLED"), "cancelled by ada",
    ),
    "expired": (ApprovalEvent.EXPIRE, REFUSED, ("refused", "APPROVAL_EXPIRED"), "expired"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "events", "outcome", "words"), ANSWERS.values(), ids=ANSWERS.keys()
)
async def test_what_a_person_answers(
    event: ApprovalEvent, events: list[str], outcome: tuple[str, str | None], words: str
) -> None:
    """Recorded before it is asked, consumed before it is sent, sent once or not at all."""
    world = FakeWorld(CHARGE, ASK)
    answer_at_once(world, event)
    channel = await govern(world)
    assert world.events == events
    assert world.outcomes == [outcome]
    if words:
        assert words in told(channel)
        assert world.upstream.permits == []
        assert world.desk.consumed_by == []
    else:
        assert world.upstream.permits == [Permit("req_1", "dec-1", "apr-1")]
        assert world.desk.consumed_by == ["dec-1"]
        decision, intent = world.decisions
        assert (decision.sends, intent.sends) == (False, True)
        assert intent.approval is not None
        assert intent.approval.state is ApprovalState.CONSUMED
        assert intent.approval.answered_by == "ada"
    (ask,) = world.desk.asks
    assert (ask.decision_id, ask.digest) == ("dec-1", world.decisions[0].digest)


async def test_the_limit_passes_and_the_same_action_joins() -> None:
    """Pending is told at the limit; sent again it joins, goes through once, and asks anew after."""
    world = FakeWorld(CHARGE, ASK, hold_settings=HoldSettings(hold_seconds_max=0.0))
    channel = await govern(world)
    assert "waiting for a person to answer approval apr-1" in told(channel)
    assert channel.response is not None
    assert dict(channel.response.headers)[b"Retry-After"] == b"5"
    assert world.outcomes == [("refused", "APPROVAL_PENDING")]
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    assert (await govern(world)).end == "finished"
    assert len(world.upstream.permits) == 1
    assert "approval apr-2" in told(await govern(world))
    assert len(world.upstream.permits) == 1


async def test_the_limit_passes_while_waiting() -> None:
    """The deadline is of the steady clock, and ends the wait."""
    world = FakeWorld(CHARGE, ASK, hold_settings=HoldSettings(hold_seconds_max=0.01))
    world.desk.on_wait = lambda: world.clock.advance(0.02)
    assert "waiting for a person" in told(await govern(world))
    assert world.events == [*HELD, "wait", "outcome"]


async def test_another_action_does_not_join() -> None:
    """An approval is of one exact act: another body is another question."""
    world = FakeWorld(CHARGE, ASK, hold_settings=HoldSettings(hold_seconds_max=0.0))
    await govern(world, body=b"amount=1")
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    for change in ({"body": b"amount=2"}, {"target": b"/v1/charges"}, {"agent": "other"}):
        assert "waiting for a person" in told(await govern(world, **{"body": b"amount=1"} | change))
    assert world.upstream.permits == []


async def test_two_requests_of_one_action_are_released_once() -> None:
    """Both wait for one approval; one is sent, the other is told."""
    world = FakeWorld(CHARGE, ASK)
    one, two = FakeChannel(), FakeChannel()
    tasks = [asyncio.create_task(govern(world, channel)) for channel in (one, two)]
    while world.events.count("wait") < 2:
        await asyncio.sleep(0)
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await asyncio.gather(*tasks)
    assert len(world.upstream.permits) == 1
    assert sorted(world.outcomes) == [("executed", None), ("refused", "APPROVAL_ALREADY_USED")]
    assert world.events.count("send") == 1
    assert len(world.desk.asks) == 2
    refused = one if one.response is not None else two
    assert "already used" in told(refused)


@pytest.mark.parametrize("call", ["ask", "wait", "consume"])
async def test_no_desk_means_nothing_is_sent(call: str) -> None:
    """A control plane that is lost at any point leaves the action refused."""
    world = FakeWorld(CHARGE, ASK)
    answer_at_once(world, ApprovalEvent.APPROVE)
    world.desk.lost = {call}
    channel = await govern(world)
    assert world.outcomes == [("refused", "APPROVAL_UNAVAILABLE")]
    assert "can't be reached" in told(channel)
    assert world.upstream.permits == []


async def test_no_record_after_the_approval_means_nothing_is_sent() -> None:
    """Approved and consumed, and still not sent: the intent comes first."""
    world = FakeWorld(CHARGE, ASK)
    answer_at_once(world, ApprovalEvent.APPROVE)
    world.records.refuses = {"intent"}
    channel = await govern(world)
    assert "RECORD_UNAVAILABLE" in told(channel)
    assert world.upstream.permits == []


async def test_the_agent_leaves_while_it_waits() -> None:
    """Nothing is sent, also when the answer comes later; the approval stays for the next try."""
    world = FakeWorld(CHARGE, ASK)
    channel = FakeChannel()
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    channel.go()
    await task
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    assert world.outcomes == [("not_sent", "agent_gone")]
    assert (world.upstream.permits, world.desk.consumed_by) == ([], [])
    assert (await govern(world)).end == "finished"
    assert len(world.upstream.permits) == 1


async def test_the_agent_leaves_as_the_answer_comes() -> None:
    """Approved in the same moment: nobody reads the answer, so nothing is consumed or sent."""
    world = FakeWorld(CHARGE, ASK)
    channel = FakeChannel()
    world.desk.on_ask = lambda approval: (
        channel.go(),
        world.desk.answer(approval.approval_id, ApprovalEvent.APPROVE),
    )
    await govern(world, channel)
    assert world.outcomes == [("not_sent", "agent_gone")]
    assert (world.upstream.permits, world.desk.consumed_by) == ([], [])


async def test_the_agent_leaves_before_an_allowed_action_is_sent() -> None:
    """The intent is written, the agent is gone: not sent, and recorded so."""
    world = FakeWorld(CHARGE)
    channel = FakeChannel()
    channel.go()
    await govern(world, channel)
    assert world.outcomes == [("not_sent", "agent_gone")]
    assert world.upstream.permits == []


async def test_a_cancelled_hold_ends_and_frees_its_place() -> None:
    """The gateway stops: nothing is sent, no task is left behind, the place is free."""
    world = FakeWorld(CHARGE, ASK)
    task = asyncio.create_task(govern(world))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    assert world.pipeline._held.total == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.pipeline._held.total == 0
    assert world.upstream.permits == []
    assert {each.get_name() for each in asyncio.all_tasks()}.isdisjoint(
        {"hold-agent-gone", "hold-wait-answer", "hold-ended"}
    )


async def test_a_cancellation_is_not_lost_while_a_hold_ends() -> None:
    """Stopped in the very moment in which the agent has left: the stop still counts."""
    world = FakeWorld(CHARGE, ASK)
    channel = FakeChannel()
    ending = asyncio.Event()

    async def wait(approval_id: str, seconds_max: float) -> Approval:
        world.events.append("wait")
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await asyncio.sleep(0)
        raise AssertionError

    world.desk.wait = wait  # type: ignore[method-assign]
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    channel.go()
    await ending.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.upstream.permits == []


async def test_a_desk_that_fails_as_the_agent_leaves(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is there to be told, nothing is sent, and no task complains of it later."""
    world = FakeWorld(CHARGE, ASK)
    channel = FakeChannel()

    async def wait(approval_id: str, seconds_max: float) -> Approval:
        channel.go()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ApprovalError("approval.unavailable", "lost") from None
        raise AssertionError

    world.desk.wait = wait  # type: ignore[method-assign]
    await govern(world, channel)
    gc.collect()
    assert world.outcomes == [("not_sent", "agent_gone")]
    assert caplog.records == []


async def test_the_gateway_stops_while_it_holds() -> None:
    """Whoever waits is told to ask again; whoever comes later too; nothing is sent."""
    world = FakeWorld(CHARGE, ASK)
    channel = FakeChannel()
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    world.pipeline.stop_holding()
    await task
    assert "waiting for a person" in told(channel)
    assert "waiting for a person" in told(await govern(world))
    assert world.outcomes == [("refused", "APPROVAL_PENDING")] * 2
    assert world.events.count("wait") == 1
    assert world.upstream.permits == []


@pytest.mark.parametrize("began", [True, False])
async def test_an_approved_act_of_which_nobody_knows_is_never_sent_again(began: bool) -> None:
    """Bytes of it may have left: the record says `unknown` and under whose approval, which is used
    up. The same action sent again is another question."""
    world = FakeWorld(CHARGE, ASK)
    answer_at_once(world, ApprovalEvent.APPROVE)
    world.upstream.sent = Sent(Outcome.UNKNOWN, 200 if began else None, began, 5, "upstream.cut")
    await govern(world)
    outcome = world.records.entries[-1]
    assert isinstance(outcome, OutcomeEntry)
    assert (outcome.outcome, outcome.code) == (Outcome.UNKNOWN, "upstream.cut")
    assert outcome.approval is not None
    assert (outcome.approval.approval_id, outcome.approval.state) == (
        "apr-1", ApprovalState.CONSUMED,
    )  # fmt: skip
    world.desk.on_ask, world.desk.on_wait = None, world.pipeline.stop_holding
    assert "approval apr-2" in told(await govern(world))
    assert len(world.upstream.permits) == 1


async def test_too_many_holds() -> None:
    """One agent can't fill the gateway; its next request is refused, and nobody is asked."""
    settings = HoldSettings(hold_seconds_max=5.0, hold_count_max=3, hold_count_max_per_agent=1)
    world = FakeWorld(CHARGE, ASK, hold_settings=settings)
    channel = FakeChannel()
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    refused = await govern(world, body=b"other")
    assert "too many requests of this agent wait" in told(refused)
    assert world.outcomes == [("refused", "HOLDS_FULL")]
    assert len(world.desk.asks) == 1
    channel.go()
    await task
    world.desk.on_ask = lambda approval: world.desk.answer(
        approval.approval_id, ApprovalEvent.APPROVE
    )
    assert (await govern(world, body=b"third")).end == "finished"


def test_places_are_counted_by_agent_and_together() -> None:
    """Each bound holds by itself, and places come back."""
    settings = HoldSettings(hold_count_max=2, hold_count_max_per_agent=1)
    room: HoldRoom[str] = HoldRoom(settings, FakeClock())

    def place(agent: str) -> AbstractContextManager[Place[str] | None]:
        return room.place(agent, agent)

    with place("a") as first, place("a") as again, place("b") as other:
        assert (bool(first), again, bool(other), room.total) == (True, None, True, 2)
        with place("c") as beyond:
            assert beyond is None
    assert room.total == 0
    with place("a") as anew:
        assert anew is not None


async def test_the_time_of_a_hold_runs_while_its_question_is_asked() -> None:
    """A thousand that are held at once ask one after the other, and the agent of the last one waits
    no longer than that of the first."""
    world = FakeWorld(CHARGE, ASK, hold_settings=HoldSettings(hold_seconds_max=50.0))
    waited: list[float] = []
    ask, wait = world.desk.ask, world.desk.wait

    async def ask_slowly(question: ApprovalAsk) -> Approval:
        world.clock.advance(20.0)
        return await ask(question)

    async def note_wait(approval_id: str, seconds_max: float) -> Approval:
        waited.append(seconds_max)
        world.clock.advance(seconds_max)
        return await wait(approval_id, 0.0)

    world.desk.ask, world.desk.wait = ask_slowly, note_wait  # type: ignore[method-assign]
    channel = await govern(world)
    assert waited == [30.0]
    assert "waiting for a person to answer approval apr-1" in told(channel)


async def test_a_stopping_gateway_answers_what_it_holds() -> None:
    """The agent is told to ask again, instead of losing its connection; later asks likewise."""
    world = FakeWorld(CHARGE, ASK)
    world.desk.on_wait = world.pipeline.stop_holding

    for channel in (await govern(world), await govern(world)):
        assert "waiting for a person to answer approval apr-1" in told(channel)

    assert world.upstream.permits == []
