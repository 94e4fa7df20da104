"""Explains a decision: for every policy and rule, why it decided or why it did not.

It reads the rules one by one, with the functions that the index arranges them by and with the
interpreter, which is the reference of what is compiled: slow, and never on the data path. That it
says what the engine says is held by tests over generated policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.evaluation.doubts import NAMELESS
from gateway.decide.conditions.evaluation.interpreter import interpret
from gateway.decide.conditions.syntax import Logic, LogicOp
from gateway.decide.patterns import Pattern
from gateway.decide.risk.model import RiskModel
from gateway.decide.rules.index import (
    deciding_order,
    mismatch_dynamic,
    mismatch_static,
    unreadable_field,
)
from gateway.decide.rules.policy import READERS, Condition, MatchField, Policy, Rule
from gateway.model.action import Action
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context
from gateway.model.effect import Effect, Mode

_NAMES_SHOWN_MAX: Final = 5
_SHOWN_CHARS_MAX: Final = 80


class Finding(StrEnum):
    """DECIDES: the first that matches, in deciding order. OUTRANKED: it matches too, later.
    WATCHED: it would have been the first, and is in monitor mode."""

    DECIDES = "decides"
    OUTRANKED = "outranked"
    WATCHED = "watched"
    NO_MATCH = "no_match"
    CONDITION_FALSE = "condition_false"
    CONDITION_UNRESOLVED = "condition_unresolved"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """`field` is the part of `match` that did not fit, or the field that could not be read;
    `detail` says in words what there was instead, or gives the part of the condition that is
    false."""

    rule: str
    priority: int
    effect: Effect
    finding: Finding
    field: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """`rules` are in deciding order; empty when the policy is not about this agent. `is_shadow`:
    another policy is enforced, so this one, in monitor mode, is only watched."""

    policy: str
    applies: bool
    effect: Effect
    rules: tuple[RuleTrace, ...]
    mode: Mode = Mode.ENFORCE
    is_shadow: bool = False

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
    applying = [policy for policy in policies if policy.applies_to(context.agent)]
    is_any_enforced = any(policy.mode is Mode.ENFORCE for policy in applying)
    traces = []
    for policy in policies:
        effect, rules = policy.default_effect, tuple[RuleTrace, ...]()
        applies = policy in applying
        if applies:
            effect, rules = _trace_rules(policy, action, context, assessed)
        is_shadow = applies and is_any_enforced and policy.mode is Mode.MONITOR
        traces.append(PolicyTrace(policy.name, applies, effect, rules, policy.mode, is_shadow))
    return traces


def _trace_rules(
    policy: Policy, action: Action, context: Context, assessed: Assessment
) -> tuple[Effect, tuple[RuleTrace, ...]]:
    effect, traces, is_open = policy.default_effect, [], True
    for rule in sorted(policy.rules, key=deciding_order):
        finding, field, detail = _find(rule, action, context, assessed)
        if finding is Finding.DECIDES:
            if not is_open:
                finding = Finding.OUTRANKED
            elif rule.mode is Mode.MONITOR:
                finding = Finding.WATCHED
            else:
                effect, is_open = rule.effect, False
        traces.append(RuleTrace(rule.id, rule.priority, rule.effect, finding, field, detail))
    return effect, tuple(traces)


def _find(
    rule: Rule, action: Action, context: Context, assessed: Assessment
) -> tuple[Finding, str | None, str]:
    """What comes of one rule by itself; DECIDES when it matches."""
    if not rule.enabled:
        return Finding.DISABLED, None, ""
    field = mismatch_static(rule, action) or mismatch_dynamic(rule, action, context, assessed)
    if field is not None:
        return Finding.NO_MATCH, field, _instead(field, rule, action, context, assessed)
    unread = unreadable_field(rule, action)
    if unread is not None and rule.effect is Effect.ALLOW:
        return Finding.CONDITION_UNRESOLVED, unread, ""
    if rule.condition is None:
        return Finding.DECIDES, unread, ""
    answer = rule.condition.holds(action, context, assessed)
    if isinstance(answer, bool):
        if answer:
            return Finding.DECIDES, unread, ""
        return Finding.CONDITION_FALSE, None, _false_part(rule.condition, action, context, assessed)
    subject = unread or answer.subject or NAMELESS
    if rule.effect is Effect.ALLOW:
        return Finding.CONDITION_UNRESOLVED, subject, ""
    return Finding.DECIDES, subject, ""


def _instead(field: str, rule: Rule, action: Action, context: Context, assessed: Assessment) -> str:
    """What a field is, and what the rule wants it to be."""
    match = rule.match
    if field == "reversible":
        return f"it is {str(action.reversible).lower()}"
    if field.startswith("labels."):
        label = field.removeprefix("labels.")
        return _wanted(context.labels.get(label), dict(match.labels)[label])
    match_field = MatchField(field)
    pattern = dict(match.fields)[match_field]
    if match_field is MatchField.TARGET_LABEL:
        return _wanted(", ".join(assessed.labels), pattern)
    return _wanted(READERS[match_field](action, context), pattern)


def _wanted(found: str | None, pattern: Pattern) -> str:
    texts = pattern.texts
    shown = " or ".join(f"`{text}`" for text in texts[:_NAMES_SHOWN_MAX])
    if len(texts) > _NAMES_SHOWN_MAX:
        shown = f"{shown} or {len(texts) - _NAMES_SHOWN_MAX} more"
    is_what = f"is `{found[:_SHOWN_CHARS_MAX]}`" if found else "is nothing"
    return f"it {is_what}, and the rule is about {shown}"


def _false_part(
    condition: Condition, action: Action, context: Context, assessed: Assessment
) -> str:
    """The first part of a chain of `&&` that is false; the whole of any other condition."""
    node = condition.node
    if isinstance(node, Logic) and node.op is LogicOp.AND:
        false = (
            each for each in node.operands if interpret(each)(action, context, assessed) is False
        )
        node = next(false, node)
    return condition.text[node.span.start : node.span.end]
