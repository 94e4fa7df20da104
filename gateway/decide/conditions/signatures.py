"""How each function of the language is written, what it takes and what it gives.

One table serves the parser (form, number of arguments), the checker (types) and the list in
`policies/README.md`, which a test holds against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.decide.conditions.facts import ValueType
from gateway.decide.conditions.operand_types import NUMBERS, TIMES
from gateway.decide.conditions.syntax import Function
from gateway.decide.conditions.values.times import CLOCK_PARTS, PARTS
from gateway.model.dataclass import dataclass

_TEXT: Final = frozenset({ValueType.TEXT})


@dataclass(frozen=True, slots=True)
class Signature:
    """`takes` are the operands' types, the value that a method stands behind being the first;
    the last `optional` of them may be left out. `wanted` says it in words. `is_method`: written
    behind its value; `is_global`: written before it."""

    takes: tuple[frozenset[ValueType], ...]
    gives: ValueType
    wanted: str
    is_method: bool = True
    is_global: bool = False
    optional: int = 0


def _of_text(*more: frozenset[ValueType]) -> Signature:
    return Signature((_TEXT, *more), ValueType.BOOL, "text")


def _conversion(takes: frozenset[ValueType], gives: ValueType, wanted: str) -> Signature:
    return Signature((takes,), gives, wanted, is_method=False, is_global=True)


SIGNATURES: Final[Mapping[Function, Signature]] = {
    Function.SIZE: Signature(
        (frozenset({ValueType.TEXT, ValueType.LIST, ValueType.MAP}),),
        ValueType.INT,
        "text, a list or a map",
        is_global=True,
    ),
    Function.STARTS_WITH: _of_text(_TEXT),
    Function.ENDS_WITH: _of_text(_TEXT),
    Function.CONTAINS: _of_text(_TEXT),
    Function.MATCHES: _of_text(_TEXT),
    Function.INT: _conversion(
        NUMBERS | _TEXT | {ValueType.TIMESTAMP}, ValueType.INT, "a number, text or a point in time"
    ),
    Function.DOUBLE: _conversion(NUMBERS | _TEXT, ValueType.DOUBLE, "a number or text"),
    Function.STRING: _conversion(
        _TEXT | TIMES | {ValueType.INT, ValueType.BOOL},
        ValueType.TEXT,
        "a whole number, text, true or false, or a time",
    ),
    Function.BOOL: _conversion(_TEXT | {ValueType.BOOL}, ValueType.BOOL, "text, or true or false"),
    Function.TIMESTAMP: _conversion(
        _TEXT | {ValueType.INT, ValueType.TIMESTAMP},
        ValueType.TIMESTAMP,
        "text such as `2026-01-31T00:00:00Z`, or seconds since 1970",
    ),
    Function.DURATION: _conversion(
        _TEXT | {ValueType.DURATION}, ValueType.DURATION, "text such as `1h30m`"
    ),
    **{
        part: Signature(
            (TIMES if part in CLOCK_PARTS else frozenset({ValueType.TIMESTAMP}), _TEXT),
            ValueType.INT,
            "a point in time or a span" if part in CLOCK_PARTS else "a point in time",
            optional=1,
        )
        for part in Function
        if part in PARTS
    },
}

GLOBALS: Final = ("has", *(name.value for name, one in SIGNATURES.items() if one.is_global))
METHODS: Final = tuple(name.value for name, one in SIGNATURES.items() if one.is_method)
