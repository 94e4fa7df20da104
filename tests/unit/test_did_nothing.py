"""Whose refusal is believed: what certainly has not happened is given back to a budget."""

from __future__ import annotations

import pytest

from gateway.journey.reservations import did_nothing
from gateway.model.action import UNKNOWN_OPERATION, Canonical
from gateway.model.record import Outcome
from gateway.ports import Sent
from tests.support.policy_world import act

KINDS = {
    "create": True,
    "update": True,
    "delete": True,
    "send": True,
    "admin": True,
    # Somebody's own code runs behind these, perhaps the agent's: it can do it, and say 404.
    "execute": False,
    "unknown": False,
}


@pytest.mark.parametrize(("kind", "believed"), KINDS.items(), ids=KINDS)
@pytest.mark.parametrize("status", [400, 404, 429])
def test_a_refusal_is_believed_where_a_provider_makes_it(
    kind: str, believed: bool, status: int
) -> None:
    """Of a single act of a known operation, whose refusals are the provider's own."""
    refused = Sent(Outcome.EXECUTED, status, began=True)
    one = Canonical((act("do", kind),), "p", "problem")
    assert did_nothing(refused, one) is believed
    assert not did_nothing(refused, Canonical((act("do", kind),) * 2, "p", "problem"))
    nameless = act("do", kind, operation=UNKNOWN_OPERATION)
    assert not did_nothing(refused, Canonical((nameless,), "p", "problem"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_sent_did_nothing(kind: str) -> None:
    """Whatever it was."""
    canonical = Canonical((act("do", kind),) * 2, "p", "problem")
    assert did_nothing(Sent(Outcome.NOT_SENT, None, began=False), canonical)
    assert not did_nothing(Sent(Outcome.UNKNOWN, 404, began=True), canonical)
