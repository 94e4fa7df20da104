"""Explanations: why a rule decided, why another did not, and that both agree with the engine."""

from __future__ import annotations

from gateway.decide.assessment import Assessment
from gateway.decide.rules.index import mismatch_dynamic, mismatches
from gateway.decide.rules.trace import Finding, trace
from gateway.model.decision import Risk
from gateway.model.effect import Effect, Mode
from tests.support.policy_world import act, bundle_of, policy_text, scored, who

ORGANISATION = """
apiVersion: checkrein/v1
kind: Organisation
metadata: {name: o}
spec:
  targetLabels: [{label: prod, match: {target.id: prod-*}}]
"""

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


def test_details_say_what_there_was_instead() -> None:
    """What a field is, what the rule wants, and which part of a condition is false."""
    rules = """
    - {id: a, priority: 1, effect: BLOCK, match: {kind: [read, delete]}}
    - {id: b, priority: 2, effect: BLOCK, match: {agent: [a, b, c, d, e, f, g]}}
    - {id: c, priority: 3, effect: BLOCK, match: {labels: {team: pay*}}}
    - {id: d, priority: 4, effect: BLOCK, match: {reversible: false}}
    - {id: e, priority: 5, effect: BLOCK, when: "params.n == 9 && params.n > 5 && params.n < 9"}
    - {id: f, priority: 6, effect: BLOCK, when: params.n == 9 && params.nope && params.n > 9}
    - {id: g, priority: 7, effect: BLOCK, when: params.n < 5 || params.n > 10}
    - {id: h, priority: 8, effect: BLOCK, match: {run: r*}}
    - {id: i, priority: 9, effect: BLOCK, match: {target.label: prod}}
    - {id: j, priority: 9, effect: BLOCK, when: "[params.n] == [9] ? false : true"}
    """
    bundle = bundle_of(ORGANISATION, policy_text(rules))
    (found,) = trace(bundle.policies, act(params={"n": 9}), who(labels={"team": "x" * 200}))
    assert {each.rule: each.detail for each in found.rules} == {
        "a": "it is `create`, and the rule is about `delete` or `read`",
        "b": "it is `agent`, and the rule is about `a` or `b` or `c` or `d` or `e` or 2 more",
        "c": f"it is `{'x' * 80}`, and the rule is about `pay*`",
        "d": "it is true",
        "e": "params.n < 9",
        "f": "params.n > 9",
        "g": "params.n < 5 || params.n > 10",
        "h": "it is nothing, and the rule is about `r*`",
        "i": "it is nothing, and the rule is about `prod`",
        "j": "[params.n] == [9] ? false : true",
    }
    assert found.decided_by is None


def test_a_label_that_fits_is_no_obstacle() -> None:
    """The target's labels are the organisation's, as the engine has them."""
    rules = "- {id: a, priority: 1, effect: ALLOW, match: {target.label: prod}}"
    bundle = bundle_of(ORGANISATION, policy_text(rules))
    action = act(target=("charge", "prod-1"))
    assessed = Assessment(Risk(0, (), ""), ("prod",))
    (rule,) = bundle.policies[0].rules
    assert mismatch_dynamic(rule, action, who(), assessed) is None
    assert mismatch_dynamic(rule, action, who(), scored(0)) == "target.label"


def test_all_that_keeps_a_rule_is_named_in_order() -> None:
    """What is the same for every call of an operation first; and where the rule stands."""
    match = (
        "{kind: read, provider: x, agent: me, target.id: ch_1, reversible: false, labels: {t: a}}"
    )
    text = policy_text(f"- {{id: a, priority: 1, effect: ALLOW, match: {match}}}")
    (rule,) = bundle_of(text).policies[0].rules
    found = mismatches(rule, act(), who(), scored(0))
    assert found == ("provider", "kind", "reversible", "agent", "labels.t")
    assert str(rule.place) == "0.yaml:8:7"


def test_every_label_of_the_agent_counts() -> None:
    """The first that does not fit is named, behind those that do."""
    rules = "- {id: a, priority: 1, effect: ALLOW, match: {labels: {owner: ann, team: pay*}}}"
    bundle = bundle_of(policy_text(rules))
    (found,) = trace(bundle.policies, act(), who(labels={"owner": "ann", "team": "x"}))
    assert [(each.finding, each.field) for each in found.rules] == [
        (Finding.NO_MATCH, "labels.team")
    ]
    (found,) = trace(bundle.policies, act(), who(labels={"owner": "ann", "team": "payments"}))
    assert found.decided_by == "a"


def test_monitor_mode_is_explained() -> None:
    """Watched rules, and policies that are only shadows."""
    rules = """
    - {id: a, priority: 1, effect: BLOCK, mode: monitor}
    - {id: b, priority: 2, effect: ALLOW}
    - {id: c, priority: 3, effect: BLOCK, mode: monitor}
    """
    shadow = policy_text("", name="q", mode="monitor")
    bundle = bundle_of(policy_text(rules), shadow)
    first, second = trace(bundle.policies, act(), who())
    assert [each.finding for each in first.rules] == [
        Finding.WATCHED, Finding.DECIDES, Finding.OUTRANKED,
    ]  # fmt: skip
    assert (first.effect, first.decided_by, first.is_shadow) == (Effect.ALLOW, "b", False)
    assert (second.effect, second.mode, second.is_shadow) == (Effect.BLOCK, Mode.MONITOR, True)
    (alone,) = trace(bundle_of(shadow).policies, act(), who())
    assert (alone.mode, alone.is_shadow) == (Mode.MONITOR, False)


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
