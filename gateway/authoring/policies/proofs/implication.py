"""Says of literals whether they can hold together.

INVARIANT(sound): "impossible" is said only where it is certain; anything that is not understood is
possible. A value is looked at as each of the things that it could be (nothing, null, a truth value,
a number, a text, something else), since conditions treat each differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final

from gateway.authoring.policies.proofs.effort import spend
from gateway.authoring.policies.proofs.literals import (
    Atom,
    Compares,
    Fits,
    IsOneOf,
    IsThere,
    LiteralOf,
    Opaque,
    Says,
    Stands,
    Term,
)
from gateway.decide.conditions.facts import FACTS, KINDS, ValueType
from gateway.decide.conditions.syntax import EQUALITY, BinaryOp, LiteralValue
from gateway.decide.conditions.values.semantics import equal
from gateway.decide.patterns import Glob, Pattern


class Sort(Enum):
    """What a value can be. NOTHING: it is missing, or what is around it is not what it should."""

    NOTHING = "nothing"
    NULL = "null"
    TRUTH = "truth"
    NUMBER = "number"
    TEXT = "text"
    OTHER = "other"


_SORTS_OF_TYPE: Final = {
    ValueType.TEXT: frozenset({Sort.TEXT}),
    ValueType.BOOL: frozenset({Sort.TRUTH}),
    ValueType.INT: frozenset({Sort.NUMBER}),
}
_MATCHED_ONLY: Final = frozenset({Sort.NOTHING, Sort.TEXT})
_EVERYTHING: Final = frozenset(Sort)

_RANGES: Final = {"risk.score": (0, 100)}
"""Numbers that are known to lie between two."""

_WORDS: Final = {"kind": KINDS}
"""Texts that are one of these."""


def is_impossible(term: Term) -> bool:
    """Whether these literals certainly never hold together.

    Raises:
        ExhaustedError: see `effort`.
    """
    spend(len(term))
    by_path: dict[str, list[LiteralOf]] = {}
    claims: dict[str, set[Says]] = {}
    for atom, says in term:
        if isinstance(atom, Opaque):
            if atom.key:
                claims.setdefault(atom.key, set()).add(says)
        else:
            by_path.setdefault(atom.path, []).append((atom, says))
    if any(_contradict(found) for found in claims.values()):
        return True
    return any(
        all(_excludes(sort, path, literals) for sort in _sorts_of(path))
        for path, literals in by_path.items()
    )


def both(terms: Iterable[Term], others: Sequence[Term]) -> list[Term]:
    """The alternatives in which one of each holds, without those that are impossible."""
    found = []
    for term in terms:
        for other in others:
            joined = term + tuple(literal for literal in other if literal not in term)
            if not is_impossible(joined):
                found.append(joined)
    return found


def can_meet(terms: Iterable[Term], others: Sequence[Term]) -> bool:
    """Whether one of each could hold together; False is certain."""
    return any(not is_impossible(term + other) for term in terms for other in others)


def _contradict(claims: set[Says]) -> bool:
    return any(
        pair <= claims
        for pair in (
            {Says.TRUE, Says.FALSE},
            {Says.TRUE, Says.NOT_TRUE},
            {Says.FALSE, Says.NOT_FALSE},
        )
    )


def _sorts_of(path: str) -> frozenset[Sort]:
    fact = FACTS.get(path)
    if fact is not None:
        sorts = _SORTS_OF_TYPE.get(fact.type, _EVERYTHING)
        # An unreadable target has no id that a condition could read.
        return sorts | {Sort.NOTHING} if path == "target.id" else sorts
    if path.startswith("match."):
        return _MATCHED_ONLY
    return _EVERYTHING


def _excludes(sort: Sort, path: str, literals: Sequence[LiteralOf]) -> bool:
    """Whether no value of this sort fulfils all literals."""
    match sort:
        case Sort.TRUTH:
            return not any(_admits(value, literals) for value in (True, False))
        case Sort.NULL:
            return not _admits(None, literals)
        case Sort.NUMBER:
            return not any(_admits(value, literals) for value in _numbers(path, literals))
        case Sort.TEXT:
            return _excludes_text(path, literals)
        case Sort.NOTHING | Sort.OTHER:
            return not all(says in _outcomes(sort, atom) for atom, says in literals)


def _claims_of(answer: bool | None) -> frozenset[Says]:
    """What may be said of an atom with this value; None is unresolved."""
    if answer is None:
        return _UNRESOLVED
    return _IS_TRUE if answer else _IS_FALSE


_IS_TRUE: Final = frozenset({Says.TRUE, Says.NOT_FALSE})
_IS_FALSE: Final = frozenset({Says.FALSE, Says.NOT_TRUE})
_UNRESOLVED: Final = frozenset({Says.NOT_TRUE, Says.NOT_FALSE})
_ANYTHING: Final = frozenset(Says)


def _outcomes(sort: Sort, atom: Atom) -> frozenset[Says]:
    """What an atom may say of what is nothing, or of a list or map."""
    is_nothing = sort is Sort.NOTHING
    match atom:
        case IsThere():
            return _IS_FALSE | _UNRESOLVED if is_nothing else _IS_TRUE
        case Fits(_, _, is_total):
            return _IS_FALSE if is_total else _UNRESOLVED
        case _ if is_nothing:
            return _UNRESOLVED
        case _ if not atom.path.startswith(_JSON_ROOTS):
            # A fact may be of a type that is not looked into: no claim.
            return _ANYTHING
        case Compares(_, op, _) if op not in EQUALITY:
            return _UNRESOLVED
        case Compares(_, op, _):
            return _IS_TRUE if op is BinaryOp.NOT_EQUAL else _IS_FALSE
        case IsOneOf():
            return _IS_FALSE
        case _:
            return _UNRESOLVED


_JSON_ROOTS: Final = ("params.", "agent.labels.")
"""What comes from a request or a directory: a list or a map is all that is left beside scalars."""


def _admits(value: LiteralValue, literals: Iterable[LiteralOf]) -> bool:
    return all(says in _claims_of(_answer(atom, value)) for atom, says in literals)


def _answer(atom: Atom, value: LiteralValue) -> bool | None:
    """What an atom says of one value; None when it can't be told."""
    match atom:
        case Compares(_, op, wanted):
            return _compare(op, value, wanted)
        case IsOneOf(_, values):
            return any(equal(value, wanted) for wanted in values)
        case Fits(_, pattern, is_total):
            if isinstance(value, str):
                return pattern.matches(value)
            return False if is_total else None
        case Stands():
            return value if isinstance(value, bool) else None
        case IsThere():
            return True
        case Opaque():
            raise AssertionError("opaque atoms have no path")


_ORDERS: Final[dict[BinaryOp, Callable[[int], bool]]] = {
    BinaryOp.LESS: lambda order: order < 0,
    BinaryOp.LESS_EQUAL: lambda order: order <= 0,
    BinaryOp.GREATER: lambda order: order > 0,
    BinaryOp.GREATER_EQUAL: lambda order: order >= 0,
}


def _compare(op: BinaryOp, value: LiteralValue, wanted: LiteralValue) -> bool | None:
    if op in EQUALITY:
        return equal(value, wanted) is (op is BinaryOp.EQUAL)
    if isinstance(value, bool) is not isinstance(wanted, bool):
        return None
    if isinstance(value, str) and isinstance(wanted, str):
        return _ORDERS[op]((value > wanted) - (value < wanted))
    if isinstance(value, int | float) and isinstance(wanted, int | float):
        return _ORDERS[op]((value > wanted) - (value < wanted))
    return None


def _numbers(path: str, literals: Iterable[LiteralOf]) -> Iterable[LiteralValue]:
    """Numbers of which one fulfils the literals, if any number does: all that they name, and one
    on each side and between. Every atom keeps its answer from one named number to the next."""
    named = sorted({value for atom, _ in literals for value in _numbers_in(atom)})
    least, most = _RANGES.get(path, (None, None))
    named = sorted({*named, *(bound for bound in (least, most) if bound is not None)})
    if not named:
        yield 0
        return
    candidates: list[int | float] = [int(named[0]) - 2]
    for here, following in zip(named, [*named[1:], int(named[-1]) + 4], strict=True):
        candidates += [here, _between(here, following)]
    for number in candidates:
        if (least is None or number >= least) and (most is None or number <= most):
            yield number


def _between(low: int | float, high: int | float) -> int | float:
    if isinstance(low, int) and low + 1 < high:
        return low + 1
    return (low + high) / 2


def _numbers_in(atom: Atom) -> Iterable[int | float]:
    match atom:
        case Compares(_, _, value):
            values: tuple[LiteralValue, ...] = (value,)
        case IsOneOf(_, found):
            values = found
        case _:
            return
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value


# --- texts ----------------------------------------------------------------------------------------


def _excludes_text(path: str, literals: Sequence[LiteralOf]) -> bool:
    """Whether no text fulfils all literals: each text that they could be about is tried, or each
    run of texts is shown to be excluded."""
    if not all(_may_be_text(atom, says) for atom, says in literals):
        return True
    words = _WORDS.get(path)
    if words is not None:
        return not any(_admits(word, literals) for word in words)
    wanted = [found for atom, says in literals if (found := _wanted(atom, says)) is not None]
    forbidden = [found for atom, says in literals if (found := _forbidden(atom, says)) is not None]
    for pattern in wanted:
        texts_fail = all(not _admits(text, literals) for text in pattern.exact)
        if texts_fail and all(_glob_fails(glob, wanted, forbidden) for glob in pattern.globs):
            return True
    return any(_glob_covered(_ANY_TEXT, pattern) for pattern in forbidden)


_ANY_TEXT: Final = Glob(("", ""))


def _may_be_text(atom: Atom, says: Says) -> bool:
    """Whether some text gives this answer, whichever text it is."""
    match atom:
        case Compares(_, op, wanted) if not isinstance(wanted, str):
            answer = None if op not in EQUALITY else op is BinaryOp.NOT_EQUAL
            return says in _claims_of(answer)
        case Stands():
            return says in _UNRESOLVED
        case IsThere():
            return says in _IS_TRUE
        case _:
            return says in _IS_TRUE or says in _IS_FALSE


def _positive(says: Says) -> bool:
    # A text gives every atom of texts an answer, so what is not false is true.
    return says in _IS_TRUE


def _wanted(atom: Atom, says: Says) -> Pattern | None:
    """The texts that a literal leaves, where they can be listed."""
    match atom:
        case Fits(_, pattern, _) if _positive(says):
            return pattern
        case IsOneOf(_, values) if _positive(says):
            return _texts(values)
        case Compares(_, BinaryOp.EQUAL, str() as value) if _positive(says):
            return _texts((value,))
        case Compares(_, BinaryOp.NOT_EQUAL, str() as value) if not _positive(says):
            return _texts((value,))
        case _:
            return None


def _forbidden(atom: Atom, says: Says) -> Pattern | None:
    """The texts that a literal takes away, where they can be listed."""
    match atom:
        case Fits(_, pattern, _) if not _positive(says):
            return pattern
        case _:
            return None


def _texts(values: Iterable[LiteralValue]) -> Pattern:
    return Pattern(frozenset(value for value in values if isinstance(value, str)))


def _glob_fails(glob: Glob, wanted: Iterable[Pattern], forbidden: Iterable[Pattern]) -> bool:
    """Whether no text that the glob fits passes all the others."""
    if any(_glob_covered(glob, pattern) for pattern in forbidden):
        return True
    return any(
        not pattern.exact and all(_disjoint(glob, other) for other in pattern.globs)
        for pattern in wanted
    )


def _glob_covered(glob: Glob, pattern: Pattern) -> bool:
    """Whether one of the pattern's globs fits all that this one fits. Its stars stand for
    themselves there: only another star takes a star."""
    return any(_takes(other, glob) for other in pattern.globs)


def _takes(wider: Glob, narrower: Glob) -> bool:
    # No piece of a glob holds a star, so whatever takes the star takes all that it stands for.
    return wider.matches("*".join(narrower.pieces))


def _disjoint(left: Glob, right: Glob) -> bool:
    """Whether two globs differ in how their texts begin or end."""
    begins, ends = (left.pieces[0], right.pieces[0]), (left.pieces[-1], right.pieces[-1])
    if not (begins[0].startswith(begins[1]) or begins[1].startswith(begins[0])):
        return True
    return not (ends[0].endswith(ends[1]) or ends[1].endswith(ends[0]))
