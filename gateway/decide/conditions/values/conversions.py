"""CEL's conversions: `int()`, `double()`, `string()`, `bool()`, `timestamp()` and `duration()`.

What has no one meaning raises `Unresolved`: a number that does not fit, a text that is none. Where
CEL would go on with `NaN` or an infinity, this is no answer either: every comparison with `NaN` is
false, and an agent could write it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.decide.conditions.syntax import INT64_MAX, INT64_MIN, Function
from gateway.decide.conditions.values.times import (
    Duration,
    Timestamp,
    duration_text,
    parse_duration,
    parse_timestamp,
    timestamp_of,
    timestamp_text,
)
from gateway.decide.conditions.values.unresolved import Unresolved

NUMBER_CHARS_MAX: Final = 128
"""A longer text is no number that anybody writes."""

_INT: Final = re.compile(r"[+-]?[0-9]+")
_DOUBLE: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLS: Final = {
    "true": True, "True": True, "TRUE": True, "t": True, "1": True,
    "false": False, "False": False, "FALSE": False, "f": False, "0": False,
}  # fmt: skip


def int64(value: int) -> int:
    """The number itself if 64 bits hold it."""
    if not INT64_MIN <= value <= INT64_MAX:
        raise Unresolved
    return value


def finite(value: float) -> float:
    """The number itself if it is one."""
    if not math.isfinite(value):
        raise Unresolved
    return value


def to_int(value: object) -> int:
    """Decimals are cut off; times are seconds since 1970."""
    match value:
        case bool():
            raise Unresolved
        case int():
            return int64(value)
        case float() if INT64_MIN < value < INT64_MAX:
            return int(value)
        case str() if len(value) <= NUMBER_CHARS_MAX and _INT.fullmatch(value):
            return int64(int(value))
        case Timestamp():
            return value.nanos // 1_000_000_000
        case _:
            raise Unresolved


def to_double(value: object) -> float:
    match value:
        case bool():
            raise Unresolved
        case float():
            return value
        case int():
            return float(int64(value))
        case str() if len(value) <= NUMBER_CHARS_MAX and _DOUBLE.fullmatch(value):
            return finite(float(value))
        case _:
            raise Unresolved


def to_text(value: object) -> str:
    """Not of decimals: implementations of CEL spell them differently."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(int64(value))
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
        case _:
            raise Unresolved


def to_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    found = _BOOLS.get(value) if isinstance(value, str) else None
    if found is None:
        raise Unresolved
    return found


def to_timestamp(value: object) -> Timestamp:
    """From RFC 3339, or from seconds since 1970."""
    match value:
        case Timestamp():
            return value
        case str():
            return parse_timestamp(value)
        case int() if not isinstance(value, bool):
            return timestamp_of(value)
        case _:
            raise Unresolved


def to_duration(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise Unresolved


CONVERSIONS: Final[Mapping[Function, Callable[[object], object]]] = {
    Function.INT: to_int,
    Function.DOUBLE: to_double,
    Function.STRING: to_text,
    Function.BOOL: to_bool,
    Function.TIMESTAMP: to_timestamp,
    Function.DURATION: to_duration,
}
