"""Turns rules into alternatives of literals: what must hold of single fields for a rule to match.

A condition is true, false or unresolved; that a BLOCK matches what is unresolved and an ALLOW
doesn't is kept. What can't be told apart is left out of an alternative, so that it stands for more
than there is and never for less. Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from typing import Final

from gateway.decide.conditions.facts import fact_of
from gateway.decide.conditions.syntax import (
    Binary,
    BinaryOp,
    Call,
    Function,
    Has,
    ListLiteral,
    Literal,
    LiteralValue,
    Logic,
    LogicOp,
    Negate,
    Node,
    Not,
    Span,
    children,
    path_of,
)
from gateway.decide.patterns import Glob, Pattern, parse_pattern
from gateway.decide.rules.policy import Match, MatchField, Policy, Rule
from gateway.model.dataclass import dataclass
from gateway.model.effect import Effect

TERMS_MAX: Final = 256
"""Alternatives that are looked at; what has more is taken for possible."""

RULES_KEPT: Final = 1_024
"""Rules whose alternatives are kept: each is compared with many."""


class Says(Enum):
    """What a literal claims of its atom."""

    TRUE = "is true"
    FALSE = "is false"
    NOT_TRUE = "is not true"
    NOT_FALSE = "is not false"


_NEGATED: Final = {
    Says.TRUE: Says.FALSE,
    Says.FALSE: Says.TRUE,
    Says.NOT_TRUE: Says.NOT_FALSE,
    Says.NOT_FALSE: Says.NOT_TRUE,
}
"""What `!x` claims of x."""

_COMPLEMENT: Final = {
    Says.TRUE: Says.NOT_TRUE,
    Says.FALSE: Says.NOT_FALSE,
    Says.NOT_TRUE: Says.TRUE,
    Says.NOT_FALSE: Says.FALSE,
}


@dataclass(frozen=True, slots=True)
class Compares:
    """`path op value`: an order, or equality with one value."""

    path: str
    op: BinaryOp
    value: LiteralValue


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """`path in [values]`."""

    path: str
    values: tuple[LiteralValue, ...]


@dataclass(frozen=True, slots=True)
class Fits:
    """The text fits a pattern. `is_total`: what is no text, or not there, does not fit; otherwise
    that can't be told."""

    path: str
    pattern: Pattern
    is_total: bool


@dataclass(frozen=True, slots=True)
class Stands:
    """The value is `true`."""

    path: str


@dataclass(frozen=True, slots=True)
class IsThere:
    """`has(path)`."""

    path: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that is not looked into. Equal keys have equal values; an empty key has none."""

    key: str
    path: str = ""


Atom = Compares | IsOneOf | Fits | Stands | IsThere | Opaque
LiteralOf = tuple[Atom, Says]
Term = tuple[LiteralOf, ...]
"""All of these hold."""

_ORDERING_MIRRORED: Final = {
    BinaryOp.LESS: BinaryOp.GREATER,
    BinaryOp.LESS_EQUAL: BinaryOp.GREATER_EQUAL,
    BinaryOp.GREATER: BinaryOp.LESS,
    BinaryOp.GREATER_EQUAL: BinaryOp.LESS_EQUAL,
    BinaryOp.EQUAL: BinaryOp.EQUAL,
    BinaryOp.NOT_EQUAL: BinaryOp.NOT_EQUAL,
}

_PATHS: Final = {
    MatchField.PROVIDER: "provider",
    MatchField.OPERATION: "operation",
    MatchField.ACTION: "action",
    MatchField.KIND: "kind",
    MatchField.TARGET_TYPE: "target.type",
    MatchField.TARGET_ID: "target.id",
    MatchField.SENSITIVE: "match.sensitive",  # nothing where a condition reads ""
    MatchField.AGENT: "agent.id",
    MatchField.RUN: "run",
    MatchField.ENVIRONMENT: "environment",
}
"""What a condition calls the one text that a field of `match` tests. Others are not looked into."""


class TooManyError(Exception):
    """More alternatives than are looked at."""


@lru_cache(maxsize=RULES_KEPT)
def matching(rule: Rule) -> list[Term]:
    """When a rule matches: one of these alternatives holds.

    Raises:
        TooManyError: there are more than are looked at.
    """
    says = Says.TRUE if rule.effect is Effect.ALLOW else Says.NOT_FALSE
    fixed: Term = tuple((atom, says) for atom in match_atoms(rule.match))
    if rule.condition is None:
        return [fixed]
    return [fixed + term for term in alternatives(rule.condition.node, says)]


@lru_cache(maxsize=RULES_KEPT)
def not_matching(rule: Rule) -> list[Term]:
    """When a rule does not match, as far as it is known: at least one of these alternatives holds.

    Raises:
        TooManyError: there are more than are looked at.
    """
    says = Says.TRUE if rule.effect is Effect.ALLOW else Says.NOT_FALSE
    terms: list[Term] = [((atom, _COMPLEMENT[says]),) for atom in match_atoms(rule.match)]
    if rule.condition is not None:
        terms += alternatives(rule.condition.node, _COMPLEMENT[says])
    return terms


def scope_term(policy: Policy) -> Term:
    """What holds of every action that a policy is about."""
    scope = policy.scope
    return () if scope is None else ((Fits("agent.id", scope, is_total=True), Says.TRUE),)


def match_atoms(match: Match) -> Iterable[Atom]:
    """What a match tests, all of it."""
    for field, pattern in match.fields:
        path = _PATHS.get(field)
        if path is None:
            yield Opaque(f"{field}:{pattern.texts!r}")
        else:
            yield Fits(path, pattern, field is not MatchField.TARGET_ID)
    for label, pattern in match.labels:
        yield Fits(f"agent.labels.{label}", pattern, is_total=True)
    if match.reversible is not None:
        yield Compares("reversible", BinaryOp.EQUAL, match.reversible)


def alternatives(node: Node, says: Says) -> list[Term]:
    """When a condition is what `says` claims, as alternatives.

    Raises:
        TooManyError: there are more than are looked at.
    """
    if says in (Says.NOT_TRUE, Says.NOT_FALSE) and not is_transparent(node):
        # It may be unresolved as a whole, whatever its parts say (its budget, its depth).
        return _whole(node, says)
    return _terms(node, says)


def _whole(node: Node, says: Says) -> list[Term]:
    return [((Opaque(_key(node)), says),)]


def _terms(node: Node, says: Says) -> list[Term]:
    match node:
        case Literal(_, bool() as value):
            holds = value is (says in (Says.TRUE, Says.NOT_FALSE))
            return [()] if holds else []
        case Not(_, operand):
            return _terms(operand, _NEGATED[says])
        case Logic(_, op, operands):
            wants_all = (op is LogicOp.AND) is (says in (Says.TRUE, Says.NOT_FALSE))
            parts = [_terms(operand, says) for operand in operands]
            return _all_of(parts) if wants_all else _any_of(parts)
        case _:
            atom = atom_of(node)
            return [((atom, says),)]


def _any_of(parts: Iterable[list[Term]]) -> list[Term]:
    terms = [term for part in parts for term in part]
    if len(terms) > TERMS_MAX:
        raise TooManyError
    return terms


def _all_of(parts: Iterable[list[Term]]) -> list[Term]:
    terms: list[Term] = [()]
    for part in parts:
        terms = [left + right for left in terms for right in part]
        if len(terms) > TERMS_MAX:
            raise TooManyError
    return terms


def is_transparent(node: Node) -> bool:
    """Whether a condition consists of nothing but literals that are looked into."""
    match node:
        case Literal(_, bool()):
            return True
        case Not(_, operand):
            return is_transparent(operand)
        case Logic(_, _, operands):
            return all(map(is_transparent, operands))
        case _:
            return not isinstance(atom_of(node), Opaque)


def atom_of(node: Node) -> Atom:
    """What a part of a condition without `&&`, `||` and `!` tests."""
    path = _plain_path(node)
    match node:
        case Binary(_, BinaryOp.IN, left, ListLiteral(_, items)):
            path = _plain_path(left)
            values = [_constant(item) for item in items]
            if path and all(value is not _NO_CONSTANT for value in values):
                return IsOneOf(path, tuple(values))  # type: ignore[arg-type]
        case Binary(_, op, left, right) if op in _ORDERING_MIRRORED:
            found = _compared(left, op, right)
            return found or _compared(right, _ORDERING_MIRRORED[op], left) or Opaque(_key(node))
        case Call(_, function, (text, Literal(_, str() as value))):
            path = _plain_path(text)
            pattern = _PATTERNS.get(function)
            if path and pattern is not None and "*" not in value:
                return Fits(path, pattern(value), is_total=False)
        case Has() if path:
            return IsThere(path)
        case _ if path:
            return Stands(path)
    return Opaque(_key(node))


def _glob(text: str) -> Pattern:
    """A pattern of our own making: a text that holds signs that authors may not use is taken."""
    try:
        return parse_pattern((text,))
    except ValueError:
        return Pattern(frozenset(), (Glob(tuple(text.split("*"))),))


_PATTERNS: Final[dict[Function, Callable[[str], Pattern]]] = {
    Function.STARTS_WITH: lambda text: _glob(f"{text}*"),
    Function.ENDS_WITH: lambda text: _glob(f"*{text}"),
    Function.CONTAINS: lambda text: _glob(f"*{text}*"),
}


def _compared(side: Node, op: BinaryOp, other: Node) -> Atom | None:
    path, value = _plain_path(side), _constant(other)
    if not path or value is _NO_CONSTANT:
        return None
    return Compares(path, op, value)  # type: ignore[arg-type]


_NO_CONSTANT: Final = object()


def _constant(node: Node) -> object:
    match node:
        case Literal(_, value):
            return value
        case Negate(_, Literal(_, int() as value)) if not isinstance(value, bool):
            return -value
        case _:
            return _NO_CONSTANT


_ROOTS: Final = ("params.", "agent.labels.")


def _plain_path(node: Node) -> str:
    """The name of what a node reads straight from the request; empty for anything else."""
    if fact_of(node) is not None:
        return path_of(node) or ""
    path = path_of(node) or ""
    return path if path.startswith(_ROOTS) else ""


def _key(node: Node) -> str:
    """Equal for nodes that are written alike; empty where equal text needn't have equal value."""
    if _has_budget(node):
        return ""
    return _written(node)


def _has_budget(node: Node) -> bool:
    # What goes through lists shares one budget of steps with the rest of its condition.
    return hasattr(node, "predicate") or any(map(_has_budget, children(node)))


def _written(value: object) -> str:
    if dataclasses.is_dataclass(value):
        parts = [
            _written(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.type != "Span" and not isinstance(getattr(value, field.name), Span)
        ]
        return f"{type(value).__name__}({','.join(parts)})"
    if isinstance(value, tuple):
        return f"[{','.join(map(_written, value))}]"
    return f"{type(value).__name__}:{value!r}"


def is_same_condition(left: Rule, right: Rule) -> bool:
    """Whether two rules have conditions that are written alike, spaces apart."""
    if left.condition is None or right.condition is None:
        return left.condition is right.condition
    return _written(left.condition.node) == _written(right.condition.node)
