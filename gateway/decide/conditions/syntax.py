"""The tree of a condition: what the parser makes of text, and all that the later steps read.

Every node carries the span of text that it came from, so that a fault is shown where it stands.
The tree says what was written and nothing about types; it is never built from anything but text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, assert_never

from gateway.model.dataclass import dataclass

CONDITION_CHARS_MAX = 4_096
"""Characters of one condition. Longer ones are lists of data, and belong in `match`."""

CONDITION_DEPTH_MAX = 32
"""Nesting of one condition: far above what people write, far below what Python's own parser and
stack bear. The reference implementation of CEL stops at 32 too."""

LIST_ITEMS_MAX = 1_000
"""Items of one written list."""

QUANTIFIERS_MAX = 8
"""Quantifiers of one condition. Each of them may take its whole budget, see `evaluation.scope`."""


INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
"""Whole numbers of the language have 64 bits."""


class Span(NamedTuple):
    """Offsets into the condition's text, in characters; `end` is exclusive."""

    start: int
    end: int


class ConditionError(Exception):
    """A condition can't be used. `message` and `help` are shown at `span`."""

    def __init__(self, message: str, span: Span, help: str = "") -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.span = span
        self.help = help


class BinaryOp(StrEnum):
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    IN = "in"
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    REMAINDER = "%"


EQUALITY = frozenset({BinaryOp.EQUAL, BinaryOp.NOT_EQUAL})
ORDERING = frozenset({BinaryOp.LESS, BinaryOp.LESS_EQUAL, BinaryOp.GREATER, BinaryOp.GREATER_EQUAL})


class LogicOp(StrEnum):
    AND = "&&"
    OR = "||"


class Function(StrEnum):
    """The functions there are; `signatures` says how each is written, what it takes and gives."""

    SIZE = "size"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"
    MATCHES = "matches"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    BOOL = "bool"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    GET_FULL_YEAR = "getFullYear"
    GET_MONTH = "getMonth"
    GET_DATE = "getDate"
    GET_DAY_OF_MONTH = "getDayOfMonth"
    GET_DAY_OF_WEEK = "getDayOfWeek"
    GET_DAY_OF_YEAR = "getDayOfYear"
    GET_HOURS = "getHours"
    GET_MINUTES = "getMinutes"
    GET_SECONDS = "getSeconds"
    GET_MILLISECONDS = "getMilliseconds"


class Quantifier(StrEnum):
    """What goes through a list, or through the keys of a map, with a variable for each of them."""

    ALL = "all"
    EXISTS = "exists"
    EXISTS_ONE = "exists_one"
    FILTER = "filter"
    MAP = "map"


LiteralValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Literal:
    span: Span
    value: LiteralValue


@dataclass(frozen=True, slots=True)
class ListLiteral:
    span: Span
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A root (`params`), a fact with a dotted name (`agent.id`), or a quantifier's variable."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    span: Span
    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index:
    span: Span
    operand: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Has:
    """`has(operand.field)`."""

    span: Span
    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Not:
    span: Span
    operand: Node


@dataclass(frozen=True, slots=True)
class Negate:
    span: Span
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    span: Span
    op: BinaryOp
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """A chain of one operator. Kept flat, so that a long chain isn't a deep tree."""

    span: Span
    op: LogicOp
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ternary:
    span: Span
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call:
    span: Span
    function: Function
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """`items.all(variable, predicate)`. `map` has a `transform` too, and where it is written
    without a predicate, the predicate is the literal true."""

    span: Span
    quantifier: Quantifier
    items: Node
    variable: str
    predicate: Node
    transform: Node | None = None


Node = (
    Literal | ListLiteral | Name | Select | Index | Has | Not | Negate
    | Binary | Logic | Ternary | Call | Quantified
)  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """The direct sub-expressions, in the order of the text."""
    match node:
        case Literal() | Name():
            return ()
        case ListLiteral():
            return node.items
        case Select() | Has() | Not() | Negate():
            return (node.operand,)
        case Index():
            return (node.operand, node.index)
        case Binary():
            return (node.left, node.right)
        case Logic():
            return node.operands
        case Ternary():
            return (node.condition, node.then, node.otherwise)
        case Call():
            return node.args
        case Quantified():
            transform = () if node.transform is None else (node.transform,)
            return (node.items, node.predicate, *transform)
        case _:
            assert_never(node)


def path_of(node: Node) -> str | None:
    """The dotted name of a plain path such as `params.card.last4`; None for anything else."""
    match node:
        case Name():
            return node.name
        case Select() | Has():
            parent = path_of(node.operand)
            return None if parent is None else f"{parent}.{node.field}"
        case Index(_, operand, Literal(_, value)):
            parent = path_of(operand)
            return None if parent is None else f"{parent}[{value!r}]"
        case _:
            return None


def subject_of(node: Node) -> str:
    """What a fault in this node is about: the first plain path in it, in the order of the text."""
    path = path_of(node)
    if path is not None:
        return path
    for child in children(node):
        subject = subject_of(child)
        if subject:
            return subject
    return ""
