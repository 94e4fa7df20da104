"""Rules and limits that change at random while requests wait: what counts in the end is what was
sent, under the limits that it was sent by, once each."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from gateway.enforce.hold import HoldSettings
from gateway.model.approval import ApprovalEvent, ApprovalState
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern
from tests.support.limited_world import CHARGE, used
from tests.support.policy_world import bundle_of, policy_text

RULES = (
    "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL}",
    "- {id: ask, priority: 2, effect: REQUIRE_APPROVAL, approval: {quorum: 1}}",
    "- {id: two, priority: 1, effect: REQUIRE_APPROVAL, approval: {quorum: 2}}",
    "- {id: all, priority: 1, effect: ALLOW}",
    "- {id: none, priority: 1, effect: BLOCK}",
)
A = (
    "{id: a, per: agent, window: 1d, max: 100}",
    "{id: a, per: agent, window: 1d, max: 3, message: three}",
)
B = (
    "{id: b, per: agent, window: 1d, max: 100}",
    "{id: b, per: agent, window: 1d, max: 2, effect: REQUIRE_APPROVAL}",
)


def rules_of(dice: random.Random) -> str:
    """Other rules, other maxima, and sometimes one limit less."""
    text = policy_text(dice.choices(RULES, (5, 3, 1, 1, 1))[0])
    limits = [dice.choice(A), dice.choice(B)][: dice.choice((2, 2, 1))]
    return f"{text}  limits:\n" + "".join(f"    - {limit}\n" for limit in limits)


async def settle(dice: random.Random) -> None:
    for _ in range(dice.choice((0, 1, 5, 50))):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(30))
async def test_what_counts_is_what_was_sent(seed: int) -> None:
    """Many requests, of which some are equal; answers, new rules and looks at them in any order."""
    dice = random.Random(seed)
    world = FakeWorld(CHARGE, RULES[0], hold_settings=HoldSettings(hold_seconds_max=1e6))
    world.swap(bundle_of(rules_of(dice)))
    tasks: list[asyncio.Task[FakeChannel]] = []
    for _ in range(60):
        match dice.randrange(4):
            case 0:
                body = b"%d" % dice.randrange(4)
                tasks.append(asyncio.create_task(govern(world, body=body)))
            case 1:
                world.swap(bundle_of(rules_of(dice)))
                if dice.random() < 0.7:
                    world.pipeline.obey_rules()
            case 2:
                answer_one(world, dice)
            case _:
                await settle(dice)
    async with asyncio.timeout(10):
        while any(not task.done() for task in tasks):
            answer_one(world, dice)
            await asyncio.sleep(0)

    sent: Counter[str] = Counter()
    for entry in world.decisions:
        if entry.sends:
            sent.update(claim.limit for claim in entry.decision.claims)
    # Whoever was woken by rules that were gone when it looked has left its question behind, and
    # what it holds lapses with that.
    left = [code for _, code in world.outcomes if code == "APPROVAL_PENDING"]
    for limit in ("p/a", "p/b"):
        assert 0 <= await used(world, limit=limit) - sent[limit] <= len(left), limit
    assert world.events.count("send") == sum(entry.sends for entry in world.decisions)
    approvals = [entry.approval for entry in world.decisions if entry.sends and entry.approval]
    assert len({approval.approval_id for approval in approvals}) == len(approvals)


def answer_one(world: FakeWorld, dice: random.Random) -> None:
    """Be a person: answer one of the open questions."""
    open_ones = [
        approval
        for approval in world.desk._approvals.values()
        if approval.state is ApprovalState.PENDING
    ]
    if open_ones:
        event = dice.choice((ApprovalEvent.APPROVE, ApprovalEvent.APPROVE, ApprovalEvent.REJECT))
        world.desk.answer(dice.choice(open_ones).approval_id, event, "ada")
