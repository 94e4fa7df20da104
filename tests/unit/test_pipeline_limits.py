"""Requests under limits: whichever way one ends, what was not sent is given back, and what may
have been sent counts, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.enforce.hold import HoldSettings
from gateway.model.action import Action, Canonical
from gateway.model.approval import Approval, ApprovalEvent
from gateway.model.effect import Mode
from gateway.model.errors import LimitError
from gateway.model.record import Outcome
from gateway.model.stop import Stop, StopScope
from gateway.pipeline import PipelineSettings
from gateway.ports import Sent
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.limits import claim
from tests.support.policy_world import act, bundle_of, policy_text

PASS = "- {id: all, priority: 1, effect: ALLOW}"
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL, approval: {timeout: 30m}}"
THREE = "{id: budget, per: agent, window: 1d, max: 3, message: three a day}"
KEY = {"limit": "p/budget", "key": "agent:agent"}
AT_ONCE = HoldSettings(hold_seconds_max=0.0)


def refund(amount: int = 1) -> Action:
    return act("create_refund", params={"amount": amount})


CHARGE = Canonical((act(),), "stripe", "stripe")


def limited(
    *limits: str, rules: str = PASS, canonical: Canonical = CHARGE, **world: object
) -> FakeWorld:
    """A world whose only policy has these limits."""
    made = FakeWorld(canonical, **world)  # type: ignore[arg-type]
    listed = "".join(f"    - {limit}\n" for limit in limits or (THREE,))
    made.swap(bundle_of(policy_text(rules) + f"  limits:\n{listed}"))
    return made


async def used(world: FakeWorld, **of: str) -> int:
    """What the counter holds now, open reservations included."""
    now = 1_763_700_000_123_456
    asked = claim(now, 0, 0, mode=Mode.MONITOR, **(KEY | of))  # type: ignore[arg-type]
    reserved = await world.limits.reserve("reader", [asked], now, None)
    await world.limits.release(reserved.token)
    return reserved.readings[0].used


def sends(world: FakeWorld, sent: Sent) -> None:
    world.upstream.sent = sent


def the_stop(world: FakeWorld) -> None:
    stop = Stop("s1", StopScope.EVERYTHING, "", "enough", "ada", 0)

    async def append(entry: object) -> None:
        world.stops.stop = stop

    world.records.append_durably = append  # type: ignore[method-assign,assignment]


def ended(outcome: Outcome, status: int | None, **of: object) -> Sent:
    return Sent(outcome, status, True, **of)  # type: ignore[arg-type]


ENDS: dict[str, tuple[Callable[[FakeWorld], object], int]] = {
    "it was done": (lambda world: None, 1),
    "the provider refused": (lambda world: sends(world, ended(Outcome.EXECUTED, 402)), 0),
    "the provider was asked too often": (
        lambda world: sends(world, ended(Outcome.EXECUTED, 429)), 0,
    ),
    "it may have been done before": (lambda world: sends(world, ended(Outcome.EXECUTED, 409)), 1),
    "the provider took too long": (lambda world: sends(world, ended(Outcome.EXECUTED, 408)), 1),
    "the provider failed": (lambda world: sends(world, ended(Outcome.EXECUTED, 500)), 1),
    "the answer broke off": (lambda world: sends(world, ended(Outcome.UNKNOWN, 402)), 1),
    "nobody knows": (lambda world: sends(world, ended(Outcome.UNKNOWN, None)), 1),
    "nothing left": (
        lambda world: sends(world, Sent(Outcome.NOT_SENT, None, False, code="upstream.refused")), 0,
    ),
    "it could not be recorded": (lambda world: world.records.refuses.add("intent"), 0),
    "it was stopped on its way": (the_stop, 0),
}  # fmt: skip


@pytest.mark.parametrize(("happens", "counted"), ENDS.values(), ids=ENDS)
async def test_how_an_allowed_request_ends(
    happens: Callable[[FakeWorld], object], counted: int
) -> None:
    """What may have happened counts, and nothing else."""
    world = limited()
    happens(world)
    await govern(world)
    assert await used(world) == counted


REFUSALS = {
    "a provider that nobody knows": Canonical((act(operation="unknown"),), "unknown", "problem"),
    "a batch": Canonical((act(), act()), "stripe", "stripe"),
}


@pytest.mark.parametrize("canonical", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_that_proves_nothing_counts(canonical: Canonical) -> None:
    """An upstream may be the agent's own, and of several acts some may have happened."""
    world = limited(canonical=canonical)
    sends(world, ended(Outcome.EXECUTED, 400))
    await govern(world)
    assert await used(world) == len(canonical.actions)


async def test_the_agent_left_before_it_was_sent() -> None:
    """Nothing was sent, so nothing counts."""
    world = limited()
    channel = FakeChannel()
    channel.go()
    await govern(world, channel)
    assert await used(world) == 0


async def test_the_fourth_is_refused_and_told_why() -> None:
    """The limit is named with its numbers, and nothing reaches the upstream."""
    world = limited()
    for _ in range(3):
        await govern(world)
    text = told(await govern(world))
    assert "three a day (3 of 3 used, 1 more asked)" in text
    assert "LIMIT_BUDGET" in text
    assert len(world.upstream.permits) == 3
    decision = world.decisions[-1].decision
    assert (decision.policy, decision.rule, decision.effect) == ("p", "budget", "BLOCK")
    assert decision.readings[0].used == 3
    assert await used(world) == 3


async def test_a_sum_is_exact() -> None:
    """Up to the last unit and not beyond, batches added up."""
    limit = "{id: budget, sum: params.amount, per: agent, window: 1d, max: 100}"
    world = limited(limit)
    for amounts, is_sent in (((60,), True), ((30, 11), False), ((30, 10), True), ((1,), False)):
        world.canonicalizer.canonical = Canonical(tuple(map(refund, amounts)), "stripe", "stripe")
        channel = await govern(world)
        assert (channel.end == "finished") is is_sent
    assert await used(world) == 100


async def test_an_amount_that_can_not_be_read_is_refused() -> None:
    """It exceeds, whatever is left, and is named."""
    limit = "{id: budget, sum: params.amount, per: agent, window: 1d, max: 100}"
    world = limited(limit, canonical=Canonical((act(),), "stripe", "stripe"))
    assert "`params.amount` could not be read" in told(await govern(world))
    assert world.decisions[0].decision.unresolved == "params.amount"


async def test_equal_requests_race_for_the_last_unit() -> None:
    """Twenty at once, three pass; two equal actions are two."""
    world = limited()
    channels = await asyncio.gather(*(govern(world) for _ in range(20)))
    assert sum(channel.end == "finished" for channel in channels) == 3
    assert len(world.upstream.permits) == 3


class Hanging:
    """An upstream that never answers."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()

    async def send(self, *_: object) -> Sent:
        self.has_begun.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_request_that_is_cut_off_while_it_is_sent_counts() -> None:
    """Nobody knows whether it has happened."""
    world = limited()
    upstream = Hanging()
    world.upstream.send = upstream.send  # type: ignore[method-assign]
    task = asyncio.create_task(govern(world))
    await upstream.has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await used(world) == 1
    assert not list(world.limits._ledger.reservations)  # type: ignore[attr-defined]


async def test_a_request_that_is_cut_off_before_does_not() -> None:
    """While its intent was written."""
    world = limited()
    writing = asyncio.Event()

    async def append(entry: object) -> None:
        writing.set()
        await asyncio.Event().wait()

    world.records.append_durably = append  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(govern(world))
    await writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await used(world) == 0


# --- what waits for a person ----------------------------------------------------------------------


def answers(event: ApprovalEvent) -> Callable[[FakeWorld], object]:
    def happen(world: FakeWorld) -> None:
        def answer(approval: Approval) -> None:
            def once() -> None:
                world.desk.on_wait = None
                world.desk.answer(approval.approval_id, event, "ada")

            world.desk.on_wait = once

        world.desk.on_ask = answer

    return happen


def approved_and(what: Callable[[FakeWorld], object]) -> Callable[[FakeWorld], object]:
    def happen(world: FakeWorld) -> None:
        answers(ApprovalEvent.APPROVE)(world)
        what(world)

    return happen


HELD: dict[str, tuple[Callable[[FakeWorld], object], int]] = {
    "approved and done": (answers(ApprovalEvent.APPROVE), 1),
    "denied": (answers(ApprovalEvent.REJECT), 0),
    "cancelled": (answers(ApprovalEvent.CANCEL), 0),
    "expired": (answers(ApprovalEvent.EXPIRE), 0),
    "nobody could be asked": (lambda world: world.desk.lost.add("ask"), 0),
    "the answer could not be awaited, and may come": (
        lambda world: world.desk.lost.add("wait"), 1,
    ),
    "approved, and nobody knows whether it is used": (
        approved_and(lambda world: world.desk.lost.add("consume")), 0,
    ),
    "the question could not be recorded": (lambda world: world.records.refuses.add("decision"), 0),
    "approved, and the intent could not be recorded": (
        approved_and(lambda world: world.records.refuses.add("intent")), 0,
    ),
    "approved, and refused by the provider": (
        approved_and(lambda world: sends(world, ended(Outcome.EXECUTED, 402))), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("happens", "counted"), HELD.values(), ids=HELD)
async def test_how_a_held_request_ends(
    happens: Callable[[FakeWorld], object], counted: int
) -> None:
    """What still may be sent keeps its share; what will not be gives it back."""
    world = limited(rules=ASK)
    happens(world)
    await govern(world)
    assert await used(world) == counted


async def test_it_is_reserved_while_it_waits_and_counts_once() -> None:
    """Sent again and again while it waits, approved, sent again: one."""
    world = limited(rules=ASK, hold_settings=AT_ONCE)
    for _ in range(5):
        assert "waiting for a person" in told(await govern(world))
        assert await used(world) == 1
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert (await govern(world)).end == "finished"
    assert await used(world) == 1
    assert "approval apr-2" in told(await govern(world))
    assert await used(world) == 2


async def test_two_wait_for_one_approval() -> None:
    """One is sent, the other is told that it was; one counts."""
    world = limited(rules=ASK)
    tasks = [asyncio.create_task(govern(world)) for _ in range(2)]
    while world.events.count("wait") < 2:
        await asyncio.sleep(0)
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await asyncio.gather(*tasks)
    assert sorted(world.outcomes) == [("executed", None), ("refused", "APPROVAL_ALREADY_USED")]
    assert await used(world) == 1


async def test_too_many_wait() -> None:
    """Who finds no place keeps no share, and takes none from who has one."""
    settings = HoldSettings(hold_seconds_max=5.0, hold_count_max_per_agent=1)
    world = limited(rules=ASK, hold_settings=settings)
    channel = FakeChannel()
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    assert "too many requests" in told(await govern(world, body=b"other"))
    assert await used(world) == 1
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    await task
    assert await used(world) == 1


async def test_another_of_the_same_action_finds_no_place() -> None:
    """Its share was the other's: the other takes it again, and is sent."""
    settings = HoldSettings(hold_seconds_max=5.0, hold_count_max_per_agent=1)
    world = limited(rules=ASK, hold_settings=settings)
    channel = FakeChannel()
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    assert "too many requests" in told(await govern(world))
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    await task
    assert channel.end == "finished"
    assert await used(world) == 1


async def test_a_share_that_lapsed_is_taken_again() -> None:
    """The answer came after the question's time, and is still good."""
    world = limited(rules=ASK)
    task = asyncio.create_task(govern(world))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    world.clock.advance(63_700_000 + 1_801)
    assert await used(world) == 0
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert (await task).end == "finished"
    assert await used(world) == 1


async def test_a_share_that_lapsed_and_went_to_others_is_gone() -> None:
    """The limit is told, and the approval stays unused."""
    world = limited(rules=ASK)
    task = asyncio.create_task(govern(world))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    world.clock.advance(63_700_000 + 1_801)
    now = world.clock.now()
    await world.limits.reserve("others", [claim(now, 3, **KEY)], now, None)  # type: ignore[arg-type]
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert "three a day (3 of 3 used" in told(await task)
    assert world.outcomes == [("refused", "LIMIT_BUDGET")]
    assert world.desk.consumed_by == []


# --- limits that ask ------------------------------------------------------------------------------

ASKS = (
    "{id: budget, per: agent, window: 1d, max: 1, effect: REQUIRE_APPROVAL, message: more than one}"
)
BLOCKS = "{id: wall, per: agent, window: 1d, max: 2}"


async def test_beyond_a_limit_a_person_is_asked() -> None:
    """Below it nobody is; above it the limit asks, and what was approved counts once."""
    world = limited(ASKS, BLOCKS, hold_settings=AT_ONCE)
    assert (await govern(world)).end == "finished"
    for _ in range(4):
        assert "waiting for a person" in told(await govern(world, body=b"second"))
        assert await used(world) == 2
    assert world.desk.asks[0].decision.rule == "budget"
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert (await govern(world, body=b"second")).end == "finished"
    assert (await used(world), await used(world, limit="p/wall")) == (2, 2)
    assert "LIMIT_WALL" in told(await govern(world, body=b"third"))


async def test_equal_requests_below_a_limit_that_asks_are_two() -> None:
    """They share no reservation, also at one moment; what is beyond is asked about once."""
    limit = ASKS.replace("max: 1", "max: 3")
    world = limited(limit, hold_settings=AT_ONCE)
    channels = await asyncio.gather(*(govern(world) for _ in range(6)))
    assert sum(channel.end == "finished" for channel in channels) == 3
    assert {ask.digest for ask in world.desk.asks} == {world.decisions[0].digest}
    assert await used(world) == 4


async def test_an_approval_by_a_limit_is_used_while_another_is_on_its_way() -> None:
    """The first of two equal actions is still being sent when the second is approved."""
    world = limited(ASKS, hold_settings=HoldSettings(hold_seconds_max=5.0))
    answers(ApprovalEvent.APPROVE)(world)
    upstream, send = Hanging(), world.upstream.send
    world.upstream.send = upstream.send  # type: ignore[method-assign]
    first = asyncio.create_task(govern(world))
    await upstream.has_begun.wait()
    world.upstream.send = send  # type: ignore[method-assign]
    assert (await govern(world)).end == "finished"
    assert await used(world) == 2
    first.cancel()
    await asyncio.wait({first})
    assert await used(world) == 2


async def test_a_body_that_streams_is_not_asked_about() -> None:
    """It can't be held, so it is refused, and keeps no share."""
    world = limited(ASKS)
    await govern(world)
    assert "longer than can be inspected" in told(await govern(world, body=None))
    assert await used(world) == 1


# --- modes, and counters that are gone ------------------------------------------------------------


async def test_in_monitor_mode_everything_passes_and_counts() -> None:
    """What would have been refused is noted."""
    world = limited(settings=PipelineSettings(mode=Mode.MONITOR))
    for _ in range(5):
        assert (await govern(world)).end == "finished"
    assert await used(world) == 5
    noted = [entry.decision.watched for entry in world.decisions]
    assert [len(watched) for watched in noted] == [0, 0, 0, 1, 1]
    assert noted[3][0].rule == "budget"


class Gone:
    """Counters that can't be reached, from the `after`-th call on."""

    def __init__(self, world: FakeWorld, *names: str) -> None:
        for name in names:
            setattr(world.limits, name, self.fail)

    async def fail(self, *_: object) -> None:
        raise LimitError("limit.unavailable", "the counters are gone")


async def test_without_counters_nothing_is_sent() -> None:
    """Fail closed, and the limit is named."""
    world = limited()
    Gone(world, "reserve")
    assert "LIMIT_STORE_UNAVAILABLE" in told(await govern(world))
    assert world.upstream.permits == []
    assert world.decisions[0].decision.rule == "budget"


async def test_without_counters_what_is_under_no_limit_passes() -> None:
    """Only what is counted needs them."""
    world = limited("{id: b, match: {kind: delete}, per: agent, window: 1d, max: 3}")
    Gone(world, "reserve")
    assert (await govern(world)).end == "finished"


async def test_without_counters_an_approval_is_not_used_up() -> None:
    """Lost between approval and release: nothing is sent, and the approval is there still."""
    world = limited(rules=ASK)
    answers(ApprovalEvent.APPROVE)(world)
    Gone(world, "start")
    assert "LIMIT_STORE_UNAVAILABLE" in told(await govern(world))
    assert (world.upstream.permits, world.desk.consumed_by) == ([], [])


async def test_counters_that_are_gone_after_the_act_change_nothing_of_it() -> None:
    """It was done and answered; the counters count it as long as nobody says otherwise."""
    world = limited()
    Gone(world, "settle", "release")
    assert (await govern(world)).end == "finished"
    sends(world, ended(Outcome.NOT_SENT, None))
    await govern(world)
    assert world.outcomes[0] == ("executed", None)


async def test_counters_that_fail_between_taking_and_sending() -> None:
    """A limit that asks is taken and then started: lost in between, nothing is sent."""
    world = limited(ASKS)
    Gone(world, "start")
    assert "LIMIT_STORE_UNAVAILABLE" in told(await govern(world))
    assert world.upstream.permits == []


async def test_a_request_under_no_limit_asks_no_counter() -> None:
    """Nothing to take, nothing to settle."""
    world = FakeWorld(CHARGE)
    Gone(world, "reserve", "start", "settle", "release")
    assert (await govern(world)).end == "finished"
    assert replace(world.decisions[0].decision).claims == ()
