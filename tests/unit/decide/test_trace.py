"""Explanations: why a rule decided, why another did not, and that both agree with the engine."""

from __future__ import annotations

from gateway.decide.rules.trace import Finding, trace
from gateway.model.effect import Effect, Mode
from tests.support.policy_world import act, bundle_of, policy_text, who

RULES = """
- {id: off, priority: 1, effect: BLOCK, enabled: false}
- {id: other, priority: 2, effect: BLOCK, match: {kind: read}}
- {id: not-me, priority: 2, effect: BLOCK, match: {agent: x}}
- {id: label, priority: 2, effect: BLOCK, match: {labels: {team: x}}}
- {id: fixed, priority: 2, effect: BLOCK, match: {reversible: false}}
- {id: small, priority: 3, effect: ALLOW, when: params.amount < 5}
- {id: unsure, priority: 4, effect: ALLOW, when: params.nope < 5}
- {id: ask, priority: 5, effect: REQUIRE_APPROVAL, when: params.nope < 5}
- {id: late, priority: 6, effect: BLOCK, when: risk.score > 0}
- {id: also, priority: 7, effect: ALLOW, match: {target.id: "*"}}
"""


def test_every_rule_is_explained() -> None:
    """In deciding order, each with what came of it."""
    bundle = bundle_of(policy_text(RULES), policy_text("", name="q", scope="x"))
    action = act(params={"amount": 9})
    first, second = trace(bundle.policies, action, who())
    assert [(each.rule, each.finding, each.field) for each in first.rules] == [
        ("off", Finding.DISABLED, None),
        ("fixed", Finding.NO_MATCH, "reversible"),
        ("label", Finding.NO_MATCH, "labels.team"),
        ("not-me", Finding.NO_MATCH, "agent"),
        ("other", Finding.NO_MATCH, "kind"),
        ("small", Finding.CONDITION_FALSE, None),
        ("unsure", Finding.CONDITION_UNRESOLVED, "params.nope"),
        ("ask", Finding.DECIDES, "params.nope"),
        ("late", Finding.OUTRANKED, None),
        ("also", Finding.OUTRANKED, None),
    ]
    assert (first.applies, first.decided_by, first.effect) == (True, "ask", Effect.REQUIRE_APPROVAL)
    assert (second.applies, second.decided_by, second.rules) == (False, None, ())
    decision = bundle.decide((action,), who(), Mode.ENFORCE)
    assert (decision.rule, decision.unresolved) == ("ask", "params.nope")


def test_nothing_matched_is_explained() -> None:
    """The default decides, and every rule says what kept it out."""
    rules = "- {id: a, priority: 1, effect: ALLOW, match: {target.id: b}}"
    action = act(target=("x", ""), missing=("target.id",))
    bundle = bundle_of(policy_text(rules))
    (found,) = trace(bundle.policies, action, who())
    assert (found.decided_by, found.effect) == (None, Effect.BLOCK)
    assert [(each.finding, each.field) for each in found.rules] == [
        (Finding.CONDITION_UNRESOLVED, "target.id")
    ]
    constant = bundle_of(policy_text("- {id: a, priority: 1, effect: BLOCK, when: 1 / 0 == 1}"))
    (found,) = trace(constant.policies, action, who())
    assert found.rules[0].field == "the condition"
