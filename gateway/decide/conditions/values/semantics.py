"""CEL's operators over the values that a request can hold, exactly.

Python's own operators differ from CEL's where it hurts: `True == 1`, `True > 0`, `"a" in "abc"`,
`items[-1]`. These functions don't. A case that CEL calls an error raises `Unresolved`; what that
means for a rule is decided by the engine. Whole numbers of a request are not bounded by
64 bits: they compare by their true value, and nothing is computed with them. Decimals that are no
number (infinite, not a number) are no result here, see `conversions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gateway.decide.conditions.syntax import BinaryOp, Function
from gateway.decide.conditions.values.conversions import CONVERSIONS, finite, int64
from gateway.decide.conditions.values.times import Duration, Timestamp, duration_of, timestamp_of
from gateway.decide.conditions.values.unresolved import Unresolved

JOINED_CHARS_MAX: Final = 65_536
JOINED_ITEMS_MAX: Final = 10_000
"""Of what `+` makes. Beyond it the condition can't be evaluated."""


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def equal(left: object, right: object) -> bool:
    """Equality of any two values; values of different types are never equal."""
    if type(left) is str and type(right) is str:
        return left == right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left):
        return is_number(right) and left == right
    if isinstance(left, str):
        return isinstance(right, str) and left == right
    if isinstance(left, Mapping):
        return (
            isinstance(right, Mapping)
            and left.keys() == right.keys()
            and all(equal(item, right[key]) for key, item in left.items())
        )
    if isinstance(left, Sequence) and isinstance(right, Sequence):
        return (
            not isinstance(right, str) and len(left) == len(right) and all(map(equal, left, right))
        )
    if isinstance(left, Timestamp | Duration):
        return left == right
    return left is None and right is None


def not_equal(left: object, right: object) -> bool:
    return not equal(left, right)


def _compare(left: object, right: object) -> int:
    """Negative, zero or positive. Numbers, texts (by code point), truth values, points in time and
    spans have an order, each among themselves."""
    if type(left) is int and type(right) is int:
        return (left > right) - (left < right)
    if isinstance(left, bool) and isinstance(right, bool):
        return left - right
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, bool) or isinstance(right, bool):
        raise Unresolved
    if isinstance(left, int | float) and isinstance(right, int | float):
        return (left > right) - (left < right)
    if isinstance(left, Timestamp) and isinstance(right, Timestamp):
        return (left > right) - (left < right)
    if isinstance(left, Duration) and isinstance(right, Duration):
        return (left > right) - (left < right)
    raise Unresolved


def less(left: object, right: object) -> bool:
    return _compare(left, right) < 0


def less_equal(left: object, right: object) -> bool:
    return _compare(left, right) <= 0


def greater(left: object, right: object) -> bool:
    return _compare(left, right) > 0


def greater_equal(left: object, right: object) -> bool:
    return _compare(left, right) >= 0


def is_in(item: object, container: object) -> bool:
    """Member of a list, or key of a map."""
    if isinstance(container, Mapping):
        if isinstance(item, str):
            return item in container
        if isinstance(item, int | float):
            return False
        raise Unresolved  # null, lists and maps can't be keys
    if isinstance(container, Sequence) and not isinstance(container, str):
        return any(equal(item, member) for member in container)
    raise Unresolved


def add(left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > JOINED_CHARS_MAX:
            raise Unresolved
        return left + right
    if isinstance(left, Sequence) and isinstance(right, Sequence):
        if isinstance(left, str) or isinstance(right, str):
            raise Unresolved
        if len(left) + len(right) > JOINED_ITEMS_MAX:
            raise Unresolved
        return [*left, *right]
    if isinstance(left, float) and isinstance(right, float):
        return finite(left + right)
    if isinstance(left, Duration):
        left, right = right, left
    if isinstance(right, Duration):
        return _moved(left, right.nanos)
    return int64(_int(left) + _int(right))


def subtract(left: object, right: object) -> object:
    if isinstance(left, float) and isinstance(right, float):
        return finite(left - right)
    if isinstance(right, Duration):
        return _moved(left, -right.nanos)
    if isinstance(left, Timestamp) and isinstance(right, Timestamp):
        return duration_of(left.nanos - right.nanos)
    return int64(_int(left) - _int(right))


def _moved(value: object, nanos: int) -> Timestamp | Duration:
    if isinstance(value, Timestamp):
        return timestamp_of(*divmod(value.nanos + nanos, 1_000_000_000))
    if isinstance(value, Duration):
        return duration_of(value.nanos + nanos)
    raise Unresolved


def multiply(left: object, right: object) -> int | float:
    if isinstance(left, float) and isinstance(right, float):
        return finite(left * right)
    return int64(_int(left) * _int(right))


def divide(left: object, right: object) -> int | float:
    """Whole numbers towards zero, as CEL and C do; Python's `//` goes down."""
    if isinstance(left, float) and isinstance(right, float):
        return finite(left / right if right else math.inf)
    dividend, divisor = _int(left), _int(right)
    if divisor == 0:
        raise Unresolved
    quotient = abs(dividend) // abs(divisor)
    return int64(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def remainder(left: object, right: object) -> int:
    """With the sign of the dividend, as CEL and C do."""
    dividend, divisor = _int(left), _int(right)
    if divisor == 0:
        raise Unresolved
    if divisor == -1:
        # CEL refuses what the quotient would overflow, though nothing is left over.
        int64(-dividend)
    rest = abs(dividend) % abs(divisor)
    return rest if dividend >= 0 else -rest


def negate(value: object) -> int | float:
    return -value if isinstance(value, float) else int64(-_int(value))


def _int(value: object) -> int:
    # Checked before the operation: the product of two giants would cost what the agent likes.
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unresolved
    return int64(value)


def at_index(container: object, index: object) -> object:
    """`container[index]`: a map by text, a list by a position from 0."""
    if isinstance(container, Mapping):
        if isinstance(index, str) and index in container:
            return container[index]
        raise Unresolved
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if is_list(container) and isinstance(index, int) and not isinstance(index, bool):
        assert isinstance(container, Sequence)
        if 0 <= index < len(container):
            return container[index]
    raise Unresolved


def truth(value: object) -> bool:
    """The value itself if it is true or false; nothing else counts as either."""
    if isinstance(value, bool):
        return value
    raise Unresolved


def size(value: object) -> int:
    """Characters of a text, items of a list or map."""
    if isinstance(value, str | Mapping | Sequence):
        return len(value)
    raise Unresolved


def starts_with(value: object, prefix: object) -> bool:
    if isinstance(value, str) and isinstance(prefix, str):
        return value.startswith(prefix)
    raise Unresolved


def ends_with(value: object, suffix: object) -> bool:
    if isinstance(value, str) and isinstance(suffix, str):
        return value.endswith(suffix)
    raise Unresolved


def contains(value: object, part: object) -> bool:
    if isinstance(value, str) and isinstance(part, str):
        return part in value
    raise Unresolved


BINARY: Final[dict[BinaryOp, Callable[[object, object], object]]] = {
    BinaryOp.EQUAL: equal,
    BinaryOp.NOT_EQUAL: not_equal,
    BinaryOp.LESS: less,
    BinaryOp.LESS_EQUAL: less_equal,
    BinaryOp.GREATER: greater,
    BinaryOp.GREATER_EQUAL: greater_equal,
    BinaryOp.IN: is_in,
    BinaryOp.ADD: add,
    BinaryOp.SUBTRACT: subtract,
    BinaryOp.MULTIPLY: multiply,
    BinaryOp.DIVIDE: divide,
    BinaryOp.REMAINDER: remainder,
}

FUNCTIONS: Final[Mapping[Function, Callable[..., object]]] = {
    Function.SIZE: size,
    Function.STARTS_WITH: starts_with,
    Function.ENDS_WITH: ends_with,
    Function.CONTAINS: contains,
    **CONVERSIONS,
}
"""Those that are functions of their operands' values alone: not `matches`, nor the parts of times,
whose second operand is text of the policy."""
