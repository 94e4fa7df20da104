"""Evaluates the tree of a condition, exactly as CEL says: the reference for the compiled form.

It is also the slow path: a compiled function that meets a value it has no shortcut for gives up,
and this says what the answer is. `false && error` is false and `true || error` is true, whichever
side the error stands on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from gateway.decide import semantics
from gateway.decide.facts import fact_of
from gateway.decide.semantics import Unresolved
from gateway.decide.syntax import (
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
from gateway.model.action import Action
from gateway.model.decision import Context

ITERATIONS_MAX = 1_000
"""Items that `all` and `exists` look at in one evaluation, nested ones together: about two
milliseconds, whatever list the agent sends. Beyond it the condition can't be evaluated."""


@dataclass(slots=True)
class _Evaluation:
    """What one evaluation reads, and what it has used up."""

    action: Action
    context: Context
    score: int
    variables: dict[str, object] = field(default_factory=dict)
    iterations: int = 0


def evaluate(node: Node, action: Action, context: Context, score: int) -> object:
    """Evaluate an expression.

    Raises:
        Unresolved: CEL calls it an error; `subject` names the field.
    """
    return _value(node, _Evaluation(action, context, score))


def holds(node: Node, action: Action, context: Context, score: int) -> bool | Unresolved:
    """Whether a condition is true; an `Unresolved` when that can't be told. Never raises for what
    a request holds."""
    try:
        return semantics.truth(evaluate(node, action, context, score))
    except Unresolved as unresolved:
        return unresolved if unresolved.subject else Unresolved(subject_of(node))
    except RecursionError:
        # Two values of the request, nested as deeply as its parser allows, were compared.
        return Unresolved(subject_of(node))


def _value(node: Node, scope: _Evaluation) -> object:
    fact = fact_of(node)
    if fact is not None:
        return fact.read(scope.action, scope.context, scope.score)
    try:
        return _inner(node, scope)
    except Unresolved as unresolved:
        if not unresolved.subject:
            unresolved.subject = subject_of(node)
        raise


def _inner(node: Node, scope: _Evaluation) -> object:
    match node:
        case Literal():
            return node.value
        case ListLiteral():
            return [_value(item, scope) for item in node.items]
        case Name():
            return scope.variables[node.name]
        case Select():
            return _select(node, scope)
        case Index():
            return semantics.at_index(_value(node.operand, scope), _value(node.index, scope))
        case Has():
            return _has(node, scope)
        case Not():
            return not semantics.truth(_value(node.operand, scope))
        case Negate():
            return semantics.negate(_value(node.operand, scope))
        case Binary():
            return semantics.BINARY[node.op](_value(node.left, scope), _value(node.right, scope))
        case Logic():
            return _absorb(node.op is LogicOp.OR, (_truth(item, scope) for item in node.operands))
        case Ternary():
            chosen = semantics.truth(_value(node.condition, scope))
            return _value(node.then if chosen else node.otherwise, scope)
        case Call():
            args = [_value(arg, scope) for arg in node.args]
            return semantics.FUNCTIONS[node.function](*args)
        case Quantified():
            return _absorb(node.quantifier is Quantifier.EXISTS, _each(node, scope))
        case _:
            assert_never(node)


def _select(node: Select, scope: _Evaluation) -> object:
    operand = _value(node.operand, scope)
    if isinstance(operand, Mapping) and node.field in operand:
        return operand[node.field]
    raise Unresolved(path_of(node) or node.field)


def _has(node: Has, scope: _Evaluation) -> bool:
    operand = _value(node.operand, scope)
    if not isinstance(operand, Mapping):
        raise Unresolved(path_of(node) or node.field)
    if node.field in operand:
        return True
    path = path_of(node)
    if path is not None and path.removeprefix("params.") in scope.action.missing:
        # It was declared and could not be read: nobody can say that it is not there.
        raise Unresolved(path)
    return False


def _truth(node: Node, scope: _Evaluation) -> bool | Unresolved:
    try:
        return semantics.truth(_value(node, scope))
    except Unresolved as unresolved:
        return unresolved if unresolved.subject else Unresolved(subject_of(node))


def _absorb(decisive: bool, values: Iterable[bool | Unresolved]) -> bool:
    """`||` (decisive is True) or `&&` (False): one decisive value settles it, errors or not."""
    first: Unresolved | None = None
    for value in values:
        if value is decisive:
            return decisive
        if first is None and isinstance(value, Unresolved):
            first = value
    if first is not None:
        raise first
    return not decisive


def _each(node: Quantified, scope: _Evaluation) -> Iterable[bool | Unresolved]:
    items = _value(node.items, scope)
    if not isinstance(items, Mapping | Sequence) or isinstance(items, str):
        raise Unresolved
    for item in items:
        scope.iterations += 1
        if scope.iterations > ITERATIONS_MAX:
            raise Unresolved(subject_of(node.items))
        scope.variables[node.variable] = item
        yield _truth(node.predicate, scope)
