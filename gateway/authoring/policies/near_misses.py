"""Ranks the rules that did not decide by how little kept them from it: the nearest miss first.

A decision by default asks "which rule did I mean?"; the rule with the fewest parts that don't fit,
and then with the most that do, is the likeliest answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.bundle import Bundle
from gateway.decide.rules.policy import READERS, MatchField, Rule
from gateway.decide.rules.trace import Finding, PolicyTrace, RuleTrace
from gateway.model.action import Action
from gateway.model.decision import Context

MISSES: Final = frozenset({Finding.NO_MATCH, Finding.CONDITION_FALSE, Finding.CONDITION_UNRESOLVED})


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that did not match. `fitting` of `asked` parts of it fit: fields of its match, and
    its condition."""

    rule: RuleTrace
    fitting: int
    asked: int


def near_misses(
    bundle: Bundle, trace: PolicyTrace, action: Action, context: Context, actions: int = 1
) -> list[Miss]:
    """The rules of a policy that did not match, the nearest first."""
    policy = next(each for each in bundle.policies if each.name == trace.policy)
    assessed = bundle.risks.assess(action, context, actions)
    rules = {rule.id: rule for rule in policy.rules}
    missed = [each for each in trace.rules if each.finding in MISSES]
    found = [_miss(each, rules[each.rule], action, context, assessed) for each in missed]
    return sorted(found, key=lambda miss: (miss.asked - miss.fitting, -miss.fitting))


def _miss(
    trace: RuleTrace, rule: Rule, action: Action, context: Context, assessed: Assessment
) -> Miss:
    fits = list(_fits(rule, action, context, assessed))
    return Miss(trace, sum(fits), len(fits))


def _fits(rule: Rule, action: Action, context: Context, assessed: Assessment) -> Iterable[bool]:
    for field, pattern in rule.match.fields:
        if field is MatchField.TARGET_LABEL:
            yield any(map(pattern.matches, assessed.labels))
        else:
            name = READERS[field](action, context)
            yield name is not None and pattern.matches(name)
    for label, pattern in rule.match.labels:
        yield pattern.matches(context.labels.get(label, ""))
    if rule.match.reversible is not None:
        yield rule.match.reversible is action.reversible
    if rule.condition is not None:
        yield rule.condition.holds(action, context, assessed) is True
