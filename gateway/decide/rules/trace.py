"""Explains a decision: for every policy and rule, why it decided or why it did not.

It asks the very functions that the engine decides by, so an explanation can't drift away from the
decision. Slow, and never on the data path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.decide.assessment import Assessment
from gateway.decide.risk.model import RiskModel
from gateway.decide.rules.index import (
    deciding_order,
    mismatch_dynamic,
    mismatch_static,
    unreadable_field,
)
from gateway.decide.rules.policy import Policy, Rule
from gateway.model.action import Action
from gateway.model.decision import Context
from gateway.model.effect import Effect


class Finding(StrEnum):
    """DECIDES: the first that matches, in deciding order. OUTRANKED: it matches too, later."""

    DECIDES = "decides"
    OUTRANKED = "outranked"
    NO_MATCH = "no_match"
    CONDITION_FALSE = "condition_false"
    CONDITION_UNRESOLVED = "condition_unresolved"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """`field` is the part of `match` that did not fit, or the field that could not be read."""

    rule: str
    priority: int
    effect: Effect
    finding: Finding
    field: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """`rules` are in deciding order; empty when the policy is not about this agent."""

    policy: str
    applies: bool
    effect: Effect
    rules: tuple[RuleTrace, ...]

    @property
    def decided_by(self) -> str | None:
        """The deciding rule; None when the default decides."""
        found = (trace.rule for trace in self.rules if trace.finding is Finding.DECIDES)
        return next(found, None)


def trace(
    policies: Sequence[Policy],
    action: Action,
    context: Context,
    risks: RiskModel | None = None,
    actions: int = 1,
) -> list[PolicyTrace]:
    """Explain what each policy says about one action of a request that has so many."""
    assessed = (risks or RiskModel()).assess(action, context, actions)
    return [_trace_policy(policy, action, context, assessed) for policy in policies]


def _trace_policy(
    policy: Policy, action: Action, context: Context, assessed: Assessment
) -> PolicyTrace:
    if not policy.applies_to(context.agent):
        return PolicyTrace(policy.name, False, policy.default_effect, ())
    effect, traces, is_open = policy.default_effect, [], True
    for rule in sorted(policy.rules, key=deciding_order):
        finding, field = _find(rule, action, context, assessed)
        if finding is Finding.DECIDES:
            if is_open:
                effect, is_open = rule.effect, False
            else:
                finding = Finding.OUTRANKED
        traces.append(RuleTrace(rule.id, rule.priority, rule.effect, finding, field))
    return PolicyTrace(policy.name, True, effect, tuple(traces))


def _find(
    rule: Rule, action: Action, context: Context, assessed: Assessment
) -> tuple[Finding, str | None]:
    """What comes of one rule by itself; DECIDES when it matches."""
    if not rule.enabled:
        return Finding.DISABLED, None
    field = mismatch_static(rule, action) or mismatch_dynamic(rule, action, context, assessed)
    if field is not None:
        return Finding.NO_MATCH, field
    unread = unreadable_field(rule, action)
    if unread is not None and rule.effect is Effect.ALLOW:
        return Finding.CONDITION_UNRESOLVED, unread
    if rule.condition is None:
        return Finding.DECIDES, unread
    answer = rule.condition.holds(action, context, assessed)
    if isinstance(answer, bool):
        return (Finding.DECIDES, unread) if answer else (Finding.CONDITION_FALSE, None)
    subject = unread or answer.subject or "the condition"
    if rule.effect is Effect.ALLOW:
        return Finding.CONDITION_UNRESOLVED, subject
    return Finding.DECIDES, subject
