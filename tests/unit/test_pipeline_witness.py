"""What needs a witness is sent only while the world is as the person saw it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.enforce.hold import HoldSettings
from gateway.model.action import Canonical, WitnessRead
from gateway.model.approval import Approval, ApprovalEvent, ApprovalState
from gateway.model.record import GatewayEntry, Outcome, OutcomeEntry
from gateway.ports import Sent
from gateway.record.line import fields_of
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.policy_world import act, bundle_of, policy_text

READ = WitnessRead("GET /v1/charges/{target.id}", ("amount", "refunded"))
REFUND = Canonical((replace(act("create_refund"), witness=READ),), "stripe", "stripe")
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL, approval: {witness: required}}"

UNPAID = b'{"amount": 100, "refunded": 0}'
PAID = b'{"amount": 100, "refunded": 100}'


def a_world(
    *states: bytes | Sent, canonical: Canonical = REFUND, seconds: float = 5.0
) -> FakeWorld:
    """A world whose target is in these states, one for each time that it is looked at."""
    world = FakeWorld(canonical, ASK, hold_settings=HoldSettings(hold_seconds_max=seconds))
    world.upstream.states = list(states)
    return world


def answered(world: FakeWorld) -> None:
    """Let a person approve while the agent waits."""

    def answer(approval: Approval) -> None:
        if approval.state is ApprovalState.PENDING:
            world.desk.on_wait = lambda: world.desk.answer(
                approval.approval_id, ApprovalEvent.APPROVE, "ada"
            )

    world.desk.on_ask = answer


async def test_an_unchanged_world_lets_the_act_through() -> None:
    """Looked at before the person is asked, and again before it is sent; both are recorded."""
    world = a_world(UNPAID, UNPAID)
    answered(world)
    assert (await govern(world)).end == "finished"
    assert world.outcomes == [("executed", None)]
    assert world.events == [
        "decision durably", "gateway", "send", "ask", "wait", "gateway", "send", "consume",
        "intent durably", "send", "outcome",
    ]  # fmt: skip
    (ask,) = world.desk.asks
    assert ask.witness is not None
    assert ask.witness.state == {"amount": 100, "refunded": 0}
    looks = [entry for entry in world.records.entries if isinstance(entry, GatewayEntry)]
    assert [(look.event, look.detail) for look in looks] == [("witness_read", "dec-1")] * 2
    assert [permit.approval_id for permit in world.upstream.permits] == [None, None, "apr-1"]


async def test_a_changed_world_voids_the_approval() -> None:
    """Approved, and then the charge was refunded by somebody: nothing is sent, and the approval is
    over for good."""
    world = a_world(UNPAID, PAID)
    answered(world)
    channel = await govern(world)
    assert "has changed since a person was asked" in told(channel)
    assert world.outcomes == [("refused", "WITNESS_HASH_MISMATCH")]
    assert world.desk.consumed_by == []
    assert len(world.upstream.permits) == 2
    world.desk.on_wait = None
    assert (await world.desk.wait("apr-1", 0)).state is ApprovalState.CANCELLED
    ((_, why, found),) = world.desk.voids
    assert found is not None
    assert (why, found.state) == ("WITNESS_HASH_MISMATCH", {"amount": 100, "refunded": 100})


async def test_the_record_of_a_changed_world_names_both_states() -> None:
    """The approval, the digest that people saw and the one that was found."""
    world = a_world(UNPAID, PAID)
    answered(world)
    await govern(world)
    outcome = world.records.entries[-1]
    assert isinstance(outcome, OutcomeEntry)
    line: Any = fields_of(outcome)
    asked, found = world.desk.asks[0].witness, world.desk.voids[0][2]
    assert asked is not None
    assert found is not None
    assert line["approval"]["id"] == "apr-1"
    assert line["code"] == "WITNESS_HASH_MISMATCH"
    assert line["witness"] == {"asked": asked.digest, "found": found.digest}
    assert asked.digest != found.digest


async def test_who_joins_a_question_of_another_world_is_refused() -> None:
    """The person sees the old state: whatever they answer, it is not about this one."""
    world = a_world(UNPAID, PAID, PAID, seconds=0.0)
    assert "waiting for a person" in told(await govern(world))
    assert "has changed" in told(await govern(world))
    assert "approval apr-2" in told(await govern(world))
    states = [(await world.desk.wait(f"apr-{number}", 0)).state for number in (1, 2)]
    assert states == [ApprovalState.CANCELLED, ApprovalState.PENDING]


UNREAD = {
    "not found at first": (Sent(Outcome.NOT_SENT, None, began=False, code="x"),),
    "unreadable at first": (b"<html>",),
    "cut at first": (Sent(Outcome.UNKNOWN, 200, began=True, code="x"),),
    "unreadable at release": (UNPAID, b"<html>"),
    "gone at release": (UNPAID, Sent(Outcome.NOT_SENT, None, began=False, code="x")),
}


@pytest.mark.parametrize("states", UNREAD.values(), ids=UNREAD.keys())
async def test_a_world_that_can_not_be_seen_lets_nothing_through(
    states: tuple[bytes | Sent, ...],
) -> None:
    """No state, no release. The approval stays, for when it can be seen again."""
    world = a_world(*states)
    answered(world)
    channel = await govern(world)
    assert world.outcomes == [("refused", "WITNESS_UNAVAILABLE")]
    assert "WITNESS_UNAVAILABLE" in told(channel)
    assert world.desk.consumed_by == []
    assert len(world.desk.asks) == len(states) - 1


async def test_a_rule_that_wants_a_witness_where_none_is_declared() -> None:
    """The rule promises what nobody can keep for this action, so it is refused and says so."""
    world = a_world(canonical=Canonical((act("create_refund"),), "stripe", "stripe"))
    answered(world)
    assert "no mapper says" in told(await govern(world))
    assert world.upstream.permits == []
    assert world.desk.asks == []


NO_READS = {
    "an act": Canonical((act("delete_charge", "delete"),), "stripe", "stripe"),
    "nobody knows": Canonical((act("something", "unknown"),), "stripe", "stripe"),
    "a read and an act": Canonical((act("a", "read"), act("b", "update")), "stripe", "stripe"),
    "nothing": Canonical((), "stripe", "stripe"),
    "two readings": Canonical((), "stripe", "stripe", "ambiguous_path", "twice"),
}


@pytest.mark.parametrize("look", NO_READS.values(), ids=NO_READS.keys())
async def test_what_no_mapper_knows_as_a_read_is_not_sent_to_look(look: Canonical) -> None:
    """A mapper that names an act by mistake does nothing at all."""
    world = a_world(UNPAID)
    world.canonicalizer.look = look
    answered(world)
    assert "no mapper knows as a read" in told(await govern(world))
    assert (world.upstream.permits, world.desk.asks) == ([], [])


async def test_a_giant_state_is_no_state() -> None:
    """What is longer than any object of an API is not kept in memory."""
    world = a_world(b'{"amount": 1, "x": "' + b"x" * 2_000_000 + b'"}')
    await govern(world)
    assert world.outcomes == [("refused", "WITNESS_UNAVAILABLE")]


async def test_without_the_term_nobody_looks() -> None:
    """A declared witness is read where a rule requires it."""
    world = a_world()
    world.swap(bundle_of(policy_text("- {id: ask, priority: 1, effect: REQUIRE_APPROVAL}")))
    answered(world)
    assert (await govern(world)).end == "finished"
    assert len(world.upstream.permits) == 1
