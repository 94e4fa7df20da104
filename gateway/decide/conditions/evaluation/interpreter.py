"""Evaluates the tree of a condition, exactly as CEL says: the reference for the compiled form.

It is also the slow path: a compiled function that meets a value it has no shortcut for gives up,
and this says what the answer is. The tree is walked once, into one small function a node; what
can't be told travels as an `Unresolved` value, because `false && error` is false and `true ||
error` is true, whichever side the error stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.evaluation.loops import Loop
from gateway.decide.conditions.evaluation.scope import Scope, Step, applied
from gateway.decide.conditions.facts import Fact, fact_of
from gateway.decide.conditions.syntax import (
    Binary,
    BinaryOp,
    Call,
    Function,
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
    Select,
    Ternary,
    children,
    path_of,
    subject_of,
)
from gateway.decide.conditions.values import semantics
from gateway.decide.conditions.values.conversions import CONVERSIONS
from gateway.decide.conditions.values.regex import compile_pattern
from gateway.decide.conditions.values.times import PARTS, part_of
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.conditions.values.zones import load_zone
from gateway.model.action import ANY_PARAM, Action
from gateway.model.decision import Context

Interpreted = Callable[[Action, Context, Assessment], "bool | Unresolved"]


def interpret(node: Node) -> Interpreted:
    """Make the function that says whether a condition is true; an `Unresolved`, with the field
    it fails on, when that can't be told. It never raises for what a request holds."""
    step = _truth(node)
    deep = Unresolved(subject_of(node))

    def holds(action: Action, context: Context, assessed: Assessment) -> bool | Unresolved:
        try:
            answer = step(Scope(action, context, assessed))
        except RecursionError:
            # Two values of the request, nested as deeply as its parser allows, were compared.
            return deep
        assert isinstance(answer, bool | Unresolved)
        return answer

    return holds


def _step(node: Node) -> Step:
    fact = fact_of(node)
    if fact is not None:
        return _read(fact)
    match node:
        case Literal(_, value):
            return lambda _: value
        case ListLiteral():
            return _list_literal(node)
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
            return _binary(node)
        case Logic():
            return _logic(node)
        case Ternary():
            return _ternary(node)
        case Call():
            return _call(node)
        case Quantified():
            return _quantified(node)
        case _:
            assert_never(node)


def _read(fact: Fact) -> Step:
    def step(scope: Scope) -> object:
        try:
            return fact.read(scope.action, scope.context, scope.assessed)
        except Unresolved as unresolved:
            return unresolved

    return step


def _applied(
    node: Node,
    function: Callable[..., object],
    operands: Sequence[Node],
    *,
    is_weighed: bool = False,
) -> Step:
    steps = tuple(_step(operand) for operand in operands)
    return applied(function, steps, Unresolved(subject_of(node)), is_weighed=is_weighed)


def _list_literal(node: ListLiteral) -> Step:
    values = [item.value for item in node.items if isinstance(item, Literal)]
    if len(values) == len(node.items):
        # Nothing changes a list, so one is enough for all evaluations.
        return lambda _: values
    return _applied(node, lambda *items: list(items), node.items)


def _binary(node: Binary) -> Step:
    texts = _texts_of(node.right) if node.op is BinaryOp.IN else None
    if texts is None:
        operands = (node.left, node.right)
        return _applied(node, semantics.BINARY[node.op], operands, is_weighed=True)
    return _applied(node, lambda value: isinstance(value, str) and value in texts, (node.left,))


def _texts_of(node: Node) -> frozenset[str] | None:
    """The items of a written list of texts, which is looked into without going through it."""
    items = node.items if isinstance(node, ListLiteral) else ()
    texts = [item.value for item in items if isinstance(item, Literal)]
    known = frozenset(text for text in texts if isinstance(text, str))
    return known if items and all(map(_is_text, items)) else None


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)


def _call(node: Call) -> Step:
    function, args = node.function, node.args
    if function is Function.MATCHES:
        return _matches(node)
    if function in PARTS:
        zone = load_zone(_written(args[1])) if len(args) > 1 else None
        return _applied(node, lambda value: part_of(function, value, zone), args[:1])
    if function in CONVERSIONS and isinstance(args[0], Literal):
        # A written time is the same in every evaluation; the checker knows that it is one.
        value = CONVERSIONS[function](args[0].value)
        return lambda _: value
    return _applied(node, semantics.FUNCTIONS[function], args, is_weighed=len(args) > 1)


def _matches(node: Call) -> Step:
    operand, pattern = _step(node.args[0]), compile_pattern(_written(node.args[1]))
    fault = Unresolved(subject_of(node))

    def step(scope: Scope) -> object:
        value = operand(scope)
        if type(value) is Unresolved:
            return value
        if scope.depth and not scope.spend(pattern.weight_of(value)):
            return fault
        try:
            return pattern.is_in(value)
        except Unresolved:
            return fault

    return step


def _written(node: Node) -> str:
    """A text that the policy must write out, which the checker has seen to."""
    assert isinstance(node, Literal)
    assert isinstance(node.value, str)
    return node.value


def _select(node: Select) -> Step:
    operand, field = _step(node.operand), node.field
    fault = Unresolved(path_of(node) or field)

    def step(scope: Scope) -> object:
        value = operand(scope)
        if type(value) is Unresolved:
            return value
        if (type(value) is dict or isinstance(value, Mapping)) and field in value:
            return value[field]
        return fault

    return step


def _has(node: Has) -> Step:
    operand, field = _step(node.operand), node.field
    path = path_of(node)
    fault = Unresolved(path or field)
    param = None if path is None else path.removeprefix("params.")
    is_param = path_of(node.operand) == "params"

    def step(scope: Scope) -> object:
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


def _ternary(node: Ternary) -> Step:
    condition, then, otherwise = _truth(node.condition), _step(node.then), _step(node.otherwise)

    def step(scope: Scope) -> object:
        chosen = condition(scope)
        if type(chosen) is Unresolved:
            return chosen
        return then(scope) if chosen else otherwise(scope)

    return step


def _truth(node: Node) -> Step:
    """A node's value where a condition is wanted: true, false, or unresolved."""
    step = _step(node)
    fault = Unresolved(subject_of(node))

    def truth(scope: Scope) -> object:
        value = step(scope)
        return value if type(value) is bool or type(value) is Unresolved else fault

    return truth


def _logic(node: Logic) -> Step:
    steps = tuple(_truth(operand) for operand in node.operands)
    decisive = node.op is LogicOp.OR

    def step(scope: Scope) -> object:
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


def _quantified(node: Quantified) -> Step:
    return Loop(
        node.quantifier,
        node.variable,
        _step(node.items),
        _truth(node.predicate),
        None if node.transform is None else _step(node.transform),
        sum(map(_count, children(node)[1:])),
        Unresolved(subject_of(node.items)),
    ).step()


def _count(node: Node) -> int:
    """How many steps a node is; a list of literals is made once for all."""
    if isinstance(node, ListLiteral) and all(isinstance(item, Literal) for item in node.items):
        return 1
    return 1 + sum(map(_count, children(node)))
