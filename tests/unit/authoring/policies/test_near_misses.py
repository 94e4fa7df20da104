"""Near misses: the rules that did not decide, the one that lacked least first."""

from __future__ import annotations

import pytest

from gateway.authoring.policies.near_misses import near_misses
from gateway.decide.rules.trace import trace
from gateway.model.action import Action
from gateway.model.decision import Context
from tests.support.policy_world import act, bundle_of, policy_text, who

NOBODY = who()

# The match and condition of a rule; what is asked; how many of its parts fit, of how many.
ROWS: dict[str, tuple[str, Action, Context, tuple[int, int]]] = {
    "one field of two": ("match: {kind: read, provider: s}", act(), NOBODY, (0, 2)),
    "a label that the agent has not": ("match: {labels: {team: '*'}}", act(), NOBODY, (0, 1)),
    "a label of another value": (
        "match: {labels: {team: pay}, kind: create}", act(), who(labels={"team": "x"}), (1, 2),
    ),
    "what can be undone": ("match: {reversible: false, kind: create}", act(), NOBODY, (1, 2)),
    "a condition that is false": (
        "match: {kind: create}, when: params.n > 5", act(params={"n": 1}), NOBODY, (1, 2),
    ),
    "a condition that can't be evaluated": (
        "match: {kind: create}, when: params.n > 5", act(), NOBODY, (1, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "action", "context", "fits"), ROWS.values(), ids=ROWS)
def test_how_much_of_a_rule_fits(
    rule: str, action: Action, context: Context, fits: tuple[int, int]
) -> None:
    """Each field of a match counts, and the condition, as the engine reads them."""
    bundle = bundle_of(policy_text(f"- {{id: r, priority: 1, effect: ALLOW, {rule}}}"))
    (one,) = trace(bundle.policies, action, context, bundle.risks)

    (miss,) = near_misses(bundle, one, action, context)

    assert (miss.fitting, miss.asked) == fits
