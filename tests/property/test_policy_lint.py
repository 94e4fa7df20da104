"""What the lint says never happens, never happens: over thousands of policies and actions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.authoring.lint import Finding, lint
from gateway.decide.bundle import Bundle
from gateway.decide.rules.policy import Policy, Rule
from gateway.model.action import Action, Kind, Target
from gateway.model.decision import Context
from gateway.model.effect import Mode
from tests.support.policy_world import policies_of, policy_text

ACTIONS = ("create_refund", "create_charge", "delete_bucket", "get_charge")
KINDS = ("read", "create", "delete", "send")
PROVIDERS = ("stripe", "aws", "paypal")
EFFECTS = ("ALLOW", "BLOCK", "REQUIRE_APPROVAL")
GLOBS = ("create_*", "*_charge", "*", "get_*", "*re*", "delete_b*", "create_re*")
NUMBERS = (0, 3, 5, 7, 100)
TEXTS = ("usd", "eur", "a", "us", "")
PARAMS = ("amount", "currency", "note")
POLICIES = 250
ACTIONS_A_POLICY = 60

Dice = random.Random


def an_atom(dice: Dice) -> str:
    path = f"params.{dice.choice(PARAMS)}"
    number, text = dice.choice(NUMBERS), dice.choice(TEXTS)
    return dice.choice(
        (
            f"{path} {dice.choice(('<', '<=', '>', '>=', '==', '!='))} {number}",
            f"{number} {dice.choice(('<', '<=', '>', '>='))} {path}",
            f'{path} {dice.choice(("==", "!=", "<", ">"))} "{text}"',
            f'{path} in ["{text}", {number}, "{dice.choice(TEXTS)}"]',
            f"{path} == null",
            f"{path} == {dice.choice(('true', 'false'))}",
            f'{path}.startsWith("{text}")',
            f'{path}.endsWith("{text}")',
            f'{path}.contains("{text}")',
            f"has({path})",
            f'kind == "{dice.choice(KINDS)}"',
            f'action {dice.choice(("==", "!="))} "{dice.choice(ACTIONS)}"',
            f'action in ["{dice.choice(ACTIONS)}", "{dice.choice(ACTIONS)}"]',
            f"risk.score {dice.choice(('<', '>='))} {dice.choice((0, 20, 101))}",
            "reversible",
            f'agent.labels.team == "{dice.choice(("pay", "ops"))}"',
            "run == null",
            f"params.amount + 1 > {number}",
            f"size({path}) > {number}",
            f'params.list.exists(x, x == "{text}")',
            'target.id == "i1"',
        )
    )  # fmt: skip


def a_condition(dice: Dice, depth: int = 2) -> str:
    shape = dice.random()
    if depth == 0 or shape < 0.35:
        return an_atom(dice)
    if shape < 0.45:
        return f"!({a_condition(dice, depth - 1)})"
    if shape < 0.5:
        parts = (a_condition(dice, depth - 1) for _ in range(3))
        return "({} ? {} : {})".format(*parts)
    joint = dice.choice((" && ", " || "))
    return f"({joint.join(a_condition(dice, depth - 1) for _ in range(dice.choice((2, 2, 3))))})"


def a_match(dice: Dice) -> str:
    fields = []
    if dice.random() < 0.5:
        fields.append(f"action: [{', '.join(dice.sample(ACTIONS, dice.choice((1, 1, 2))))}]")
    elif dice.random() < 0.4:
        fields.append(f'action: "{dice.choice(GLOBS)}"')
    if dice.random() < 0.4:
        fields.append(f"kind: [{', '.join(dice.sample(KINDS, dice.choice((1, 2))))}]")
    if dice.random() < 0.2:
        fields.append(f"provider: {dice.choice(PROVIDERS)}")
    if dice.random() < 0.15:
        fields.append(f'target.id: "{dice.choice(("i1", "i*", "*"))}"')
    if dice.random() < 0.1:
        fields.append(f'agent: "{dice.choice(("bot", "b*"))}"')
    if dice.random() < 0.1:
        fields.append(f"labels: {{team: {dice.choice(('pay', 'ops'))}}}")
    if dice.random() < 0.1:
        fields.append(f"reversible: {dice.choice(('true', 'false'))}")
    if dice.random() < 0.05:
        fields.append(f'run: "{dice.choice(("r1", "*"))}"')
    if dice.random() < 0.05:
        fields.append(f'sensitive: "{dice.choice(("credentials", "*"))}"')
    return f"match: {{{', '.join(fields)}}}" if fields else ""


def a_policy(dice: Dice) -> Policy:
    rules = []
    conditions = [a_condition(dice) for _ in range(3)]
    for number in range(dice.randint(2, 7)):
        parts = [f"id: r{number}", f"priority: {dice.randint(1, 4)}"]
        parts.append(f"effect: {dice.choice(EFFECTS)}")
        match = a_match(dice)
        if match:
            parts.append(match)
        if dice.random() < 0.6:
            when = dice.choice(conditions) if dice.random() < 0.5 else a_condition(dice, 1)
            parts.append("when: '" + when.replace("'", "''") + "'")
        rules.append("- {" + ", ".join(parts) + "}")
    default = dice.choice(("BLOCK", "ALLOW"))
    (policy,) = policies_of(policy_text("\n".join(rules), default=default))
    return policy


def a_value(dice: Dice) -> object:
    return dice.choice(
        (*NUMBERS, 1, 4, 6, -1, 2**60, *TEXTS, "usdx", True, False, None, ["usd"], {"a": 1})
    )


def an_action(dice: Dice) -> Action:
    params = {name: a_value(dice) for name in (*PARAMS, "list") if dice.random() < 0.7}
    absent = [name for name in PARAMS if name not in params]
    missing = {name for name in absent if dice.random() < 0.5}
    if dice.random() < 0.2:
        missing.add("target.id")
    return Action(
        dice.choice(PROVIDERS),
        "op",
        dice.choice(ACTIONS),
        Kind(dice.choice(KINDS)),
        Target("t", dice.choice(("i1", "i2", "x"))),
        params,  # type: ignore[arg-type]
        dice.random() < 0.7,
        dice.choice((None, None, "credentials", "pii")),
        frozenset(missing),
        frozenset(dice.sample(sorted(missing), len(missing) // 2)),
    )


def a_context(dice: Dice) -> Context:
    return Context(
        dice.choice(("bot", "bob", "x")),
        dice.choice((None, "r1", "r2")),
        0,
        dice.choice(({}, {"team": "pay"}, {"team": "ops"})),
    )


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
