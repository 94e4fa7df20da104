"""Arranges rules so that a decision looks at those that could match, and at no others.

Each rule lies under the names of its most selective static field. For one operation the rules
that fit are gathered once into a `Section` a policy, already in the order in which they decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.decide.conditions.compiler import Compiled
from gateway.decide.conditions.facts import TARGET_ID
from gateway.decide.rules.policy import READERS, STATIC_FIELDS, Condition, MatchField, Policy, Rule
from gateway.model.action import Action
from gateway.model.decision import Context, ReasonCode
from gateway.model.effect import ApprovalTerms, Effect, Mode

Guard = Callable[[Action, Context], str | None]
"""Tests what differs from call to call: target id, agent, labels, run, environment. None when the
rule does not match, "" when it does, else the field that could not be read."""

Candidate = tuple[Guard | None, Compiled | None, Condition | None, "Verdict"]
"""One rule as the engine's loop wants it. A plain tuple: it is unpacked once a rule and call."""

_DYNAMIC_FIELDS: Final = tuple(field for field in MatchField if field not in STATIC_FIELDS)
_NO_CONTEXT: Final = Context("", None, 0)

_RANKS: Final = {
    (Effect.BLOCK, Mode.ENFORCE): 5,
    (Effect.REQUIRE_APPROVAL, Mode.ENFORCE): 4,
    (Effect.BLOCK, Mode.MONITOR): 3,
    (Effect.REQUIRE_APPROVAL, Mode.MONITOR): 2,
    (Effect.ALLOW, Mode.ENFORCE): 1,
    (Effect.ALLOW, Mode.MONITOR): 0,
}
"""Which verdict wins across policies and across the actions of one request. What is enforced goes
before what is only watched, so a monitor policy can't weaken an enforcing one."""

RANK_MAX: Final = max(_RANKS.values())


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What a rule, or a policy's default (`rule` None), says."""

    effect: Effect
    mode: Mode
    rank: int
    policy: str | None
    rule: str | None
    reason: str
    message: str
    terms: ApprovalTerms | None


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One policy, cut down to one operation: its candidates in deciding order, and its default."""

    candidates: tuple[Candidate, ...]
    default: Verdict


def default_verdict(policy: Policy) -> Verdict:
    effect = policy.default_effect
    message = f"no rule of policy `{policy.name}` is about this action"
    # An approval by default has the terms that a rule without terms has.
    terms = ApprovalTerms() if effect is Effect.REQUIRE_APPROVAL else None
    reason = ReasonCode.NO_RULE_MATCHED
    rank = _RANKS[effect, policy.mode]
    return Verdict(effect, policy.mode, rank, policy.name, None, reason, message, terms)


def no_policy_verdict() -> Verdict:
    return Verdict(
        Effect.BLOCK,
        Mode.ENFORCE,
        RANK_MAX,
        None,
        None,
        ReasonCode.NO_POLICY,
        "no policy applies to this agent, so nothing is allowed",
        None,
    )


def deciding_order(rule: Rule) -> tuple[int, int, str]:
    """Lowest priority number first, then the strictest effect, then the id: never file order."""
    return rule.priority, -rule.effect.strictness, rule.id


class PolicyIndex:
    """The enabled rules of one policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._default = default_verdict(policy)
        self._by_name: dict[tuple[MatchField, str], list[Rule]] = defaultdict(list)
        self._rest: list[Rule] = []
        self._candidates: dict[Rule, Candidate] = {}
        for rule in policy.rules:
            if rule.enabled:
                self._place(rule)

    def _place(self, rule: Rule) -> None:
        self._candidates[rule] = self._candidate(rule)
        for field in STATIC_FIELDS:
            pattern = rule.match.pattern_of(field)
            if pattern is not None and not pattern.globs:
                for name in pattern.exact:
                    self._by_name[field, name].append(rule)
                return
        self._rest.append(rule)

    def _candidate(self, rule: Rule) -> Candidate:
        verdict = Verdict(
            rule.effect,
            self.policy.mode,
            _RANKS[rule.effect, self.policy.mode],
            self.policy.name,
            rule.id,
            rule.reason,
            rule.message,
            rule.terms,
        )
        compiled = None if rule.condition is None else rule.condition.compiled
        return make_guard(rule), compiled, rule.condition, verdict

    def section_for(self, action: Action) -> Section:
        """Gather what can match an operation, of which `action` is one call."""
        rules = sorted(
            (rule for rule in self._near(action) if mismatch_static(rule, action) is None),
            key=deciding_order,
        )
        return Section(tuple(_reachable([self._candidates[rule] for rule in rules])), self._default)

    def _near(self, action: Action) -> Iterator[Rule]:
        for field in STATIC_FIELDS:
            name = READERS[field](action, _NO_CONTEXT)
            if name is not None:
                yield from self._by_name.get((field, name), ())
        yield from self._rest


def _reachable(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Stop behind the first rule that always matches: no later one can decide."""
    for candidate in candidates:
        yield candidate
        guard, compiled, _, _ = candidate
        if guard is None and compiled is None:
            return


def mismatch_static(rule: Rule, action: Action) -> str | None:
    """The first field of `match` that keeps a rule from an operation; None when all fit."""
    for field in STATIC_FIELDS:
        pattern = rule.match.pattern_of(field)
        if pattern is not None:
            name = READERS[field](action, _NO_CONTEXT)
            if name is None or not pattern.matches(name):
                return field.value
    wanted = rule.match.reversible
    return None if wanted is None or wanted is action.reversible else "reversible"


def mismatch_dynamic(rule: Rule, action: Action, context: Context) -> str | None:
    """The same for what differs from call to call. An unreadable target id fits any pattern: see
    `unreadable_field`."""
    for field in _DYNAMIC_FIELDS:
        pattern = rule.match.pattern_of(field)
        if pattern is None or unreadable_field(rule, action) == field:
            continue
        name = READERS[field](action, context)
        if name is None or not pattern.matches(name):
            return field.value
    for label, pattern in rule.match.labels:
        value = context.labels.get(label)
        if value is None or not pattern.matches(value):
            return f"labels.{label}"
    return None


def unreadable_field(rule: Rule, action: Action) -> str | None:
    """The field that a rule matches on and that the request did not let be read."""
    if TARGET_ID in action.missing and rule.match.pattern_of(MatchField.TARGET_ID) is not None:
        return TARGET_ID
    return None


def make_guard(rule: Rule) -> Guard | None:
    """The test of a rule's dynamic fields; None when it has none."""
    match = rule.match
    if not match.labels and not any(match.pattern_of(field) for field in _DYNAMIC_FIELDS):
        return None

    def guard(action: Action, context: Context) -> str | None:
        if mismatch_dynamic(rule, action, context) is not None:
            return None
        return unreadable_field(rule, action) or ""

    return guard
