"""What the lint says never happens, never happens: over thousands of policies and actions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.authoring.policies.lint.rules import Finding, lint
from gateway.decide.bundle import Bundle
from gateway.decide.rules.policy import Policy, Rule
from gateway.model.action import Action
from gateway.model.decision import Context
from gateway.model.effect import Mode
from tests.support.policy_dice import a_context, a_policy, an_action
from tests.support.policy_world import policies_of, policy_text

POLICIES = 150
ACTIONS_A_POLICY = 50


def without(policy: Policy, rule: str) -> Bundle:
    rules = tuple(each for each in policy.rules if each.id != rule)
    return Bundle.of([replace(policy, rules=rules)])


def truth(rule: Rule, action: Action, context: Context, bundle: Bundle) -> object:
    """What the condition of a rule alone says, decided by the engine."""
    assert rule.condition is not None
    rule_id = f"- {{id: c, priority: 1, effect: ALLOW, when: '{_quoted(rule)}'}}"
    negated = f"- {{id: c, priority: 1, effect: ALLOW, when: '!({_quoted(rule)})'}}"
    answers = []
    for text in (rule_id, negated):
        (policy,) = policies_of(policy_text(text))
        decision = Bundle.of([policy]).decide((action,), context, Mode.ENFORCE)
        answers.append(decision.rule == "c")
    return True if answers[0] else False if answers[1] else None


def _quoted(rule: Rule) -> str:
    assert rule.condition is not None
    return rule.condition.text.replace("'", "''")


NEVER_DECIDES = {Finding.UNREACHABLE, Finding.CONTRADICTION, Finding.NEVER_MATCHES}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_called_unreachable_never_decides(seed: int) -> None:
    """Nor is what is called redundant missed, nor does a constant condition change its mind."""
    dice = random.Random(seed)
    counts: Counter[Finding] = Counter()
    for _ in range(POLICIES):
        policy = a_policy(dice)
        bundle = Bundle.of([policy])
        warnings = lint([policy])
        counts.update(warning.finding for warning in warnings)
        dead = {each.rule for each in warnings if each.finding in NEVER_DECIDES}
        spare = {
            each.rule: without(policy, each.rule or "")
            for each in warnings
            if each.finding is Finding.REDUNDANT
        }
        constant = [
            (next(rule for rule in policy.rules if rule.id == each.rule), each.finding)
            for each in warnings
            if each.finding in (Finding.NEVER_TRUE, Finding.ALWAYS_TRUE)
        ]
        for number in range(ACTIONS_A_POLICY):
            action, context = an_action(dice), a_context(dice)
            decision = bundle.decide((action,), context, Mode.ENFORCE)
            assert decision.rule not in dead, (policy, action, decision.rule)
            for rule, other in spare.items():
                assert other.decide((action,), context, Mode.ENFORCE).effect is decision.effect, (
                    rule
                )
            for rule, finding in constant if number < 10 else ():
                forbidden = finding is Finding.NEVER_TRUE
                assert truth(rule, action, context, bundle) is not forbidden, rule.condition
    # The test would be empty if nothing were ever found.
    assert min(counts[finding] for finding in NEVER_DECIDES) >= 5, counts
    assert counts[Finding.REDUNDANT] >= 5
    assert counts[Finding.NEVER_TRUE] + counts[Finding.ALWAYS_TRUE] >= 5


def test_each_name_that_is_called_shadowed_never_decides() -> None:
    """A part of a rule's list that never gets as far."""
    dice = random.Random(99)
    seen = 0
    for _ in range(POLICIES):
        policy = a_policy(dice)
        bundle = Bundle.of([policy])
        shadowed: Sequence[tuple[str | None, str]] = [
            (each.rule, each.message.split("`")[3])
            for each in lint([policy])
            if each.finding is Finding.SHADOWED
        ]
        seen += len(shadowed)
        for _ in range(ACTIONS_A_POLICY if shadowed else 0):
            action, context = an_action(dice), a_context(dice)
            decision = bundle.decide((action,), context, Mode.ENFORCE)
            for rule, name in shadowed:
                assert decision.rule != rule or name not in (action.action, action.kind.value)
    assert seen >= 5
