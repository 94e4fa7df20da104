"""An approval lets through what it was asked for, on terms that are at least as strict as the
rules want them now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.enforce.hold import HoldSettings
from gateway.model.action import Canonical, WitnessRead
from gateway.model.approval import Approval, ApprovalEvent, ApprovalState
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.policy_world import act, bundle_of, policy_text

REFUND = Canonical((act("create_refund"),), "stripe", "stripe")
READ = WitnessRead("GET /v1/charges/{target.id}", ("amount",))
WITNESSED = Canonical((replace(act("create_refund"), witness=READ),), "stripe", "stripe")

ANYBODY = "{quorum: 1}"
TWO = "{quorum: 2}"
FINANCE = "{groups: [finance]}"
EITHER = "{groups: [finance, security]}"
FINANCE_TWO = "{groups: [finance], quorum: 2}"

IN_WORDS = "{comment: required}"
LED = "{groups: [finance], escalate: {after: 5m, groups: [leads]}}"
LED_LATER = "{groups: [finance], escalate: {after: 10m, groups: [leads]}}"
OWNED = "{requester: owner}"

JOINS = {
    "no words are wanted now": (IN_WORDS, ANYBODY, True),
    "words are wanted now": (ANYBODY, IN_WORDS, False),
    "others are asked later too": (FINANCE, LED, True),
    "others are asked no more": (LED, FINANCE, False),
    "others are asked later than before": (LED, LED_LATER, False),
    "who asks through the agent may not approve now": (ANYBODY, OWNED, False),
    "the same terms": (FINANCE, FINANCE, True),
    "fewer people are wanted now": (TWO, ANYBODY, True),
    "anybody may answer now": (FINANCE, ANYBODY, True),
    "more groups may answer now": (FINANCE, EITHER, True),
    "more people are wanted now": (ANYBODY, TWO, False),
    "only a group may answer now": (ANYBODY, FINANCE, False),
    "fewer groups may answer now": (EITHER, FINANCE, False),
    "more people of the group are wanted now": (FINANCE, FINANCE_TWO, False),
    "a group instead of a quorum": (TWO, FINANCE, False),
}


def rules(terms: str) -> str:
    return f"- {{id: ask, priority: 1, effect: REQUIRE_APPROVAL, approval: {terms}}}"


@pytest.mark.parametrize("row", JOINS.values(), ids=JOINS.keys())
async def test_who_joins_an_approval_of_weaker_terms_asks_anew(row: tuple[str, str, bool]) -> None:
    """Approved by one person under yesterday's rules; today's want two. What was asked on weaker
    terms is void, and nothing is sent."""
    then, now, passes = row
    world = FakeWorld(REFUND, rules(then), hold_settings=HoldSettings(hold_seconds_max=0.0))
    assert "approval apr-1" in told(await govern(world))
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    world.swap(bundle_of(policy_text(rules(now))))
    channel = await govern(world)
    assert (channel.end == "finished") is passes
    if passes:
        assert world.outcomes[-1] == ("executed", None)
        return
    assert world.outcomes[-1] == ("refused", "APPROVAL_TERMS_CHANGED")
    assert "send the request again to ask anew" in told(channel)
    assert world.upstream.permits == []
    assert (await world.desk.wait("apr-1", 0)).state is ApprovalState.CANCELLED
    assert "approval apr-2" in told(await govern(world))


async def test_an_agent_that_leaves_while_the_world_is_looked_at_uses_nothing() -> None:
    """Nobody would read the answer, so the approval stays for the same action sent again."""
    world = FakeWorld(WITNESSED, rules("{witness: required}"))
    world.upstream.states = [b'{"amount": 100}'] * 2
    channel = FakeChannel()

    def answer(approval: Approval) -> None:
        world.desk.on_wait = lambda: world.desk.answer(
            approval.approval_id, ApprovalEvent.APPROVE, "ada"
        )

    world.desk.on_ask = answer
    world.upstream.on_last_look = channel.go
    await govern(world, channel)
    assert world.outcomes == [("not_sent", "agent_gone")]
    assert world.desk.consumed_by == []
