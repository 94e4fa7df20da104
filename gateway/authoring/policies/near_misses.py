"""Ranks the rules that did not decide by how little kept them from it: the nearest miss first.

A decision by default asks "which rule did I mean?"; the rule with the fewest parts that don't fit,
and then with the most that do, is the likeliest answer.
"""

from __future__ import annotations

from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.bundle import Bundle
from gateway.decide.rules.index import mismatches
from gateway.decide.rules.policy import Rule
from gateway.decide.rules.trace import Finding, PolicyTrace, RuleTrace
from gateway.model.action import Action
from gateway.model.dataclass import dataclass
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
    match, condition = rule.match, rule.condition
    wrong = len(mismatches(rule, action, context, assessed))
    asked = len(match.fields) + len(match.labels) + (match.reversible is not None)
    if condition is not None:
        asked += 1
        wrong += condition.holds(action, context, assessed) is not True
    return Miss(trace, asked - wrong, asked)
