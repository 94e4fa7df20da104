"""Turns what doesn't fit into the help that makes it fit: operands by their types, names that
nothing has.
"""

from __future__ import annotations

from typing import Final

from gateway.decide.conditions.facts import FACTS, ROOTS, ValueType
from gateway.decide.conditions.operand_types import ARITHMETIC, NUMBERS
from gateway.decide.conditions.syntax import Binary, Literal, Node, path_of
from gateway.decide.nearest import nearest_help

_SPAN: Final = 'write `duration("1h30m")` for a span of time'
_MOMENT: Final = 'write `timestamp("2026-01-31T00:00:00Z")` for a point in time'


def comparison_help(node: Binary, left: ValueType, right: ValueType) -> str:
    """How two values of these types are compared after all."""
    for side in (node.left, node.right):
        if isinstance(side, Literal) and isinstance(side.value, str) and _is_number(side.value):
            return f"write {side.value} without quotes if it is a number"
    return conversion_help(node, left, right)


def _is_number(text: str) -> bool:
    try:
        int(text[:20])
    except ValueError:
        return False
    return True


def conversion_help(node: Binary, left: ValueType, right: ValueType) -> str:
    """How one side is made the other's type."""
    sides = {left: node.left, right: node.right}
    if ValueType.DATA in sides:
        other = left if right is ValueType.DATA else right
        return time_help(sides[ValueType.DATA], other)
    types = {left, right}
    if types == NUMBERS:
        return "write `double(...)` around the whole number"
    if types == {ValueType.TEXT, ValueType.INT}:
        return "write `string(...)` around the number, or `int(...)` around the text"
    if types.isdisjoint({ValueType.TEXT, ValueType.INT}):
        return ""
    if ValueType.DURATION in types or (ValueType.TIMESTAMP in types and node.op in ARITHMETIC):
        return _SPAN
    return _MOMENT if ValueType.TIMESTAMP in types else ""


def time_help(node: Node, wanted: ValueType = ValueType.TIMESTAMP) -> str:
    """A request holds no decimals and no times; how its text or number becomes one."""
    path = path_of(node) or "..."
    match wanted:
        case ValueType.DOUBLE:
            return f"write `double({path})`; amounts are whole numbers of minor units"
        case ValueType.DURATION:
            return f"write `duration({path})`"
        case _:
            return f"write `timestamp({path})`"


def name_help(name: str, variables: frozenset[str]) -> str:
    """What to write instead of a name that nothing has."""
    whole = [f"`{fact}`" for fact in FACTS if fact.endswith(f".{name}")]
    if whole:
        return f"write {' or '.join(whole)}"
    near = nearest_help(name, ROOTS | variables)
    return near or f"parameters of the action are read as `params.{name}`"
