"""What one evaluation of a condition carries from step to step: its inputs, its variables, and how
much work it may still do.

A step gives a node's value, or the `Unresolved` that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.model.action import Action
from gateway.model.decision import Context

ITERATIONS_MAX: Final = 1_000
"""Items that an outermost quantifier looks at, those inside it together: whatever list the agent
sends. Beyond it the condition can't be evaluated."""

WORK_MAX: Final = 50_000
"""Steps that an outermost quantifier may take: ten milliseconds, and forty for maps that are
compared. A step is one node of the condition, one item that is gone through, or some characters."""

CHARS_OF_A_STEP: Final = 64


class Scope:
    """What one evaluation reads, and what its outermost quantifier has used up."""

    __slots__ = ("action", "assessed", "context", "depth", "iterations", "variables", "work")

    def __init__(self, action: Action, context: Context, assessed: Assessment) -> None:
        self.action = action
        self.context = context
        self.assessed = assessed
        self.variables: dict[str, object] = {}
        self.depth = 0
        self.iterations = 0
        self.work = 0

    def spend(self, steps: int) -> bool:
        """Whether so many steps could still be taken."""
        self.work += steps
        return self.work <= WORK_MAX

    def weight_of(self, value: object) -> int:
        """How many steps it takes to go through a value, as far as they matter."""
        return _weight_of(value, WORK_MAX - self.work)


Step = Callable[[Scope], object]


def applied(
    function: Callable[..., object],
    steps: Sequence[Step],
    fault: Unresolved,
    *,
    is_weighed: bool = False,
) -> Step:
    """A function of its operands' values; unresolved when one of them is.

    `is_weighed`: the function goes through whole values, two of them. Inside a quantifier, where it
    does so again and again, their size is counted first.
    """
    assert not is_weighed or len(steps) == 2
    if len(steps) == 2:
        return _applied_to_two(function, steps[0], steps[1], fault, is_weighed=is_weighed)

    def step(scope: Scope) -> object:
        values = []
        for operand in steps:
            value = operand(scope)
            if type(value) is Unresolved:
                return value
            values.append(value)
        try:
            return function(*values)
        except Unresolved:
            return fault

    return step


def _applied_to_two(
    function: Callable[..., object],
    left: Step,
    right: Step,
    fault: Unresolved,
    *,
    is_weighed: bool,
) -> Step:
    """The same for two operands: nearly all there is, and half the time."""

    def step(scope: Scope) -> object:
        first = left(scope)
        if type(first) is Unresolved:
            return first
        second = right(scope)
        if type(second) is Unresolved:
            return second
        if is_weighed and scope.depth:
            weight = scope.weight_of(first) + scope.weight_of(second)
            if not scope.spend(weight):
                return fault
        try:
            return function(first, second)
        except Unresolved:
            return fault

    return step


def _weight_of(value: object, most: int) -> int:
    """How many steps it takes to go through a value; once it is more than `most`, any such number.

    Raises:
        RecursionError: it is nested without end.
    """
    if isinstance(value, str):
        return len(value) // CHARS_OF_A_STEP
    if isinstance(value, int | float) or not isinstance(value, Mapping | Sequence):
        return 0
    weight = len(value)
    for item in value.values() if isinstance(value, Mapping) else value:
        if weight > most:
            break
        weight += _weight_of(item, most - weight)
    return weight
