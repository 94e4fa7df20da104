"""Says of rules whether one, or several together, take all that another one matches.

INVARIANT(sound): said only where it is certain; see `implication`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from gateway.authoring.policies.proofs.implication import both, can_meet, is_impossible
from gateway.authoring.policies.proofs.literals import (
    TERMS_MAX,
    Term,
    TooManyError,
    is_same_condition,
    matching,
    not_matching,
)
from gateway.decide.rules.policy import Rule
from gateway.model.effect import Effect

COVERS_MAX: Final = 24
"""Rules that are tried together as the cover of one."""


def can_match(rule: Rule, around: Term = ()) -> bool:
    """Whether a rule could ever match; False is certain. `around` holds too: the scope of its
    policy."""
    try:
        return any(not is_impossible(around + term) for term in matching(rule))
    except TooManyError:
        return True


def can_overlap(left: Rule, right: Rule) -> bool:
    """Whether two rules could match one action; False is certain."""
    try:
        return can_meet(matching(left), matching(right))
    except TooManyError:
        return True


def takes_all(earlier: Rule, later: Rule, around: Term = ()) -> bool:
    """Whether the earlier rule certainly matches whenever the later one does."""
    if _is_wider_alike(earlier, later):
        return True
    try:
        terms = [each for term in matching(later) if not is_impossible(each := around + term)]
        return not both(terms, not_matching(earlier))
    except TooManyError:
        return False


def cover_of(later: Rule, earlier: Sequence[Rule], around: Term = ()) -> list[Rule] | None:
    """Rules of which one certainly matches whenever `later` does; None when nobody can tell. The
    fewest that are found: often one."""
    single = next((rule for rule in earlier if takes_all(rule, later, around)), None)
    if single is not None:
        return [single]
    used = _covering(later, earlier, around)
    if used is None:
        return None
    for rule in tuple(used):
        fewer = [other for other in used if other is not rule]
        if _covering(later, fewer, around) is not None:
            used = fewer
    return used


def _covering(later: Rule, earlier: Iterable[Rule], around: Term) -> list[Rule] | None:
    """Those of the earlier rules that take something away, if together they take all."""
    used: list[Rule] = []
    try:
        terms = [each for term in matching(later) if not is_impossible(each := around + term)]
    except TooManyError:
        return None
    for rule in earlier:
        if not terms or len(used) >= COVERS_MAX:
            break
        try:
            if not can_meet(terms, matching(rule)):
                continue
            left = both(terms, not_matching(rule))
        except TooManyError:
            continue
        if len(left) <= TERMS_MAX:
            used.append(rule)
            terms = left
    return None if terms else used


def _is_wider_alike(earlier: Rule, later: Rule) -> bool:
    """Conditions that are written alike, or none, and at least as wide a match."""
    if earlier.effect is Effect.ALLOW and later.effect is not Effect.ALLOW:
        return False
    if earlier.condition is not None and not is_same_condition(earlier, later):
        return False
    wide, narrow = replace(earlier, condition=None), replace(later, condition=None)
    return not both(matching(narrow), not_matching(wide))
