"""Names the field that could not be read, of a condition that is known not to be false.

The interpreter says the same. This asks it only for what the absence of a param does not settle,
because a rule that blocks or asks for want of a param is an everyday thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.facts import OPEN, Fact, ValueType, fact_of
from gateway.decide.conditions.interpreter import Interpreted, interpret
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
from gateway.decide.conditions.unresolved import Unresolved
from gateway.model.action import Action
from gateway.model.decision import Context

Subject = Callable[[Action, Context, Assessment], str]
"""The field that could not be read; "" where all could."""

NAMELESS = "the condition"
"""What could not be evaluated where that is no field."""


def make_subject(node: Node) -> Subject:
    """Make the function that names what a condition that is not false could not read."""
    parts: tuple[Node, ...] = (node,)
    if isinstance(node, Logic) and node.op is LogicOp.AND:
        # None of them is false: the first that can't be told is what the whole fails on.
        parts = node.operands
    found = [_Part(part, _members(part)) for part in parts]
    doubtful = tuple(part for part in found if part.members or not _is_settled(part.node))

    def subject(action: Action, context: Context, assessed: Assessment) -> str:
        for part in doubtful:
            named = part.subject(action, context, assessed)
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


@dataclass(slots=True)
class _Part:
    """`members` are all that it reads and might not find, in the order of reading; None where
    that can't be said beforehand."""

    node: Node
    members: tuple[_Member, ...] | None
    _interpreted: Interpreted | None = None

    def subject(self, action: Action, context: Context, assessed: Assessment) -> str:
        for member in self.members or ():
            container = member.fact.read(action, context, assessed)
            if member.key not in cast("Mapping[str, object]", container):
                return member.path
        if self._interpreted is None:
            self._interpreted = interpret(self.node)
        answer = self._interpreted(action, context, assessed)
        return answer.subject or NAMELESS if isinstance(answer, Unresolved) else ""


def _is_settled(node: Node) -> bool:
    """Whether it can always be told: a test of what is always there, of types that fit."""
    if isinstance(node, Binary):
        is_test = node.op in EQUALITY or node.op in ORDERING or node.op is BinaryOp.IN
        return is_test and all(map(_is_settled, children(node)))
    if isinstance(node, Literal | Not | ListLiteral):
        return all(map(_is_settled, children(node)))
    fact = fact_of(node)
    return fact is not None and fact.type not in OPEN and "_give_up" not in fact.source


def _members(node: Node) -> tuple[_Member, ...] | None:
    fact = fact_of(node)
    if fact is not None:
        is_settled = fact.type not in OPEN and "_give_up" not in fact.source
        return () if is_settled else None
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
