"""Evaluates the tree of a condition, exactly as CEL says: the reference for the compiled form.

It is also the slow path: a compiled function that meets a value it has no shortcut for gives up,
and this says what the answer is. The tree is walked once, into one small function a node; what
can't be told travels as an `Unresolved` value, because `false && error` is false and `true ||
error` is true, whichever side the error stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, assert_never

from gateway.decide.assessment import Assessment
from gateway.decide.conditions import semantics
from gateway.decide.conditions.facts import Fact, fact_of
from gateway.decide.conditions.semantics import Unresolved
from gateway.decide.conditions.syntax import (
    Binary,
    Call,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    LogicOp,
    Name,
    Negate,
    Node,
    Not,
    Quantified,
    Quantifier,
    Select,
    Ternary,
    path_of,
    subject_of,
)
from gateway.model.action import ANY_PARAM, Action
from gateway.model.decision import Context

ITERATIONS_MAX: Final = 1_000
"""Items that `all` and `exists` look at in one evaluation, nested ones together: about two
milliseconds, whatever list the agent sends. Beyond it the condition can't be evaluated."""


class _Scope:
    """What one evaluation reads, and what it has used up."""

    __slots__ = ("action", "assessed", "context", "iterations", "variables")

    def __init__(self, action: Action, context: Context, assessed: Assessment) -> None:
        self.action = action
        self.context = context
        self.assessed = assessed
        self.variables: dict[str, object] = {}
        self.iterations = 0


Interpreted = Callable[[Action, Context, Assessment], "bool | Unresolved"]

_Step = Callable[[_Scope], object]
"""Gives a node's value, or the `Unresolved` that it is."""


def interpret(node: Node) -> Interpreted:
    """Make the function that says whether a condition is true; an `Unresolved`, with the field
    it fails on, when that can't be told. It never raises for what a request holds."""
    step = _truth(node)
    deep = Unresolved(subject_of(node))

    def holds(action: Action, context: Context, assessed: Assessment) -> bool | Unresolved:
        try:
            answer = step(_Scope(action, context, assessed))
        except RecursionError:
            # Two values of the request, nested as deeply as its parser allows, were compared.
            return deep
        assert isinstance(answer, bool | Unresolved)
        return answer

    return holds


def _step(node: Node) -> _Step:
    fact = fact_of(node)
    if fact is not None:
        return _read(fact)
    match node:
        case Literal(_, value):
            return lambda _: value
        case ListLiteral():
            return _applied(node, lambda *items: list(items), node.items)
        case Name(_, name):
            return lambda scope: scope.variables[name]
        case Select():
            return _select(node)
        case Index():
            return _applied(node, semantics.at_index, (node.operand, node.index))
        case Has():
            return _has(node)
        case Not():
            return _applied(node, lambda value: not semantics.truth(value), (node.operand,))
        case Negate():
            return _applied(node, semantics.negate, (node.operand,))
        case Binary():
            return _applied(node, semantics.BINARY[node.op], (node.left, node.right))
        case Logic():
            return _logic(node)
        case Ternary():
            return _ternary(node)
        case Call():
            return _applied(node, semantics.FUNCTIONS[node.function], node.args)
        case Quantified():
            return _quantified(node)
        case _:
            assert_never(node)


def _read(fact: Fact) -> _Step:
    def step(scope: _Scope) -> object:
        try:
            return fact.read(scope.action, scope.context, scope.assessed)
        except Unresolved as unresolved:
            return unresolved

    return step


def _applied(node: Node, function: Callable[..., object], operands: Sequence[Node]) -> _Step:
    """A function of its operands' values; unresolved when one of them is."""
    steps = tuple(_step(operand) for operand in operands)
    fault = Unresolved(subject_of(node))
    if len(steps) == 2:
        return _applied_to_two(function, *steps, fault)

    def step(scope: _Scope) -> object:
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
    function: Callable[..., object], left: _Step, right: _Step, fault: Unresolved
) -> _Step:
    """The same for two operands: nearly all there is, and half the time."""

    def step(scope: _Scope) -> object:
        first = left(scope)
        if type(first) is Unresolved:
            return first
        second = right(scope)
        if type(second) is Unresolved:
            return second
        try:
            return function(first, second)
        except Unresolved:
            return fault

    return step


def _select(node: Select) -> _Step:
    operand, field = _step(node.operand), node.field
    fault = Unresolved(path_of(node) or field)

    def step(scope: _Scope) -> object:
        value = operand(scope)
        if type(value) is Unresolved:
            return value
        if (type(value) is dict or isinstance(value, Mapping)) and field in value:
            return value[field]
        return fault

    return step


def _has(node: Has) -> _Step:
    operand, field = _step(node.operand), node.field
    path = path_of(node)
    fault = Unresolved(path or field)
    param = None if path is None else path.removeprefix("params.")
    is_param = path_of(node.operand) == "params"

    def step(scope: _Scope) -> object:
        value = operand(scope)
        if type(value) is Unresolved:
            return value
        if not isinstance(value, Mapping):
            return fault
        if field in value:
            return True
        # What may be there and could not be read: nobody can say that it is not there.
        unreadable = scope.action.unreadable
        may_be = bool(unreadable) and (
            param in unreadable or (is_param and ANY_PARAM in unreadable)
        )
        return fault if may_be else False

    return step


def _ternary(node: Ternary) -> _Step:
    condition, then, otherwise = _truth(node.condition), _step(node.then), _step(node.otherwise)

    def step(scope: _Scope) -> object:
        chosen = condition(scope)
        if type(chosen) is Unresolved:
            return chosen
        return then(scope) if chosen else otherwise(scope)

    return step


def _truth(node: Node) -> _Step:
    """A node's value where a condition is wanted: true, false, or unresolved."""
    step = _step(node)
    fault = Unresolved(subject_of(node))

    def truth(scope: _Scope) -> object:
        value = step(scope)
        return value if type(value) is bool or type(value) is Unresolved else fault

    return truth


def _logic(node: Logic) -> _Step:
    steps = tuple(_truth(operand) for operand in node.operands)
    decisive = node.op is LogicOp.OR

    def step(scope: _Scope) -> object:
        """One decisive value (`||`: true, `&&`: false) settles it, errors or not."""
        answer: object = not decisive
        for operand in steps:
            value = operand(scope)
            if value is decisive:
                return decisive
            if type(value) is Unresolved and type(answer) is bool:
                answer = value
        return answer

    return step


def _quantified(node: Quantified) -> _Step:
    items, predicate = _step(node.items), _truth(node.predicate)
    decisive = node.quantifier is Quantifier.EXISTS
    fault = Unresolved(subject_of(node.items))
    name = node.variable

    def step(scope: _Scope) -> object:
        values = items(scope)
        if type(values) is Unresolved:
            return values
        if not isinstance(values, Mapping | Sequence) or isinstance(values, str):
            return fault
        answer: object = not decisive
        for value in values:
            scope.iterations += 1
            if scope.iterations > ITERATIONS_MAX:
                return fault
            scope.variables[name] = value
            verdict = predicate(scope)
            if verdict is decisive:
                return decisive
            if type(verdict) is Unresolved and type(answer) is bool:
                answer = verdict
        return answer

    return step
