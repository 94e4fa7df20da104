"""What a comparison of policies proves, holds: over thousands of policies and actions."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import product

from gateway.authoring.policies.diff.compare import Certainty, Comparison, compare
from gateway.authoring.policies.diff.space import Shape, Signatures, classes_of
from gateway.authoring.policies.verdicts import Verdict, verdict_of
from gateway.decide.bundle import Bundle
from gateway.decide.patterns import parse_pattern
from gateway.decide.rules.policy import Policy
from gateway.model.action import Action, Kind, Target
from gateway.model.decision import Context
from gateway.model.effect import Mode
from tests.support.policy_dice import ACTIONS, KINDS, PROVIDERS, a_context, a_policy, an_action

PAIRS = 30
ACTIONS_A_PAIR = 40

SHAPES = [
    Shape(provider, "op", action, kind, "t", reversible, sensitive)
    for provider, action, kind, reversible, sensitive in product(
        PROVIDERS, ACTIONS, KINDS, (True, False), (None, "credentials", "pii")
    )
]


def a_relative(dice: random.Random, policy: Policy) -> Policy:
    """A policy that differs in a rule, or altogether."""
    if dice.random() < 0.4:
        return a_policy(dice)
    rules = list(policy.rules)
    place = dice.randrange(len(rules))
    if dice.random() < 0.5 and len(rules) > 1:
        del rules[place]
    else:
        rules[place] = replace(rules[place], priority=dice.randint(1, 4))
    return replace(policy, rules=tuple(rules))


def with_a_second(dice: random.Random, policy: Policy) -> list[Policy]:
    """Perhaps beside another one; either may only watch, or be about some agents alone."""
    if dice.random() < 0.5:
        return [policy]
    scopes = (None, parse_pattern(["b*"]), parse_pattern(["bot"]))
    modes = (Mode.ENFORCE, Mode.ENFORCE, Mode.MONITOR)
    second = replace(a_policy(dice), name=dice.choice(("a", "q")))
    return [
        replace(each, scope=dice.choice(scopes), mode=dice.choice(modes))
        for each in (policy, second)
    ]


def verdict(bundle: Bundle, action: Action, context: Context) -> Verdict:
    return verdict_of(bundle.decide((action,), context, Mode.ENFORCE))


def as_shape(action: Action) -> Shape:
    return Shape(
        action.provider, "op", action.action, action.kind.value, "t", action.reversible,
        action.sensitive,
    )  # fmt: skip


def test_every_difference_is_told_and_what_is_proven_is_always_so() -> None:
    """Class by class: a decision that differs stands among the changes of its class, and where the
    change is proven for all, every decision of the class is that one."""
    dice = random.Random(7)
    seen: Counter[str] = Counter()
    for _ in range(PAIRS):
        first = a_policy(dice)
        before = with_a_second(dice, first)
        after = with_a_second(dice, a_relative(dice, first))
        old, new = Bundle.of(before), Bundle.of(after)
        told: dict[Shape, Comparison] = {}
        for _ in range(ACTIONS_A_PAIR):
            action, context = an_action(dice), a_context(dice)
            shape = as_shape(action)
            if shape not in told:
                told[shape] = compare(old, new, classes_of([shape], [*before, *after]))
            comparison = told[shape]
            pair = verdict(old, action, context), verdict(new, action, context)
            changes = {(change.before, change.after): change for change in comparison.changes}
            always = [c for c in comparison.changes if c.certainty is Certainty.ALWAYS]
            if always:
                assert set(changes) == {pair}, (before, after, action)
            if not comparison.proven:
                seen["unproven"] += 1
                continue
            before_and_after = [(each.effect, each.is_watched) for each in pair]
            if before_and_after[0] != before_and_after[1]:
                assert pair in changes, (before, after, action, context)
                seen[changes[pair].certainty] += 1
            elif not comparison.changes:
                seen["same"] += 1
    assert min(seen[word] for word in ("always", "sometimes", "same")) >= 10, seen


def test_acts_of_one_class_are_told_apart_by_no_rule() -> None:
    """Asked alike, they are decided alike."""
    dice = random.Random(8)
    for _ in range(PAIRS):
        policy = a_policy(dice)
        bundle = Bundle.of([policy])
        signature = Signatures([policy])
        asked = [(an_action(dice), a_context(dice)) for _ in range(3)]
        for action, context in asked:
            answers: dict[object, set[Verdict]] = {}
            for shape in SHAPES:
                found = verdict(bundle, as_act(action, shape), context)
                answers.setdefault(signature.of(shape), set()).add(found)
            assert {len(each) for each in answers.values()} == {1}, (policy, action)


def as_act(action: Action, shape: Shape) -> Action:
    return Action(
        shape.provider, shape.operation, shape.action, Kind(shape.kind),
        Target(shape.target_type, action.target.id), action.params, shape.reversible,
        shape.sensitive, action.missing, action.unreadable,
    )  # fmt: skip
