"""Throws policies, actions and contexts that meet each other often: few names, near values."""

from __future__ import annotations

import random

from gateway.decide.rules.policy import Policy
from gateway.model.action import Action, Kind, Target
from gateway.model.decision import Context
from tests.support.policy_world import policies_of, policy_text

ACTIONS = ("create_refund", "create_charge", "delete_bucket", "get_charge")
KINDS = ("read", "create", "delete", "send")
PROVIDERS = ("stripe", "aws", "paypal")
EFFECTS = ("ALLOW", "BLOCK", "REQUIRE_APPROVAL")
GLOBS = ("create_*", "*_charge", "*", "get_*", "*re*", "delete_b*", "create_re*")
NUMBERS = (0, 3, 5, 7, 100)
TEXTS = ("usd", "eur", "a", "us", "")
PARAMS = ("amount", "currency", "note")

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
