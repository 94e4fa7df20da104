"""Compares two sets of policies: which acts become freer, which tighter, and how sure that is.

For each class of acts that no rule tells apart, the rules that could decide it are compared as
formulas. What they prove is said to be proven; where they don't, questions at all boundaries are
asked of both, and a difference is shown by one of them. What is neither proven nor seen is said to
be possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from gateway.authoring.policies.diff.space import Class, Probe, Shape, probes_of
from gateway.authoring.policies.proofs.implication import both, can_meet
from gateway.authoring.policies.proofs.literals import (
    TERMS_MAX,
    Compares,
    Fits,
    Says,
    Term,
    TooManyError,
    matching,
    not_matching,
    scope_term,
)
from gateway.authoring.policies.verdicts import Direction, Verdict, direction_of, verdict_of
from gateway.decide.bundle import Bundle
from gateway.decide.conditions.syntax import BinaryOp
from gateway.decide.patterns import Pattern
from gateway.decide.rules.index import deciding_order, mismatch_static
from gateway.decide.rules.policy import Policy, Rule
from gateway.model.action import Action, Kind, Target
from gateway.model.dataclass import dataclass
from gateway.model.decision import ReasonCode
from gateway.model.effect import Effect, Mode

REGIONS_MAX: Final = 2_000
"""Pairs of rules that are compared for one class."""


class Certainty(StrEnum):
    """ALWAYS: proven for every act of the class. SOMETIMES: seen in an example, and proven to
    depend on more than the act. SEEN: in an example; nothing is proven. POSSIBLE: neither proven
    nor seen."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    SEEN = "seen"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Change:
    """Acts that are decided otherwise. `actions` are names of them, `count` how many operations;
    `example` the values for which it is so."""

    direction: Direction
    before: Verdict
    after: Verdict
    certainty: Certainty
    kinds: tuple[str, ...]
    actions: tuple[str, ...]
    count: int
    example: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`proven` of `classes` are the same or differ by proof; of the others only questions tell."""

    changes: list[Change]
    classes: int
    proven: int
    probes: int


def compare(old: Bundle, new: Bundle, classes: Sequence[Class]) -> Comparison:
    """Compare class by class."""
    changes: list[Change] = []
    proven = probes = 0
    for each in classes:
        found, is_proven, asked = _compare_class(old, new, each)
        changes += found
        proven += is_proven
        probes += asked
    return Comparison(_merged(changes), len(classes), proven, probes)


def _merged(changes: Iterable[Change]) -> list[Change]:
    """Changes of several classes from the same to the same as one; what frees acts first."""
    found: dict[tuple[Verdict, Verdict, Certainty], Change] = {}
    for change in changes:
        key = (change.before, change.after, change.certainty)
        known = found.get(key)
        if known is not None:
            kinds = tuple(sorted({*known.kinds, *change.kinds}))
            actions = tuple(sorted({*known.actions, *change.actions}))
            count = known.count + change.count
            found[key] = replace(known, kinds=kinds, actions=actions, count=count)
        else:
            found[key] = change
    order = (Direction.LOOSER, Direction.TIGHTER, Direction.SAME)
    return sorted(
        found.values(),
        key=lambda change: (order.index(change.direction), -change.count, change.actions),
    )


def _compare_class(old: Bundle, new: Bundle, each: Class) -> tuple[list[Change], bool, int]:
    action = _action_of(each.shape)
    before, after = _candidates(old, action), _candidates(new, action)
    pairs = _regions(old, new, before, after, each.shape)
    if pairs is not None:
        differing = [pair for pair in pairs if _differs(*pair)]
        if not differing:
            return [], True, 0
        if len(pairs) == 1:
            return [_change(each, *pairs[0], Certainty.ALWAYS, None)], True, 0
    rules = [rule for _, rule in (*before, *after)]
    scopes = [policy.scope for bundle in (old, new) for policy in bundle.policies if policy.scope]
    probes = probes_of(each.shape, rules, scopes)
    seen: dict[tuple[Verdict, Verdict], Probe] = {}
    for probe in probes:
        pair = _verdict(old, probe), _verdict(new, probe)
        if _differs(*pair):
            seen.setdefault(pair, probe)
    certainty = Certainty.SEEN if pairs is None else Certainty.SOMETIMES
    changes = [_change(each, *pair, certainty, probe) for pair, probe in seen.items()]
    if pairs is not None:
        unseen = [pair for pair in differing if pair not in seen]
        changes += [_change(each, *pair, Certainty.POSSIBLE, None) for pair in unseen]
    return changes, pairs is not None, len(probes)


def _differs(before: Verdict, after: Verdict) -> bool:
    return (before.effect, before.is_watched) != (after.effect, after.is_watched)


def _change(
    each: Class, before: Verdict, after: Verdict, certainty: Certainty, probe: Probe | None
) -> Change:
    return Change(
        direction_of(before, after),
        before,
        after,
        certainty,
        (each.shape.kind,),
        tuple(sorted(each.actions)),
        each.count,
        () if probe is None else tuple(_example(probe)),
    )


def _example(probe: Probe) -> Iterator[tuple[str, str]]:
    for path, value in sorted(probe.given.items()):
        if path.startswith("params."):
            name = path.removeprefix("params.")
            is_given = name not in probe.action.missing
            yield path, repr(value) if is_given else "(missing)"
        elif isinstance(value, str):
            yield path, repr(value)


def _action_of(shape: Shape) -> Action:
    return Action(
        shape.provider,
        shape.operation,
        shape.action,
        Kind(shape.kind),
        Target(shape.target_type, ""),
        {},
        shape.reversible,
        shape.sensitive,
    )


def _verdict(bundle: Bundle, probe: Probe) -> Verdict:
    decision = bundle.decide((probe.action,), probe.context, Mode.ENFORCE)
    return verdict_of(decision)


# --- proofs ---------------------------------------------------------------------------------------


Candidates = list[tuple[Policy, Rule]]


def _candidates(bundle: Bundle, action: Action) -> Candidates:
    """The rules that could decide an act, in deciding order."""
    return [
        (policy, rule)
        for policy in bundle.policies
        for rule in sorted(policy.rules, key=deciding_order)
        if rule.enabled and rule.mode is Mode.ENFORCE and mismatch_static(rule, action) is None
    ]


def _regions(
    old: Bundle, new: Bundle, before: Candidates, after: Candidates, shape: Shape
) -> list[tuple[Verdict, Verdict]] | None:
    """Every pair of verdicts that an act of this shape may get; None where there are more cases
    than are looked at."""
    try:
        left, right = _side(old, before, shape), _side(new, after, shape)
    except TooManyError:
        return None
    if len(left) * len(right) > REGIONS_MAX:
        return None
    return [
        (one, other)
        for one, terms in left.items()
        for other, others in right.items()
        if can_meet(terms, others)
    ]


Parts = dict[Verdict, list[Term]]
"""Each verdict, with when it is given."""

_NO_POLICY: Final = Verdict(Effect.BLOCK, False, ReasonCode.NO_POLICY)


def _side(bundle: Bundle, candidates: Candidates, shape: Shape) -> Parts:
    """The verdicts of a bundle on acts of this shape. Policies in monitor mode are heard where no
    other one is about the agent.

    Raises:
        TooManyError: there are more cases than are looked at.
    """
    ordered = sorted(bundle.policies, key=lambda policy: policy.name)
    enforced = [policy for policy in ordered if policy.mode is Mode.ENFORCE]
    watched = [policy for policy in ordered if policy.mode is Mode.MONITOR]
    found = _together(enforced, candidates, [_facts(shape)])
    unheard = found.pop(None, [])
    if unheard:
        found |= _together(watched, candidates, unheard)
    return {verdict or _NO_POLICY: terms for verdict, terms in found.items()}


def _together(
    policies: Iterable[Policy], candidates: Candidates, around: list[Term]
) -> dict[Verdict | None, list[Term]]:
    """What several policies say within some alternatives: the strictest, and of equally strict
    ones that of the first. None stands for those that none of them is about.

    Raises:
        TooManyError: there are more cases than are looked at.
    """
    found: dict[Verdict | None, list[Term]] = {None: around}
    for policy in policies:
        rules = [rule for owner, rule in candidates if owner is policy]
        joined: dict[Verdict | None, list[Term]] = {}
        for verdict, terms in _policy_parts(policy, rules):
            for known, known_terms in found.items():
                joint = _both(known_terms, terms)
                if joint:
                    joined.setdefault(_stricter(known, verdict), []).extend(joint)
        if sum(map(len, joined.values())) > TERMS_MAX:
            raise TooManyError
        found = joined
    return found


def _stricter(known: Verdict | None, other: Verdict | None) -> Verdict | None:
    if known is None or other is None:
        return known or other
    return other if other.effect.strictness > known.effect.strictness else known


def _policy_parts(
    policy: Policy, rules: Iterable[Rule]
) -> Iterator[tuple[Verdict | None, list[Term]]]:
    """When a policy says what; None where it is not about the agent."""
    is_watched = policy.mode is Mode.MONITOR
    if policy.scope is not None:
        yield None, [((Fits("agent.id", policy.scope, is_total=True), Says.FALSE),)]
    open_terms: list[Term] = [scope_term(policy)]
    for rule in rules:
        taken = _both(open_terms, matching(rule))
        if taken:
            yield Verdict(rule.effect, is_watched, f"{policy.name}/{rule.id}"), taken
        open_terms = _both(open_terms, not_matching(rule))
        if not open_terms:
            return
    speaker = f"{policy.name}/{ReasonCode.NO_RULE_MATCHED}"
    yield Verdict(policy.default_effect, is_watched, speaker), open_terms


def _facts(shape: Shape) -> Term:
    """What holds of every act of a shape."""
    names = {
        "provider": shape.provider,
        "operation": shape.operation,
        "action": shape.action,
        "kind": shape.kind,
        "target.type": shape.target_type,
        "sensitive": shape.sensitive or "",
    }
    facts: list[tuple[Fits | Compares, Says]] = [
        (Fits(path, Pattern(frozenset({name})), is_total=True), Says.TRUE)
        for path, name in names.items()
    ]
    facts.append((Compares("reversible", BinaryOp.EQUAL, shape.reversible), Says.TRUE))
    if shape.sensitive:
        sensitive = Pattern(frozenset({shape.sensitive}))
        facts.append((Fits("match.sensitive", sensitive, is_total=True), Says.TRUE))
    return tuple(facts)


def _both(terms: Sequence[Term], others: Sequence[Term]) -> list[Term]:
    found = both(terms, others)
    if len(found) > TERMS_MAX:
        raise TooManyError
    return found
