"""Checks the arguments that a policy writes out: patterns, zones, and texts that are converted.

They are compiled, looked up and converted once, when the policy is loaded, and what can't be is an
error there.
"""

from __future__ import annotations

from typing import Final

from gateway.decide.conditions.facts import ValueType
from gateway.decide.conditions.syntax import Call, ConditionError, Function, Literal, Node
from gateway.decide.conditions.values.conversions import CONVERSIONS
from gateway.decide.conditions.values.regex import PatternError, compile_pattern
from gateway.decide.conditions.values.times import PARTS
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.conditions.values.zones import load_zone, unknown_zone

_FORMS: Final = {
    Function.INT: ("a whole number", "digits alone: no unit, no point, nothing to group them"),
    Function.DOUBLE: ("a decimal", "write it as in `1.5`"),
    Function.BOOL: ("true or false", "write `true` or `false`"),
    Function.TIMESTAMP: (
        "a point in time",
        'write it with time and zone, as in `timestamp("2026-01-31T00:00:00Z")`',
    ),
    Function.DURATION: (
        "a span of time of at most 292 years",
        'write a unit behind every number, as in `duration("1h30m")`: `h m s ms us ns`',
    ),
}


def faults_of_written(node: Call, of_type: ValueType) -> list[ConditionError]:
    """What is wrong with the written arguments of a call on a value of this type."""
    if node.function is Function.MATCHES:
        return _faults_of_pattern(node.args[1])
    if node.function in PARTS:
        return _faults_of_zone(node.args[1], of_type) if len(node.args) > 1 else []
    if node.function in _FORMS and isinstance(node.args[0], Literal):
        return _faults_of_form(node.function, node.args[0])
    return []


def _faults_of_pattern(pattern: Node) -> list[ConditionError]:
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        message = "the pattern of `matches` must be written out"
        return [ConditionError(message, pattern.span, 'as in `params.name.matches("^[a-z]+$")`')]
    try:
        compile_pattern(pattern.value)
    except PatternError as error:
        help_text = "the syntax is that of RE2: no look-around, no back references"
        return [ConditionError(f"the pattern can't be used: {error}", pattern.span, help_text)]
    return []


def _faults_of_zone(zone: Node, of_type: ValueType) -> list[ConditionError]:
    if of_type is ValueType.DURATION:
        return [ConditionError("a span of time has no time zone", zone.span)]
    if not isinstance(zone, Literal) or not isinstance(zone.value, str):
        message = "the time zone must be written out"
        return [ConditionError(message, zone.span, 'as in `now.getHours("Europe/Berlin")`')]
    if load_zone(zone.value) is None:
        message, help_text = unknown_zone(zone.value)
        return [ConditionError(message, zone.span, help_text)]
    return []


def _faults_of_form(function: Function, written: Literal) -> list[ConditionError]:
    try:
        CONVERSIONS[function](written.value)
    except Unresolved:
        is_what, help_text = _FORMS[function]
        shown = str(written.value)[:60]
        return [ConditionError(f"`{shown}` is not {is_what}", written.span, help_text)]
    return []
