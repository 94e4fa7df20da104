"""Checks a parsed condition: every name is known, every type that can be known fits.

Text compared with a number, a condition that is no condition, a root that does not exist: each
is reported at its place when the policy is loaded, since at run time it could only be a rule that
silently never fires. What only the request can tell (`params.…`) is left to the evaluation.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import field
from typing import Final, assert_never

from gateway.decide.conditions.checking.names import help_with, names_of, unknown_name
from gateway.decide.conditions.checking.ways_out import (
    comparison_help,
    conversion_help,
    name_help,
    time_help,
)
from gateway.decide.conditions.checking.written_arguments import faults_of_written
from gateway.decide.conditions.facts import FACTS, GROUPS, OPEN, ROOTS, ValueType, fact_of
from gateway.decide.conditions.operand_types import (
    ARITHMETIC,
    CONTAINERS,
    NUMBERS,
    ORDERED,
    WANTED,
    comparable,
    may_be,
    results_of,
)
from gateway.decide.conditions.signatures import SIGNATURES
from gateway.decide.conditions.syntax import (
    EQUALITY,
    ORDERING,
    Binary,
    BinaryOp,
    Call,
    ConditionError,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Negate,
    Node,
    Not,
    Quantified,
    Quantifier,
    Select,
    Ternary,
    path_of,
)
from gateway.decide.nearest import nearest_help
from gateway.model.dataclass import dataclass
from gateway.model.vocabulary import Vocabulary

_ANY_VOCABULARY: Final = Vocabulary()


def check(node: Node, vocabulary: Vocabulary = _ANY_VOCABULARY) -> tuple[ConditionError, ...]:
    """Everything that is wrong with a condition; empty when it can be compiled."""
    checker = _Checker(vocabulary)
    checker.condition(node)
    return tuple(checker.errors)


@dataclass(slots=True)
class _Checker:
    vocabulary: Vocabulary
    errors: list[ConditionError] = field(default_factory=list)
    variables: dict[str, ValueType] = field(default_factory=dict)
    types: dict[int, ValueType] = field(default_factory=dict)

    def condition(self, node: Node) -> ValueType:
        return self.expect(node, {ValueType.BOOL}, "a condition is wanted here")

    def expect(self, node: Node, types: Set[ValueType], wanted: str) -> ValueType:
        found = self.type_of(node)
        if not may_be(found, types):
            self.fault(node, f"{wanted}, and this is {found.value}")
        return found

    def fault(self, node: Node, message: str, help: str = "") -> None:  # noqa: A002
        self.errors.append(ConditionError(message, node.span, help))

    def type_of(self, node: Node) -> ValueType:
        """The type of a node. Its faults are noted the first time only, however often it is asked
        for: a tree in which every node asked for its children twice would take forever."""
        found = self.types.get(id(node))
        if found is None:
            found = self.types[id(node)] = self._find_type(node)
        return found

    def _find_type(self, node: Node) -> ValueType:
        fact = fact_of(node)
        if fact is not None:
            return fact.type
        match node:
            case Literal():
                return _type_of_literal(node)
            case ListLiteral():
                for item in node.items:
                    self.type_of(item)
                return ValueType.LIST
            case Name():
                return self._name(node)
            case Select():
                return self._select(node)
            case Index():
                return self._index(node)
            case Has():
                return self._has(node)
            case Not():
                self.condition(node.operand)
                return ValueType.BOOL
            case Negate():
                found = self.expect(node.operand, NUMBERS, "`-` takes a number")
                return ValueType.INT if found is ValueType.DATA else found
            case Binary():
                return self._binary(node)
            case Logic():
                for operand in node.operands:
                    self.expect(operand, {ValueType.BOOL}, f"`{node.op}` joins conditions")
                return ValueType.BOOL
            case Ternary():
                return self._ternary(node)
            case Call():
                return self._call(node)
            case Quantified():
                return self._quantified(node)
            case _:
                assert_never(node)

    # --- names ------------------------------------------------------------------------------------

    def _name(self, node: Name) -> ValueType:
        if node.name in self.variables:
            return self.variables[node.name]
        if node.name in GROUPS:
            parts = " or ".join(f"`{name}`" for name in GROUPS[node.name])
            self.fault(node, f"`{node.name}` is no value itself", f"write {parts}")
        else:
            help_text = name_help(node.name, frozenset(self.variables))
            self.fault(node, f"there is no `{node.name}` to read", help_text)
        return ValueType.ANY

    def _select(self, node: Select | Has) -> ValueType:
        operand = node.operand
        if isinstance(operand, Name) and operand.name in GROUPS:
            names = GROUPS[operand.name]
            written = f"{operand.name}.{node.field}"
            self.fault(node, f"there is no `{written}` to read", nearest_help(written, names))
            return ValueType.ANY
        path = path_of(operand) or ""
        if path == "run":
            help_text = "`run` is the name of the run, `run.state` how it stands"
            self.fault(node, f"there is no `run.{node.field}` to read", help_text)
            return ValueType.ANY
        if path == "risk.factors":
            help_text = 'write it in brackets: `risk.factors["context.amount"]`'
            self.fault(node, "the name of a factor has a point in it", help_text)
            return ValueType.ANY
        self.expect(operand, {ValueType.MAP}, f"`.{node.field}` reads a field of a map")
        known = names_of(self.vocabulary, path)
        if known is not None and node.field not in known:
            self.fault(node, unknown_name(path, node.field), help_with(node.field, known))
        return self._part_type(operand)

    def _has(self, node: Has) -> ValueType:
        path = path_of(node)
        if path in FACTS:
            self.fault(node, f"`{path}` is always there", 'compare it with `""` instead')
        else:
            self._select(node)
        return ValueType.BOOL

    def _index(self, node: Index) -> ValueType:
        container = self.expect(node.operand, CONTAINERS, "`[...]` reads a list or a map")
        wanted = {
            ValueType.LIST: {ValueType.INT},
            ValueType.MAP: {ValueType.TEXT},
        }.get(container, {ValueType.INT, ValueType.TEXT})
        self.expect(node.index, wanted, "an index is a position, or the name of a field")
        self._known_name(node.index, path_of(node.operand) or "")
        return self._part_type(node.operand)

    def _part_type(self, node: Node) -> ValueType:
        """The type of what lies in a container."""
        parent = fact_of(node)
        if parent is not None:
            return parent.item
        return ValueType.DATA if self.type_of(node) is ValueType.DATA else ValueType.ANY

    # --- operators --------------------------------------------------------------------------------

    def _binary(self, node: Binary) -> ValueType:
        if node.op is BinaryOp.IN:
            return self._in(node)
        left, right = self.type_of(node.left), self.type_of(node.right)
        if node.op in EQUALITY:
            self._comparable(node, left, right)
            self._known_value(node.left, node.right)
            self._known_value(node.right, node.left)
            return ValueType.BOOL
        if node.op in ORDERING:
            for side, found in ((node.left, left), (node.right, right)):
                if not may_be(found, ORDERED):
                    self.fault(side, f"`{node.op}` has no order for {found.value}")
                    return ValueType.BOOL
            self._comparable(node, left, right)
            return ValueType.BOOL
        return self._arithmetic(node, left, right)

    def _comparable(self, node: Binary, left: ValueType, right: ValueType) -> None:
        if not comparable(left, right):
            help_text = comparison_help(node, left, right)
            self.fault(node, f"{left.value} is compared with {right.value}", help_text)

    def _known_value(self, side: Node, other: Node) -> None:
        """Hold a literal beside `action`, `kind` and the like against the names there are."""
        self._known_name(other, _fact_path(side))

    def _known_name(self, node: Node, fact: str) -> None:
        """Hold a literal against the names that a fact has."""
        if not isinstance(node, Literal) or not isinstance(node.value, str):
            return
        known = names_of(self.vocabulary, fact)
        if known is not None and node.value not in known:
            self.fault(node, unknown_name(fact, node.value), help_with(node.value, known))

    def _in(self, node: Binary) -> ValueType:
        left = self.type_of(node.left)
        self.expect(node.right, CONTAINERS, "`in` looks into a list or a map")
        self._known_name(node.left, path_of(node.right) or "")
        if isinstance(node.right, ListLiteral):
            for item in node.right.items:
                item_type = self.type_of(item)
                self._comparable(
                    Binary(item.span, BinaryOp.EQUAL, node.left, item), left, item_type
                )
                self._known_value(node.left, item)
        return ValueType.BOOL

    def _arithmetic(self, node: Binary, left: ValueType, right: ValueType) -> ValueType:
        results = results_of(node.op, left, right)
        if results:
            return next(iter(results)) if len(results) == 1 else ValueType.ANY
        rows = ARITHMETIC[node.op]
        for position, (side, found) in enumerate(((node.left, left), (node.right, right))):
            if not may_be(found, {row[position] for row in rows}):
                self.fault(side, f"`{node.op}` takes {WANTED[node.op]}, and this is {found.value}")
                return ValueType.ANY
        message = f"`{node.op}` can't be used on {left.value} and {right.value}"
        self.fault(node, message, conversion_help(node, left, right))
        return ValueType.ANY

    def _ternary(self, node: Ternary) -> ValueType:
        self.expect(node.condition, {ValueType.BOOL}, "`?` follows a condition")
        then, otherwise = self.type_of(node.then), self.type_of(node.otherwise)
        if then is otherwise:
            return then
        if OPEN.isdisjoint((then, otherwise)):
            self.fault(node, f"one branch is {then.value}, the other {otherwise.value}")
        return ValueType.ANY

    # --- calls ------------------------------------------------------------------------------------

    def _call(self, node: Call) -> ValueType:
        signature = SIGNATURES[node.function]
        found = ValueType.ANY
        for position, (arg, types) in enumerate(zip(node.args, signature.takes, strict=False)):
            wanted = "text" if position else signature.wanted
            of_type = self.type_of(arg)
            if not may_be(of_type, types):
                help_text = time_help(arg) if of_type is ValueType.DATA else ""
                message = f"`{node.function}` takes {wanted}, and this is {of_type.value}"
                self.fault(arg, message, help_text)
                return signature.gives
            found = found if position else of_type
        self.errors.extend(faults_of_written(node, found))
        return signature.gives

    def _quantified(self, node: Quantified) -> ValueType:
        self.expect(node.items, CONTAINERS, f"`{node.quantifier}` goes through a list or a map")
        is_list = node.quantifier in (Quantifier.FILTER, Quantifier.MAP)
        result = ValueType.LIST if is_list else ValueType.BOOL
        if node.variable in ROOTS or node.variable in self.variables:
            self.fault(
                node, f"the variable `{node.variable}` has the name of something else", "rename it"
            )
            return result
        self.variables[node.variable] = self._item_type(node.items)
        self.condition(node.predicate)
        if node.transform is not None:
            self.type_of(node.transform)
        del self.variables[node.variable]
        return result

    def _item_type(self, node: Node) -> ValueType:
        """What a quantifier's variable holds."""
        fact = fact_of(node)
        if fact is not None:
            return ValueType.TEXT if fact.type is ValueType.MAP else fact.item
        if isinstance(node, Quantified) and node.quantifier is Quantifier.FILTER:
            return self._item_type(node.items)
        if isinstance(node, ListLiteral):
            types = {self.type_of(item) for item in node.items}
            return types.pop() if len(types) == 1 else ValueType.ANY
        return ValueType.DATA if self.type_of(node) is ValueType.DATA else ValueType.ANY


def _fact_path(node: Node) -> str:
    """The path of a fact; a label has the same one in both of its spellings."""
    if isinstance(node, Index) and isinstance(node.index, Literal):
        return f"{path_of(node.operand)}.{node.index.value}"
    return path_of(node) or ""


def _type_of_literal(node: Literal) -> ValueType:
    match node.value:
        case bool():
            return ValueType.BOOL
        case int():
            return ValueType.INT
        case float():
            return ValueType.DOUBLE
        case str():
            return ValueType.TEXT
        case None:
            return ValueType.NULL
        case _:
            assert_never(node.value)
