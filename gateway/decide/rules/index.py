"""Arranges rules so that a decision looks at those that could match, and at no others.

Rules that are about the same calls form a group, and a group is one generated function. Each group
lies under the names of its most selective static field. For one operation the groups that fit are
gathered once into a `Section` a policy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.facts import TARGET_ID
from gateway.decide.patterns import Pattern
from gateway.decide.rules.groups import FUNCTION_RULES_MAX, Find, Placed, compile_groups
from gateway.decide.rules.policy import (
    OF_TARGET,
    READERS,
    STATIC_FIELDS,
    MatchField,
    Policy,
    Rule,
)
from gateway.model.action import Action
from gateway.model.dataclass import dataclass
from gateway.model.decision import APPROVERS_DIFFER, Context, ReasonCode
from gateway.model.effect import ApprovalTerms, Effect, Mode

_NO_CONTEXT: Final = Context("", None, 0)
_BY_SELECTIVENESS: Final = sorted(STATIC_FIELDS, key=lambda field: field is MatchField.PROVIDER)
"""The provider comes last, since it is looked up together with each of the others."""

STRICTNESS_MAX: Final = Effect.BLOCK.strictness


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What a rule, or a policy's default (`rule` None), says. `mode` is the policy's."""

    effect: Effect
    strictness: int
    mode: Mode
    policy: str | None
    rule: str | None
    reason: str
    message: str
    terms: ApprovalTerms | None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rules with one static `match`, of which `rule` is one. `first` is what `find` gives at
    least; `always` what it gives at most, because that rule has no further test."""

    rule: Rule
    first: int
    always: int
    find: Find


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One policy, cut down to one operation. `finds` are what can decide, by the least that each
    can give; `watched` the same of rules in monitor mode, one rule each."""

    index: PolicyIndex
    finds: tuple[tuple[int, Find], ...]
    watched: tuple[tuple[int, Find], ...]


def default_verdict(policy: Policy) -> Verdict:
    effect = policy.default_effect
    message = f"no rule of policy `{policy.name}` is about this action"
    # An approval by default has the terms that a rule without terms has.
    terms = ApprovalTerms() if effect is Effect.REQUIRE_APPROVAL else None
    reason = ReasonCode.NO_RULE_MATCHED
    return Verdict(
        effect, effect.strictness, policy.mode, policy.name, None, reason, message, terms
    )


def join_verdicts(one: Verdict, other: Verdict) -> Verdict:
    """Two verdicts that ask a person about one request, as the first one on terms that are enough
    for both; a BLOCK where there are none."""
    assert one.terms is not None
    assert other.terms is not None
    terms = one.terms.joined(other.terms)
    if terms is not None:
        return one if terms == one.terms else replace(one, terms=terms)
    return replace(
        one,
        effect=Effect.BLOCK,
        strictness=STRICTNESS_MAX,
        reason=ReasonCode.APPROVERS_DIFFER,
        message=APPROVERS_DIFFER,
        terms=None,
    )


NO_POLICY: Final = Verdict(
    Effect.BLOCK,
    STRICTNESS_MAX,
    Mode.ENFORCE,
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
    """The enabled rules of one policy, in deciding order. A rule's verdict has its position; the
    default's is behind the last."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        enabled = (rule for rule in policy.rules if rule.enabled)
        self.rules = tuple(sorted(enabled, key=deciding_order))
        self.verdicts = (*map(self._verdict, self.rules), default_verdict(policy))
        self.nothing = 2 * len(self.rules)
        """What a function gives where none of its rules matches."""
        placed = list(enumerate(self.rules))
        by_match: dict[object, list[Placed]] = defaultdict(list)
        for position, rule in placed:
            if rule.mode is Mode.ENFORCE:
                by_match[_static_match(rule)].append((position, rule))
        self._deciding = _Shelf(self._groups(_in_pieces(by_match.values())))
        watched = [[each] for each in placed if each[1].mode is Mode.MONITOR]
        self._watched = _Shelf(self._groups(watched))

    def _verdict(self, rule: Rule) -> Verdict:
        return Verdict(
            rule.effect,
            rule.effect.strictness,
            self.policy.mode,
            self.policy.name,
            rule.id,
            rule.reason,
            rule.message,
            rule.terms,
        )

    def _groups(self, parts: Sequence[Sequence[Placed]]) -> Iterator[Group]:
        finds = compile_groups(parts, self.nothing)
        for part, find in zip(parts, finds, strict=True):
            first, rule = part[0]
            always = (2 * position for position, each in part if has_no_test(each))
            yield Group(rule, 2 * first, next(always, self.nothing), find)

    def section_for(self, action: Action) -> Section:
        """Gather what can match an operation, of which `action` is one call."""
        deciding = self._deciding.fitting(action)
        # What begins behind a rule that always matches can't decide.
        end = min((group.always for group in deciding), default=self.nothing)
        return Section(
            self,
            tuple((group.first, group.find) for group in deciding if group.first <= end),
            tuple((each.first, each.find) for each in self._watched.fitting(action)),
        )

    def subject_of(
        self, position: int, action: Action, context: Context, assessed: Assessment
    ) -> str:
        """The field that made a rule match unread; "" when the rule matches as it is."""
        return unread_subject(self.rules[position], action, context, assessed)


def unread_subject(rule: Rule, action: Action, context: Context, assessed: Assessment) -> str:
    """The field that makes a rule match unread; "" when the rule matches as it is."""
    unread = unreadable_field(rule, action)
    if unread is not None or rule.condition is None:
        return unread or ""
    return rule.condition.unread(action, context, assessed)


def _static_match(rule: Rule) -> tuple[object, ...]:
    fields = (pair for pair in rule.match.fields if pair[0] in STATIC_FIELDS)
    return (rule.match.reversible, *fields)


def has_no_test(rule: Rule) -> bool:
    """Whether a rule matches every call that its static fields fit."""
    match = rule.match
    return (
        rule.condition is None
        and not match.labels
        and all(field in STATIC_FIELDS for field, _ in match.fields)
    )


def _in_pieces(groups: Iterable[list[Placed]]) -> list[list[Placed]]:
    return [
        group[at : at + FUNCTION_RULES_MAX]
        for group in groups
        for at in range(0, len(group), FUNCTION_RULES_MAX)
    ]


_Key = tuple[MatchField, str, str | None]
"""A static field, a name or the beginning of one, and the provider where the group names one."""


class _Shelf:
    """Groups, found by the names of an operation."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._by_name: dict[_Key, list[Group]] = defaultdict(list)
        self._by_beginning: dict[_Key, list[Group]] = defaultdict(list)
        self._lengths: dict[MatchField, set[int]] = defaultdict(set)
        self._rest: list[Group] = []
        for group in groups:
            self._place(group)

    def _place(self, group: Group) -> None:
        match = group.rule.match
        found = _most_selective(group.rule)
        if found is None:
            self._rest.append(group)
            return
        field, pattern = found
        of_provider = match.pattern_of(MatchField.PROVIDER)
        provider = None
        if of_provider is not None and not of_provider.globs and len(of_provider.exact) == 1:
            (provider,) = of_provider.exact
        for name in pattern.exact:
            self._by_name[field, name, provider].append(group)
        for beginning in {glob.pieces[0] for glob in pattern.globs}:
            self._by_beginning[field, beginning, provider].append(group)
            self._lengths[field].add(len(beginning))

    def fitting(self, action: Action) -> list[Group]:
        """The groups that fit all calls of an operation, by their first rule."""
        near = {group.first: group for group in self._near(action)}
        fits = (group for group in near.values() if mismatch_static(group.rule, action) is None)
        return sorted(fits, key=lambda group: group.first)

    def _near(self, action: Action) -> Iterator[Group]:
        for field, provider in product(STATIC_FIELDS, (action.provider, None)):
            name = READERS[field](action, _NO_CONTEXT)
            if name is None:
                continue
            yield from self._by_name.get((field, name, provider), ())
            for length in self._lengths.get(field, ()):
                yield from self._by_beginning.get((field, name[:length], provider), ())
        yield from self._rest


def _most_selective(rule: Rule) -> tuple[MatchField, Pattern] | None:
    """The field to look a rule up by: the first whose globs, if any, all have a beginning."""
    for field in _BY_SELECTIVENESS:
        pattern = rule.match.pattern_of(field)
        if pattern is not None and all(glob.pieces[0] for glob in pattern.globs):
            return field, pattern
    return None


def mismatch_static(rule: Rule, action: Action) -> str | None:
    """The first field of `match` that keeps a rule from an operation; None when all fit."""
    return next(_static_mismatches(rule, action), None)


def _static_mismatches(rule: Rule, action: Action) -> Iterator[str]:
    for field, pattern in rule.match.fields:
        if field in STATIC_FIELDS:
            name = READERS[field](action, _NO_CONTEXT)
            if name is None or not pattern.matches(name):
                yield field.value
    wanted = rule.match.reversible
    if wanted is not None and wanted is not action.reversible:
        yield "reversible"


def mismatch_dynamic(
    rule: Rule, action: Action, context: Context, assessed: Assessment
) -> str | None:
    """The same for what differs from call to call. A target that can't be told fits any pattern:
    see `unreadable_field`."""
    return next(_dynamic_mismatches(rule, action, context, assessed), None)


def mismatches(
    rule: Rule, action: Action, context: Context, assessed: Assessment
) -> tuple[str, ...]:
    """All fields of `match` that keep a rule from a call."""
    dynamic = _dynamic_mismatches(rule, action, context, assessed)
    return (*_static_mismatches(rule, action), *dynamic)


def _dynamic_mismatches(
    rule: Rule, action: Action, context: Context, assessed: Assessment
) -> Iterator[str]:
    for field, pattern in rule.match.fields:
        if field in STATIC_FIELDS or (field in OF_TARGET and TARGET_ID in action.missing):
            continue
        if field is MatchField.TARGET_LABEL:
            if not any(map(pattern.matches, assessed.labels)):
                yield field.value
            continue
        name = READERS[field](action, context)
        if name is None or not pattern.matches(name):
            yield field.value
    for label, pattern in rule.match.labels:
        value = context.labels.get(label)
        if value is None or not pattern.matches(value):
            yield f"labels.{label}"


def unreadable_field(rule: Rule, action: Action) -> str | None:
    """The field that a rule matches on and that the request did not let be read."""
    if TARGET_ID in action.missing and any(field in OF_TARGET for field, _ in rule.match.fields):
        return TARGET_ID
    return None
