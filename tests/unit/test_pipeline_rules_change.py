"""Rules that change while a request waits for a person: it is decided by those of the release."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.decide.bundle import Bundle
from gateway.enforce.hold import HoldSettings
from gateway.journey.held_cases import FORESEEN_AT_ONCE
from gateway.journey.judge import Ruleset
from gateway.model.action import Canonical, WitnessRead
from gateway.model.approval import ApprovalEvent, ApprovalState
from gateway.model.errors import LimitError
from gateway.model.stop import Stop, StopScope
from gateway.ports import Sent
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeCanonicalizer, FakeWorld, govern, told
from tests.support.limited_world import limited, used
from tests.support.policy_world import act, bundle_of, policy_text

REFUND = Canonical((act("create_refund"),), "stripe", "stripe")
PAYOUT = Canonical((act("create_payout"),), "stripe", "stripe")
READ = WitnessRead("GET /v1/charges/{target.id}", ("amount",))
UNREADABLE = Canonical((), "stripe", "stripe", "ambiguous_body", "a key twice")
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL}"
BLOCK = "- {id: none, priority: 1, effect: BLOCK, reason: NO, message: never}"
SENT, CHANGED, TERMS = ("executed", None), "POLICY_CHANGED", "APPROVAL_TERMS_CHANGED"


def asking(terms: str) -> str:
    return f"- {{id: ask, priority: 2, effect: REQUIRE_APPROVAL, approval: {terms}}}"


def bundle(rules: str, limits: str = "", mode: str = "enforce") -> Bundle:
    listed = f"  limits:\n    - {limits}\n" if limits else ""
    return bundle_of(policy_text(rules, mode=mode) + listed)


async def held(
    world: FakeWorld, channel: FakeChannel | None = None, **exchange: str
) -> tuple[FakeChannel, asyncio.Task[FakeChannel]]:
    """A request that waits for a person."""
    channel, before = channel or FakeChannel(), world.events.count("wait")
    task = asyncio.create_task(govern(world, channel, **exchange))
    while world.events.count("wait") == before:
        await asyncio.sleep(0)
    return channel, task


NOW: dict[str, tuple[Bundle, tuple[str, str | None], str | None]] = {
    "a rule blocks it": (bundle(BLOCK), ("refused", "NO"), CHANGED),
    "a rule blocks it, and is only watched": (bundle(BLOCK, mode="monitor"), SENT, None),
    "there are no rules": (Bundle.empty(), ("refused", "NO_POLICY"), CHANGED),
    "it needs nobody": (bundle("- {id: all, priority: 1, effect: ALLOW}"), SENT, None),
    "another rule asks the same": (bundle(asking("{quorum: 1}")), SENT, None),
    "two people are wanted": (bundle(asking("{quorum: 2}")), ("refused", TERMS), TERMS),
    "a group is wanted": (bundle(asking("{groups: [finance]}")), ("refused", TERMS), TERMS),
    "its world is to be seen": (bundle(asking("{witness: required}")), ("refused", TERMS), TERMS),
    "a limit is new, and there is room": (
        bundle(ASK, "{id: new, per: agent, window: 1d, max: 1}"), SENT, None,
    ),
    "a limit is new, and there is none": (
        bundle(ASK, "{id: new, per: agent, window: 1d, max: 0}"), ("refused", "LIMIT_NEW"), CHANGED,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("now", "outcome", "void"), NOW.values(), ids=NOW.keys())
async def test_what_was_approved_is_decided_again(
    now: Bundle, outcome: tuple[str, str | None], void: str | None
) -> None:
    """Approved under the old rules, released by the new ones: sent on that approval, or refused
    with the reason of now, and the approval is over. Recorded under the same id."""
    world = FakeWorld(REFUND, ASK)
    channel, task = await held(world)
    world.swap(now)
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await task
    assert world.outcomes == [outcome]
    assert len(world.upstream.permits) == (outcome == SENT)
    assert world.desk.consumed_by == (["dec-1"] if outcome == SENT else [])
    assert world.desk.voids == ([] if void is None else [("apr-1", void, None)])
    again = world.decisions[1]
    assert (again.decision_id, again.decision.revision) == ("dec-1", now.revision)
    assert again.approval is not None
    if void is not None:
        assert outcome[1] in told(channel)  # type: ignore[operator]
        assert (await world.desk.wait("apr-1", 0)).state is ApprovalState.CANCELLED


@pytest.mark.parametrize(("meaning", "outcome"), [
    (REFUND, SENT), (PAYOUT, ("refused", CHANGED)), (UNREADABLE, ("refused", CHANGED)),
])  # fmt: skip
async def test_what_mappers_read_as_another_act_is_not_what_was_approved(
    meaning: Canonical, outcome: tuple[str, str | None]
) -> None:
    """A person agreed to a refund; these bytes are something else now."""
    world = FakeWorld(REFUND, ASK)
    channel, task = await held(world)
    reader = cast("Canonicalizer", FakeCanonicalizer(meaning))
    world.pipeline.judge.ruleset = Ruleset(reader, world.bundle)
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await task
    assert world.outcomes == [outcome]
    assert (channel.end == "finished") is (outcome == SENT)


async def test_what_new_rules_refuse_waits_no_longer() -> None:
    """Nobody has answered: the blocked agent is told at once, its approval is void, and whoever
    may wait goes on waiting; so may as many as are held."""
    refusing = "- {id: no, priority: 1, match: {agent: bad}, effect: BLOCK, reason: NO}"
    world = FakeWorld(REFUND, ASK, hold_settings=HoldSettings(hold_count_max_per_agent=100))
    bad, refused = await held(world, agent="bad")
    waiting = [await held(world, agent="good", body=b"%d" % n) for n in range(FORESEEN_AT_ONCE)]
    world.swap(bundle(f"{refusing}\n{ASK}"))
    world.pipeline.obey_rules()
    await refused
    assert "NO" in told(bad)
    assert world.desk.voids == [("apr-1", CHANGED, None)]
    assert not any(task.done() for _, task in waiting)
    world.swap(bundle(asking("{quorum: 2}")))
    world.pipeline.obey_rules()
    await asyncio.gather(*(task for _, task in waiting))
    assert [why for _, why, _ in world.desk.voids[1:]] == [TERMS] * FORESEEN_AT_ONCE
    assert world.upstream.permits == []


async def test_rules_that_come_while_the_question_is_asked_are_not_missed() -> None:
    """Nobody wakes who does not wait yet, so it looks by itself."""
    world = FakeWorld(REFUND, ASK)

    def change(_approval: object) -> None:
        world.swap(bundle(BLOCK))
        world.pipeline.obey_rules()

    world.desk.on_ask = change
    assert "NO" in told(await govern(world))
    assert "wait" not in world.events
    assert world.desk.voids == [("apr-1", CHANGED, None)]


async def test_rules_that_come_while_the_world_is_looked_at() -> None:
    """Just before it is sent: decided once more, by those."""
    canonical = Canonical((replace(REFUND.actions[0], witness=READ),), "stripe", "stripe")
    world = FakeWorld(canonical, asking("{witness: required}"))
    world.upstream.states = [b'{"amount": 1}'] * 2
    world.upstream.on_last_look = lambda: world.swap(bundle(BLOCK))
    _, task = await held(world)
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await task
    assert world.outcomes == [("refused", "NO")]
    assert world.desk.consumed_by == []


async def test_rules_that_never_rest_release_nothing() -> None:
    """A bound on trying; the approval stays for when they have settled."""
    canonical = Canonical((replace(REFUND.actions[0], witness=READ),), "stripe", "stripe")
    world = FakeWorld(canonical, asking("{witness: required}"))
    world.upstream.states = [b'{"amount": 1}'] * 9
    _, task = await held(world)
    send, count = world.upstream.send, 0

    async def send_and_change(*arguments: Any) -> Sent:
        nonlocal count
        count += 1
        world.swap(bundle(asking(f"{{witness: required, timeout: {count}m}}")))
        return await send(*arguments)

    world.upstream.send = send_and_change  # type: ignore[method-assign]
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await task
    assert world.outcomes == [("refused", "APPROVAL_UNAVAILABLE")]
    assert (world.desk.consumed_by, world.desk.voids) == ([], [])


async def test_a_stop_leaves_the_approval_also_where_rules_change() -> None:
    """A stop ends nothing for good; the rules are asked once it is lifted."""
    world = FakeWorld(REFUND, ASK)
    _, task = await held(world)
    world.swap(bundle(BLOCK))
    world.stops.stop = Stop("stop-1", StopScope.AGENT, "agent", "it runs wild", "ada", 0)
    world.pipeline.obey_stops()
    await task
    assert world.outcomes == [("refused", "KILL_SWITCH")]
    assert world.desk.voids == []


# --- limits ---------------------------------------------------------------------------------------

BUDGET = "{id: budget, per: agent, window: 1d, max: 3, message: three}"
LARGER = "{id: budget, per: agent, window: 1d, max: 4, message: four}"
NARROW = "{id: budget, per: agent, window: 1d, max: 0, message: none}"
OTHER = "{id: other, per: agent, window: 1d, max: 3}"

LIMITS = {
    "the same": (bundle(asking("{quorum: 1}"), BUDGET), 1, 0),
    "a larger one": (bundle(ASK, LARGER), 1, 0),
    "one that is exceeded": (bundle(ASK, NARROW), 0, 0),
    "another one": (bundle(ASK, OTHER), 0, 1),
    "none any more": (bundle(ASK), 0, 0),
    "none, and nobody is asked": (bundle("- {id: all, priority: 1, effect: ALLOW}"), 0, 0),
    "the same, and nobody is asked": (
        bundle("- {id: all, priority: 1, effect: ALLOW}", BUDGET), 1, 0,
    ),
    "the same, and a rule blocks": (bundle(BLOCK, BUDGET), 0, 0),
}  # fmt: skip


@pytest.mark.parametrize(("now", "budget", "other"), LIMITS.values(), ids=LIMITS.keys())
@pytest.mark.parametrize("count", [1, 2])
async def test_a_share_is_taken_once_by_the_limits_of_now(
    now: Bundle, budget: int, other: int, count: int
) -> None:
    """Held under a limit, released under others: what was taken is exchanged, never doubled and
    never lost; also where several requests of one action wait."""
    world = limited(BUDGET, rules=ASK)
    tasks = [(await held(world))[1] for _ in range(count)]
    assert await used(world) == 1
    world.swap(now)
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await asyncio.gather(*tasks)
    assert await used(world) == budget
    assert await used(world, limit="p/other") == other
    assert world.events.count("send") <= 1


async def test_counters_that_are_gone_refuse_and_leave_the_approval() -> None:
    """Nobody knows what is left of the new limit."""
    world = limited(BUDGET, rules=ASK)
    channel, task = await held(world)
    world.swap(bundle(ASK, OTHER))

    async def fail(*_: object) -> None:
        raise LimitError("limit.unavailable", "the counters are gone")

    world.limits.reserve = fail  # type: ignore[method-assign,assignment]
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await task
    assert "LIMIT_STORE_UNAVAILABLE" in told(channel)
    assert (world.desk.voids, world.upstream.permits) == ([], [])


async def test_who_joins_a_question_is_counted_by_a_limit_that_came_since() -> None:
    """The same action sent again under one limit more takes of that one too, before it is sent."""
    world = limited(BUDGET, rules=ASK, hold_settings=HoldSettings(hold_seconds_max=0.0))
    assert "approval apr-1" in told(await govern(world))
    world.swap(bundle(ASK, f"{BUDGET}\n    - {OTHER}"))
    assert "approval apr-1" in told(await govern(world))
    assert await used(world, limit="p/other") == 1
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    assert (await govern(world)).end == "finished"
    assert await used(world, limit="p/other") == 1
