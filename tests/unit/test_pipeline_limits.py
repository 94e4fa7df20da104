"""Requests under limits: whichever way one ends, what was not sent is given back, and what may
have been sent counts, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.journey.settings import PipelineSettings
from gateway.model.action import Action, Canonical
from gateway.model.approval import ApprovalEvent
from gateway.model.effect import Mode
from gateway.model.record import Outcome
from gateway.model.stop import Stop, StopScope
from gateway.ports import Sent
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.limited_world import (
    ASK,
    ASKS,
    CHARGE,
    Hanging,
    answers,
    ended,
    limited,
    lose,
    sends,
    used,
)
from tests.support.policy_world import act


def refund(amount: int) -> Action:
    return act("create_refund", params={"amount": amount})


def the_stop(world: FakeWorld) -> None:
    stop = Stop("s1", StopScope.EVERYTHING, "", "enough", "ada", 0)

    async def append(entry: object) -> None:
        world.stops.stop = stop

    world.records.append_durably = append  # type: ignore[method-assign,assignment]


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


async def test_without_counters_nothing_is_sent() -> None:
    """Fail closed, and the limit is named."""
    world = limited()
    lose(world, "reserve")
    assert "LIMIT_STORE_UNAVAILABLE" in told(await govern(world))
    assert world.upstream.permits == []
    assert world.decisions[0].decision.rule == "budget"


async def test_without_counters_what_is_under_no_limit_passes() -> None:
    """Only what is counted needs them."""
    world = limited("{id: b, match: {kind: delete}, per: agent, window: 1d, max: 3}")
    lose(world, "reserve")
    assert (await govern(world)).end == "finished"


async def test_without_counters_an_approval_is_not_used_up() -> None:
    """Lost between approval and release: nothing is sent, and the approval is there still."""
    world = limited(rules=ASK)
    answers(ApprovalEvent.APPROVE)(world)
    lose(world, "start")
    assert "LIMIT_STORE_UNAVAILABLE" in told(await govern(world))
    assert (world.upstream.permits, world.desk.consumed_by) == ([], [])


async def test_counters_that_are_gone_after_the_act_change_nothing_of_it() -> None:
    """It was done and answered; the counters count it as long as nobody says otherwise."""
    world = limited()
    lose(world, "settle", "release")
    assert (await govern(world)).end == "finished"
    sends(world, ended(Outcome.NOT_SENT, None))
    await govern(world)
    assert world.outcomes[0] == ("executed", None)


async def test_counters_that_fail_between_taking_and_sending() -> None:
    """A limit that asks is taken and then started: lost in between, nothing is sent."""
    world = limited(ASKS)
    lose(world, "start")
    assert "LIMIT_STORE_UNAVAILABLE" in told(await govern(world))
    assert world.upstream.permits == []


async def test_a_request_under_no_limit_asks_no_counter() -> None:
    """Nothing to take, nothing to settle."""
    world = FakeWorld(CHARGE)
    lose(world, "reserve", "start", "settle", "release")
    assert (await govern(world)).end == "finished"
    assert world.decisions[0].decision.claims == ()
