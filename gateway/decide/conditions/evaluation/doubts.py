"""Names the field that could not be read, of a condition that is known not to be false.

The interpreter says the same. This asks it only for what the absence of a param does not settle,
because a rule that blocks or asks for want of a param is an everyday thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.evaluation.interpreter import Interpreted, interpret
from gateway.decide.conditions.facts import Fact, ValueType, fact_of
from gateway.decide.conditions.syntax import (
    EQUALITY,
    ORDERING,
    Binary,
    BinaryOp,
    Call,
    Index,
    ListLiteral,
    Literal,
    Logic,
    LogicOp,
    Negate,
    Node,
    Not,
    Select,
    children,
    path_of,
)
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.model.action import Action
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context

Subject = Callable[[Action, Context, Assessment], str]
"""The field that could not be read; "" where all could."""

_ReadMap = Callable[[Action, Context, Assessment], Mapping[str, object]]

NAMELESS = "the condition"
"""What could not be evaluated where that is no field."""


def make_subject(node: Node) -> Subject:
    """Make the function that names what a condition that is not false could not read."""
    parts: tuple[Node, ...] = (node,)
    if isinstance(node, Logic) and node.op is LogicOp.AND:
        # None of them is false: the first that can't be told is what the whole fails on.
        parts = node.operands
    looks = tuple(_look(part) for part in parts if _members(part) or not _is_settled(part))
    if len(looks) == 1:
        return looks[0]

    def subject(action: Action, context: Context, assessed: Assessment) -> str:
        for look in looks:
            named = look(action, context, assessed)
            if named:
                return named
        return ""

    return subject


@dataclass(frozen=True, slots=True)
class _Member:
    """A value that lies in a map which is always there, such as `params.amount`."""

    fact: Fact
    key: str
    path: str


def _look(node: Node) -> Subject:
    """What one part could not read: the first of its members that is not there, or else what the
    interpreter says, made when it is first asked."""
    members = tuple(
        (cast("_ReadMap", each.fact.read), each.key, each.path) for each in _members(node) or ()
    )
    interpreted: Interpreted | None = None

    def subject(action: Action, context: Context, assessed: Assessment) -> str:
        nonlocal interpreted
        for read, key, path in members:
            if key not in read(action, context, assessed):
                return path
        if interpreted is None:
            interpreted = interpret(node)
        answer = interpreted(action, context, assessed)
        return answer.subject or NAMELESS if isinstance(answer, Unresolved) else ""

    return subject


def _is_settled(node: Node) -> bool:
    """Whether it can always be told: a test of what is always there, of types that fit."""
    if isinstance(node, Binary):
        is_test = node.op in EQUALITY or node.op in ORDERING or node.op is BinaryOp.IN
        return is_test and all(map(_is_settled, children(node)))
    if isinstance(node, Literal | Not | ListLiteral):
        return all(map(_is_settled, children(node)))
    fact = fact_of(node)
    return fact is not None and fact.is_settled


def _members(node: Node) -> tuple[_Member, ...] | None:
    fact = fact_of(node)
    if fact is not None:
        return () if fact.is_settled else None
    match node:
        case Literal():
            return ()
        case Select(_, operand, key) | Index(_, operand, Literal(_, str() as key)):
            parent = fact_of(operand)
            path = path_of(node)
            if parent is None or parent.type is not ValueType.MAP or not path:
                return None
            return (_Member(parent, key, path),)
        case Binary() | Call() | Not() | Negate() | ListLiteral():
            return _members_of_all(children(node))
        case _:
            return None


def _members_of_all(nodes: tuple[Node, ...]) -> tuple[_Member, ...] | None:
    """Of operands that are all read, in order, before anything is made of them."""
    found: list[_Member] = []
    may_have_failed = False
    for node in nodes:
        members = _members(node)
        if members is None or (members and may_have_failed):
            return None
        found.extend(members)
        may_have_failed = may_have_failed or isinstance(node, Binary | Call | Negate | Not)
    return tuple(found)
