"""Says which rules and limits two sets of policies have in common, and what of them differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from gateway.decide.rules.policy import Condition, Limit, Policy, Rule
from gateway.model.dataclass import dataclass
from gateway.model.effect import Effect


class Fate(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """`fields` names what differs. `rule` None is the policy itself."""

    fate: Fate
    policy: str
    rule: str | None
    effect: Effect
    fields: tuple[str, ...] = ()


_NO_MEANING: Final = frozenset({"id", "name", "place", "rules", "limits"})


def rule_changes(old: Iterable[Policy], new: Iterable[Policy]) -> list[RuleChange]:
    """Changes by policy and id."""
    before, after = dict(_speakers(old)), dict(_speakers(new))
    found = []
    for key in sorted(before.keys() | after.keys(), key=lambda key: (key[0], key[1] or "")):
        policy, rule = key
        left, right = before.get(key), after.get(key)
        if left is None:
            assert right is not None
            found.append(RuleChange(Fate.ADDED, policy, rule, _effect_of(right)))
        elif right is None:
            found.append(RuleChange(Fate.REMOVED, policy, rule, _effect_of(left)))
        else:
            fields = tuple(_differing(left, right))
            if fields:
                found.append(RuleChange(Fate.CHANGED, policy, rule, _effect_of(right), fields))
    return found


_Speaker = Policy | Rule | Limit


def _speakers(policies: Iterable[Policy]) -> Iterator[tuple[tuple[str, str | None], _Speaker]]:
    for policy in policies:
        yield (policy.name, None), policy
        for rule in policy.rules:
            yield (policy.name, rule.id), rule
        for limit in policy.limits:
            yield (policy.name, f"limit:{limit.id}"), limit


def _effect_of(speaker: _Speaker) -> Effect:
    return speaker.default_effect if isinstance(speaker, Policy) else speaker.effect


def _differing(left: _Speaker, right: _Speaker) -> Iterator[str]:
    for field in dataclasses.fields(left):
        if field.name in _NO_MEANING:
            continue
        if _meaning(getattr(left, field.name)) != _meaning(getattr(right, field.name, None)):
            yield "when" if field.name == "condition" else field.name


def _meaning(value: object) -> object:
    return value.text if isinstance(value, Condition) else value
