"""What operators make of the types of their operands, as far as they are known before a request."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

from gateway.decide.conditions.facts import OPEN, ValueType
from gateway.decide.conditions.syntax import BinaryOp

NUMBERS: Final = frozenset({ValueType.INT, ValueType.DOUBLE})
TIMES: Final = frozenset({ValueType.TIMESTAMP, ValueType.DURATION})
ORDERED: Final = NUMBERS | TIMES | {ValueType.TEXT, ValueType.BOOL}
CONTAINERS: Final = frozenset({ValueType.LIST, ValueType.MAP})
OF_REQUESTS: Final = CONTAINERS | {
    ValueType.TEXT, ValueType.INT, ValueType.BOOL, ValueType.NULL,
}  # fmt: skip
"""What DATA can turn out to be: a request has no decimals and no times, only texts of them."""

_Rows = tuple[tuple[ValueType, ValueType, ValueType], ...]

_INTS: Final = (ValueType.INT, ValueType.INT, ValueType.INT)
_DOUBLES: Final = (ValueType.DOUBLE, ValueType.DOUBLE, ValueType.DOUBLE)
_SPANS: Final = (ValueType.DURATION, ValueType.DURATION, ValueType.DURATION)
_LATER: Final = (ValueType.TIMESTAMP, ValueType.DURATION, ValueType.TIMESTAMP)

ARITHMETIC: Final[Mapping[BinaryOp, _Rows]] = {
    BinaryOp.ADD: (
        _INTS,
        _DOUBLES,
        (ValueType.TEXT, ValueType.TEXT, ValueType.TEXT),
        (ValueType.LIST, ValueType.LIST, ValueType.LIST),
        _LATER,
        (ValueType.DURATION, ValueType.TIMESTAMP, ValueType.TIMESTAMP),
        _SPANS,
    ),
    BinaryOp.SUBTRACT: (
        _INTS,
        _DOUBLES,
        _LATER,
        (ValueType.TIMESTAMP, ValueType.TIMESTAMP, ValueType.DURATION),
        _SPANS,
    ),
    BinaryOp.MULTIPLY: (_INTS, _DOUBLES),
    BinaryOp.DIVIDE: (_INTS, _DOUBLES),
    BinaryOp.REMAINDER: (_INTS,),
}
"""Left, right and result of every operator that computes."""

WANTED: Final[Mapping[BinaryOp, str]] = {
    BinaryOp.ADD: "numbers, texts, lists or times",
    BinaryOp.SUBTRACT: "numbers or times",
    BinaryOp.MULTIPLY: "numbers",
    BinaryOp.DIVIDE: "numbers",
    BinaryOp.REMAINDER: "whole numbers",
}


def may_be(found: ValueType, types: Set[ValueType]) -> bool:
    """Whether a value of this type can turn out to be of one of `types`."""
    if found is ValueType.DATA:
        return not OF_REQUESTS.isdisjoint(types)
    return found is ValueType.ANY or found in types


def results_of(op: BinaryOp, left: ValueType, right: ValueType) -> frozenset[ValueType]:
    """The types that a computation can give; none where it can only be a mistake."""
    return frozenset(
        result
        for of_left, of_right, result in ARITHMETIC[op]
        if may_be(left, {of_left}) and may_be(right, {of_right})
    )


def comparable(left: ValueType, right: ValueType) -> bool:
    """Whether two values can turn out to be equal, or one of them before the other."""
    if ValueType.NULL in (left, right) or left is right or {left, right} <= NUMBERS:
        return True
    if left in OPEN:
        left, right = right, left
    # Whole numbers of a request are compared with decimals.
    return right in OPEN and (left in OPEN or left is ValueType.DOUBLE or may_be(right, {left}))
