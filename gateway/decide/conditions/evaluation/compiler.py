"""Turns checked conditions into Python expressions that never raise, for generated functions.

A condition is true, false or can't be told. A rule that allows wants it certainly true; a rule that
blocks or asks wants it not certainly false. Both are two-valued, so both are plain Python: with
`lenient` False this writes the first, with True the second. They pass through `&&` and `||` as
they are and change places at `!`; that is all there is to CEL's absorption of errors.

The source is written from the tree alone: operators from a fixed table, roots from `facts`, every
literal given to the function or through `repr` of a value whose type the parser has set. Fields of
a request are read by key, so a field called `__class__` is a key like any other.
INVARIANT(compiled): for every input the expression says what the interpreter says; what it has no
words for it asks the interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Final

from gateway.decide.conditions.evaluation.runtime import Oracle
from gateway.decide.conditions.facts import GIVE_UP, ValueType, fact_of
from gateway.decide.conditions.syntax import (
    EQUALITY,
    ORDERING,
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
    Node,
    Not,
    Select,
)
from gateway.model.dataclass import dataclass

_SET_ITEMS_MIN: Final = 4
"""From how many values on a set is faster to look into than a row of comparisons."""

_MIRRORED: Final = {
    BinaryOp.LESS: BinaryOp.GREATER,
    BinaryOp.LESS_EQUAL: BinaryOp.GREATER_EQUAL,
    BinaryOp.GREATER: BinaryOp.LESS,
    BinaryOp.GREATER_EQUAL: BinaryOp.LESS_EQUAL,
}
_METHODS: Final = {
    Function.STARTS_WITH: "{0}.startswith({1})",
    Function.ENDS_WITH: "{0}.endswith({1})",
    Function.CONTAINS: "{1} in {0}",
}


_WITHOUT_FORM: Final = frozenset({ValueType.TIMESTAMP, ValueType.DURATION})
"""Types that only the interpreter has values of."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a local variable. `of_type` is ANY where only the request tells; `can_lack` is
    false where there is always something to read."""

    name: str
    of_type: ValueType
    can_lack: bool


@dataclass(slots=True)
class Writer:
    """Writes the tests of one generated function over `p` (params), `a` (action), `c` (context)
    and `r` (assessment).

    `reads` are the assignments that must stand before what was written since it was last emptied;
    a value is read once for all tests behind it. `literals` are what the function is given as
    `k0`, `k1` and so on; with `is_sharing` that is every value it compares with, so that functions
    which differ in nothing else have one source.
    """

    oracle: Oracle
    literals: list[object] = field(default_factory=list)
    is_sharing: bool = False
    reads: list[str] = field(default_factory=list)
    _placed: dict[tuple[type, object], str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _sure: dict[str, None] = field(default_factory=dict)
    _unsure: bool = False

    def local(self, source: str) -> str:
        """The variable that holds the value of an expression."""
        name = self._names.get(source)
        if name is None:
            name = self._names[source] = f"v{len(self._names)}"
            self.reads.append(f"{name} = {source}")
        return name

    def given(self, value: object) -> str:
        """The name under which the function is given a value."""
        place = type(value), value
        name = self._placed.get(place)
        if name is None:
            name = self._placed[place] = f"k{len(self.literals)}"
            self.literals.append(value)
        return name

    def literal(self, value: object) -> str:
        """A value of the policy: in the source, or given where functions share theirs."""
        return self.given(value) if self.is_sharing else repr(value)

    def members(self, values: Sequence[object]) -> str:
        """What `in` looks into for values that are all of one type."""
        if self.is_sharing:
            return self.given(frozenset(values))
        written = ", ".join(map(repr, values))
        return f"({written},)" if len(values) < _SET_ITEMS_MIN else f"{{{written}}}"

    def take_reads(self) -> list[str]:
        reads, self.reads = self.reads, []
        return reads

    def condition(self, node: Node, *, lenient: bool) -> tuple[str, list[str]]:
        """The test, and such as are all true only if nothing in it was left untold; none where
        that can't be otherwise."""
        self._sure, self._unsure = {}, False
        operands: tuple[Node, ...] = (node,)
        if isinstance(node, Logic) and node.op is LogicOp.AND:
            operands = node.operands
        tests = [self._conjunct(operand, lenient=lenient) for operand in operands]
        return " and ".join(tests), ["False"] if self._unsure else list(self._sure)

    def _conjunct(self, node: Node, *, lenient: bool) -> str:
        """A test that every other one stands or falls with: if it was asked of the interpreter,
        the answer itself says whether it was certain."""
        test = self._quick(node, lenient=lenient)
        return self._conjunct_asked(node, lenient=lenient) if test is None else test

    def _conjunct_asked(self, node: Node, *, lenient: bool) -> str:
        if not lenient:
            return f"{self._question(node)} is True"
        answer = f"x{len(self._sure)}"
        self._sure[f"{answer} is True"] = None
        return f"({answer} := {self._question(node)}) is not False"

    def _question(self, node: Node) -> str:
        return f"_ask({self.literal(self.oracle.number(node))}, a, c, r)"

    def _ask(self, node: Node, *, lenient: bool) -> str:
        """A test by the interpreter, which leaves open whether it was certain."""
        self._unsure = True
        return self._doubt(node, lenient=lenient)

    def _doubt(self, node: Node, *, lenient: bool) -> str:
        return f"{self._question(node)} {'is not False' if lenient else 'is True'}"

    def _test(self, node: Node, *, lenient: bool) -> str:
        test = self._quick(node, lenient=lenient)
        return f"({self._ask(node, lenient=lenient)})" if test is None else test

    def _quick(self, node: Node, *, lenient: bool) -> str | None:
        """The test as Python; None where it has no such form."""
        match node:
            case Logic():
                word = " and " if node.op is LogicOp.AND else " or "
                tests = [self._test(operand, lenient=lenient) for operand in node.operands]
                return f"({word.join(tests)})"
            case Not():
                return f"(not {self._test(node.operand, lenient=not lenient)})"
            case Binary():
                return self._binary(node, lenient=lenient)
            case Call():
                return self._call(node, lenient=lenient)
            case Has():
                return self._has(node, lenient=lenient)
            case Literal(_, bool() as truth):
                return str(truth)
            case _:
                value = self._value(node)
                return None if value is None else self._truth(value, lenient=lenient)

    def _truth(self, value: Value, *, lenient: bool) -> str:
        if value.of_type is ValueType.BOOL and not value.can_lack:
            return value.name
        self._needs(f"({value.name} is True or {value.name} is False)")
        return f"({value.name} {'is not False' if lenient else 'is True'})"

    def _needs(self, test: str) -> None:
        self._sure[test] = None

    # --- values -----------------------------------------------------------------------------------

    def _value(self, node: Node) -> Value | None:
        """Read a plain path; None for anything else."""
        fact = fact_of(node)
        if fact is not None:
            if fact.type in _WITHOUT_FORM:
                return None
            source = fact.source
            name = source if source.isidentifier() else self.local(source)
            return Value(name, fact.type, GIVE_UP in source)
        match node:
            case Select():
                return self._member(node.operand, node.field)
            case Index(_, operand, Literal(_, str() as key)):
                return self._member(operand, key)
            case Index(_, operand, Literal(_, int() as position)):
                parent = self._value(operand)
                if parent is None:
                    return None
                name = self.local(f"_item({parent.name}, {position!r})")
                return Value(name, ValueType.ANY, can_lack=True)
            case _:
                return None

    def _member(self, operand: Node, key: str) -> Value | None:
        parent = self._value(operand)
        if parent is None:
            return None
        if parent.of_type is ValueType.MAP and not parent.can_lack:
            source = f"{parent.name}.get({key!r}, _M)"
        else:
            source = f"_field({parent.name}, {key!r})"
        return Value(self.local(source), ValueType.ANY, can_lack=True)

    def _kind(self, value: Value, kind: str) -> str:
        """The variable that says whether a value is a `number`, a `text`, ..."""
        return self.local(f"_{kind}[type({value.name})]")

    # --- comparisons ------------------------------------------------------------------------------

    def _binary(self, node: Binary, *, lenient: bool) -> str | None:
        if node.op is BinaryOp.IN:
            return self._membership(node, lenient=lenient)
        if node.op not in EQUALITY and node.op not in ORDERING:
            return None
        for literal, other, op in (
            (node.right, node.left, node.op),
            (node.left, node.right, _MIRRORED.get(node.op, node.op)),
        ):
            if isinstance(literal, Literal):
                if isinstance(other, Call):
                    return self._size(other, op, literal, lenient=lenient)
                value = self._value(other)
                if value is None:
                    return None
                if op in EQUALITY:
                    return self._equality(value, op, literal, lenient=lenient)
                return self._ordering(value, op, literal, lenient=lenient)
        left, right = self._value(node.left), self._value(node.right)
        if left is None or right is None:
            return None
        return self._two_values(node, left, right, lenient=lenient)

    def _equality(self, value: Value, op: BinaryOp, literal: Literal, *, lenient: bool) -> str:
        name = value.name
        is_not = op is BinaryOp.NOT_EQUAL
        if literal.value is None or isinstance(literal.value, bool):
            test = f"{name} {'is not' if is_not else 'is'} {literal.value!r}"
        elif literal.value in (0, 1):
            # True == 1 in Python.
            test = f"{name} == {literal.value!r} and {name} is not {bool(literal.value)}"
            test = f"not ({test})" if is_not else test
        else:
            test = f"{name} {op} {self.literal(literal.value)}"
        if not value.can_lack:
            return f"({test})"
        self._needs(f"{name} is not _M")
        if lenient and not is_not:
            return f"({test} or {name} is _M)"
        if is_not and not lenient:
            return f"({test} and {name} is not _M)"
        return f"({test})"

    def _ordering(
        self, value: Value, op: BinaryOp, literal: Literal, *, lenient: bool
    ) -> str | None:
        if literal.value is None or isinstance(literal.value, bool):
            return None
        kind, fitting = "number", ValueType.INT
        if isinstance(literal.value, str):
            kind, fitting = "text", ValueType.TEXT
        test = f"{value.name} {op} {self.literal(literal.value)}"
        if value.of_type is fitting and not value.can_lack:
            return f"({test})"
        return self._if_kind(value, kind, test, lenient=lenient)

    def _if_kind(self, value: Value, kind: str, test: str, *, lenient: bool) -> str:
        """A test that can't be told of values of another kind."""
        is_kind = self._kind(value, kind)
        self._needs(is_kind)
        return f"(not {is_kind} or {test})" if lenient else f"({is_kind} and {test})"

    def _size(self, node: Call, op: BinaryOp, literal: Literal, *, lenient: bool) -> str | None:
        value = self._value(node.args[0]) if node.function is Function.SIZE else None
        if value is None or type(literal.value) is not int:
            return None
        test = f"len({value.name}) {op} {self.literal(literal.value)}"
        return self._if_kind(value, "sized", test, lenient=lenient)

    def _two_values(self, node: Binary, left: Value, right: Value, *, lenient: bool) -> str:
        """Two paths: quick for numbers in order and for equal texts, and if one lacks."""
        kind = "number" if node.op in ORDERING else "text"
        are_kind = [self._kind(value, kind) for value in (left, right)]
        names = [value.name for value in (left, right)]
        asked = self._doubt(node, lenient=lenient)
        for is_kind in are_kind:
            self._needs(is_kind)
        lacks = " or ".join(f"{name} is _M" for name in names)
        other = f"{lacks} or {asked}" if lenient else f"not ({lacks}) and {asked}"
        test = f" {node.op} ".join(names)
        return f"({test} if {' and '.join(are_kind)} else {other})"

    def _membership(self, node: Binary, *, lenient: bool) -> str | None:
        if isinstance(node.right, ListLiteral):
            return self._in_list(node.left, node.right, lenient=lenient)
        value = self._value(node.right)
        if value is None or not isinstance(node.left, Literal):
            return None
        literal = node.left.value
        # Numbers of more than one kind are equal, and true is 1 in Python: those are asked for.
        if not isinstance(literal, str):
            return None
        is_plain = self._kind(value, "plain_holder")
        text = self.literal(literal)
        test = f"({text} in {value.name} if {is_plain} else _is_in({text}, {value.name}))"
        return self._if_kind(value, "holder", test, lenient=lenient)

    def _in_list(self, node: Node, items: ListLiteral, *, lenient: bool) -> str | None:
        literals = [item.value for item in items.items if isinstance(item, Literal)]
        of_types = {type(literal) for literal in literals}
        if len(literals) != len(items.items) or of_types not in ({str}, {int}):
            return None
        value = self._value(node)
        if value is None:
            return None
        is_text = of_types == {str}
        test = f"{value.name} in {self.members(literals)}"
        if is_text and value.of_type is ValueType.TEXT and not value.can_lack:
            return f"({test})"
        # What is of another kind may have no hash, and is in no such list.
        is_kind = self._kind(value, "text" if is_text else "number")
        self._needs(f"{value.name} is not _M")
        if not lenient:
            return f"({is_kind} and {test})"
        return f"({test} if {is_kind} else {value.name} is _M)"

    # --- calls ------------------------------------------------------------------------------------

    def _call(self, node: Call, *, lenient: bool) -> str | None:
        template = _METHODS.get(node.function)
        argument = node.args[-1]
        if template is None or not isinstance(argument, Literal):
            return None
        value = self._value(node.args[0])
        if value is None or not isinstance(argument.value, str):
            return None
        test = template.format(value.name, self.literal(argument.value))
        return self._if_kind(value, "text", test, lenient=lenient)

    def _has(self, node: Has, *, lenient: bool) -> str | None:
        value = self._member(node.operand, node.field)
        if value is None:
            return None
        if fact_of(node.operand) is None:
            return f"({value.name} is not _M or {self._ask(node, lenient=lenient)})"
        # Of what lies in a map that is always there, only what could not be read is in doubt.
        self._needs(f"({value.name} is not _M or not a.unreadable)")
        if not lenient:
            return f"({value.name} is not _M)"
        return f"({value.name} is not _M or a.unreadable and {self._doubt(node, lenient=True)})"
