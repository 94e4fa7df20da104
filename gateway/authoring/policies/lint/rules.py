"""Finds what a policy says and what can never happen, or should not: checked policies in, warnings
out.

A warning is no error: the policy loads and is kept. INVARIANT(sound): a rule that is called
unreachable never decides; what nobody can tell is not warned of. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from gateway.authoring.policies.proofs.effort import ExhaustedError, effort_of
from gateway.authoring.policies.proofs.implication import is_impossible
from gateway.authoring.policies.proofs.literals import (
    Says,
    Term,
    TooManyError,
    alternatives,
    scope_term,
)
from gateway.authoring.policies.proofs.rule_cover import can_match, can_overlap, cover_of, takes_all
from gateway.decide.conditions.syntax import Literal
from gateway.decide.patterns import Pattern
from gateway.decide.rules.index import deciding_order
from gateway.decide.rules.policy import (
    STATIC_FIELDS,
    Condition,
    Limit,
    MatchField,
    Place,
    Policy,
    Rule,
    plain_message,
    plain_reason,
)
from gateway.model.dataclass import dataclass
from gateway.model.effect import Effect, Mode

NEIGHBOURS_MAX: Final = 200
"""Rules that one rule is compared with; those that lie nearest go first."""

ALTERNATIVES_MAX: Final = 50
"""Names of a list that are looked at one by one."""


class Finding(StrEnum):
    """What is wrong. A code is an API and never changes meaning."""

    UNREACHABLE = "unreachable"
    CONTRADICTION = "contradiction"
    NEVER_MATCHES = "never_matches"
    SHADOWED = "shadowed"
    REDUNDANT = "redundant"
    NEVER_TRUE = "never_true"
    ALWAYS_TRUE = "always_true"
    DEFAULT_ALLOW = "default_allow"
    MIXED_CURRENCIES = "mixed_currencies"
    ANYBODY_MAY_APPROVE = "anybody_may_approve"
    KIND_NEVER_COMES = "kind_never_comes"
    ALIAS = "alias"
    UNREAD_PARAM = "unread_param"
    NO_WITNESS = "no_witness"


@dataclass(frozen=True, slots=True)
class LintWarning:
    """One finding at its place. `rule` is None where it is about the policy."""

    finding: Finding
    policy: str
    rule: str | None
    place: Place
    message: str
    help: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.finding}]"


def lint(
    policies: Iterable[Policy], approver_groups: frozenset[str] = frozenset()
) -> list[LintWarning]:
    """All warnings, in the order of the files."""
    found = [warning for policy in policies for warning in _lint_policy(policy, approver_groups)]
    return sorted(found, key=lambda each: (each.place.file, each.place.line, each.finding))


def lint_within(
    policies: Iterable[Policy], approver_groups: frozenset[str], literals_max: int
) -> tuple[list[LintWarning], bool]:
    """The warnings that are found with so much work, and whether those are all."""
    found: list[LintWarning] = []
    is_complete = True
    try:
        with effort_of(literals_max):
            for policy in policies:
                found.extend(_lint_policy(policy, approver_groups))
    except ExhaustedError:
        is_complete = False
    found.sort(key=lambda each: (each.place.file, each.place.line, each.finding))
    return found, is_complete


def _lint_policy(policy: Policy, approver_groups: frozenset[str]) -> Iterator[LintWarning]:
    if policy.default_effect is Effect.ALLOW:
        yield LintWarning(
            Finding.DEFAULT_ALLOW, policy.name, None, policy.place,
            f"policy `{policy.name}` allows whatever no rule is about",
            "leave `defaultEffect` out, and allow by rules",
        )  # fmt: skip
    yield from _lint_limits(policy)
    rules = sorted((rule for rule in policy.rules if rule.enabled), key=deciding_order)
    near = _Neighbourhood(rules)
    around = scope_term(policy)
    for place, rule in enumerate(rules):
        if approver_groups and rule.terms is not None and not rule.terms.groups:
            yield _about(
                Finding.ANYBODY_MAY_APPROVE, policy, rule,
                f"anybody who answers approvals may answer those of rule `{rule.id}`",
                "name who in `approval: {groups: [...]}`",
            )  # fmt: skip
        yield from _lint_condition(policy, rule)
        if not can_match(rule, around):
            yield _about(
                Finding.NEVER_MATCHES, policy, rule,
                f"rule `{rule.id}` can never match: its parts exclude each other",
            )  # fmt: skip
            continue
        if rule.mode is Mode.MONITOR:
            continue
        earlier = [other for other in near.before(rule, place) if other.mode is Mode.ENFORCE]
        cover = cover_of(rule, earlier, around)
        if cover:
            yield _covered(policy, rule, cover)
            continue
        yield from _shadowed(policy, rule, earlier, around)
        yield from _redundant(policy, rule, near.behind(rule, place), around)


def _about(
    finding: Finding,
    policy: Policy,
    rule: Rule,
    message: str,
    help: str = "",  # noqa: A002
) -> LintWarning:
    return LintWarning(finding, policy.name, rule.id, rule.place, message, help)


# --- rules that never decide ----------------------------------------------------------------------


class _Neighbourhood:
    """Finds the rules that could meet a rule. Each lies under the names of its most selective
    field; what has other names there meets it never."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_name: dict[tuple[MatchField, str], list[int]] = defaultdict(list)
        self._by_field: dict[MatchField, list[int]] = defaultdict(list)
        self._rest: list[int] = []
        for place, rule in enumerate(rules):
            keys = _names_of(rule)
            for key in keys:
                self._by_name[key].append(place)
            if keys:
                self._by_field[keys[0][0]].append(place)
            else:
                self._rest.append(place)

    def before(self, rule: Rule, place: int) -> list[Rule]:
        """Earlier rules that could meet it, in deciding order: the first of them where they are
        many."""
        return [self._rules[at] for at in self._near(rule) if at < place][:NEIGHBOURS_MAX]

    def behind(self, rule: Rule, place: int) -> list[Rule]:
        """All later rules that could meet it, in deciding order."""
        return [self._rules[at] for at in self._near(rule) if at > place]

    def _near(self, rule: Rule) -> list[int]:
        found = set(self._rest)
        for field, places in self._by_field.items():
            pattern = rule.match.pattern_of(field)
            if pattern is None or pattern.globs:
                found.update(places)
                continue
            for name in pattern.exact:
                found.update(self._by_name.get((field, name), ()))
        return sorted(found)


def _names_of(rule: Rule) -> list[tuple[MatchField, str]]:
    """The names of the most selective field that lists names alone."""
    for field in STATIC_FIELDS:
        pattern = rule.match.pattern_of(field)
        if pattern is not None and not pattern.globs:
            return [(field, name) for name in pattern.exact]
    return []


def _covered(policy: Policy, rule: Rule, cover: Sequence[Rule]) -> LintWarning:
    first = cover[0]
    if len(cover) == 1 and first.priority == rule.priority and first.effect is not rule.effect:
        return _about(
            Finding.CONTRADICTION, policy, rule,
            f"rules `{first.id}` and `{rule.id}` are about the same at the same priority: "
            f"{first.effect} wins, and `{rule.id}` never decides",
            "give the one that you mean a lower priority number, or remove the other",
        )  # fmt: skip
    names = " and ".join(f"`{other.id}` (line {other.place.line})" for other in cover)
    takes = "takes" if len(cover) == 1 else "together take"
    return _about(
        Finding.UNREACHABLE, policy, rule,
        f"rule `{rule.id}` never decides: {names} {takes} all that it is about",
        "give it a lower priority number, or remove it",
    )  # fmt: skip


def _shadowed(
    policy: Policy, rule: Rule, earlier: Sequence[Rule], around: Term
) -> Iterator[LintWarning]:
    """Names of a list that never get as far as this rule."""
    for number, (field, pattern) in enumerate(rule.match.fields):
        texts = pattern.texts
        if not 1 < len(texts) <= ALTERNATIVES_MAX:
            continue
        for text in texts:
            fields = (
                *rule.match.fields[:number],
                (field, _only(pattern, text)),
                *rule.match.fields[number + 1 :],
            )
            part = replace(rule, match=replace(rule.match, fields=fields))
            cover = cover_of(part, earlier, around) if can_match(part, around) else None
            if cover:
                names = " and ".join(f"`{other.id}`" for other in cover)
                yield _about(
                    Finding.SHADOWED, policy, rule,
                    f"rule `{rule.id}` never decides on {field} `{text}`: {names} goes before it",
                    f"take `{text}` out of the list, or give the rule a lower priority number",
                )  # fmt: skip


def _only(pattern: Pattern, text: str) -> Pattern:
    """One of the texts of a pattern."""
    if text in pattern.exact:
        return Pattern(frozenset({text}))
    return Pattern(frozenset(), tuple(glob for glob in pattern.globs if str(glob) == text))


def _redundant(
    policy: Policy, rule: Rule, later: Sequence[Rule], around: Term
) -> Iterator[LintWarning]:
    """A rule without which the same would be done, in the same words or in none of its own."""
    for other in later[:NEIGHBOURS_MAX]:
        if other.mode is Mode.MONITOR or not can_overlap(rule, other):
            continue
        if other.effect is not rule.effect or other.terms != rule.terms:
            return
        if takes_all(other, rule, around):
            if _has_own_words(policy, rule) and other.reason != rule.reason:
                return
            yield _about(
                Finding.REDUNDANT, policy, rule,
                f"rule `{rule.id}` adds nothing: without it, `{other.id}` says {other.effect} too",
                "remove it, or give it a reason and a message of its own",
            )  # fmt: skip
            return
    if len(later) > NEIGHBOURS_MAX or rule.effect is not policy.default_effect:
        return
    if rule.terms is not None or _has_own_words(policy, rule):
        return
    yield _about(
        Finding.REDUNDANT, policy, rule,
        f"rule `{rule.id}` adds nothing: what no rule is about is {rule.effect} anyway",
        "remove it, or give it a reason and a message of its own",
    )  # fmt: skip


def _has_own_words(policy: Policy, rule: Rule) -> bool:
    message, reason = plain_message(rule.id, policy.name), plain_reason(f"rule_{rule.id}")
    return (rule.message, rule.reason) != (message, reason)


# --- conditions -----------------------------------------------------------------------------------


def _lint_condition(policy: Policy, rule: Rule) -> Iterator[LintWarning]:
    condition = rule.condition
    if condition is None:
        return
    if not _possible(condition, Says.TRUE):
        rest = "" if rule.effect is Effect.ALLOW else "; it matches only what it can't read"
        yield _about(
            Finding.NEVER_TRUE, policy, rule,
            f"the condition of rule `{rule.id}` is never true{rest}",
            f"`{condition.text[:120]}`",
        )  # fmt: skip
    elif not isinstance(condition.node, Literal) and not _possible(condition, Says.FALSE):
        yield _about(
            Finding.ALWAYS_TRUE, policy, rule,
            f"the condition of rule `{rule.id}` is true whenever it can be evaluated",
            f"`{condition.text[:120]}`",
        )  # fmt: skip


def _possible(condition: Condition, says: Says) -> bool:
    try:
        return any(not is_impossible(term) for term in alternatives(condition.node, says))
    except TooManyError:
        return True


# --- limits ---------------------------------------------------------------------------------------


_MONEY_WORDS: Final = ("amount", "price", "total", "cost", "fee", "value", "balance", "money")


def _may_mix_currencies(limit: Limit) -> bool:
    """Whether it seems to add up money without asking in which currency it is."""
    if limit.sum is None or not any(word in limit.sum[-1].lower() for word in _MONEY_WORDS):
        return False
    asked = "" if limit.condition is None else limit.condition.text.lower()
    return "currency" not in asked


def _lint_limits(policy: Policy) -> Iterator[LintWarning]:
    for limit in policy.limits:
        if limit.enabled and _may_mix_currencies(limit):
            yield LintWarning(
                Finding.MIXED_CURRENCIES, policy.name, limit.id, limit.place,
                f"limit `{limit.id}` adds up amounts of every currency",
                'say which: `when: params.currency == "usd"`',
            )  # fmt: skip
