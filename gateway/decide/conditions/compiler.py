"""Turns a checked condition into a Python function of one expression.

The function's source is written from the tree alone: operators from a fixed table, roots from
`facts`, every literal through `repr` of a value whose type the parser has set. Fields of a request
are read by item access, so a field called `__class__` is a key like any other. The function runs
with no builtins but the few named here.

It takes shortcuts that are exact for the types they test (`type(x) is int`). For anything else it
raises, and the interpreter gives CEL's answer: INVARIANT(slow path): where this function returns,
the interpreter would have returned the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn, assert_never

from gateway.decide.assessment import Assessment
from gateway.decide.conditions import semantics
from gateway.decide.conditions.facts import Fact, ValueType, fact_of
from gateway.decide.conditions.semantics import Unresolved
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
    Name,
    Negate,
    Node,
    Not,
    Quantified,
    Select,
    Ternary,
    children,
)
from gateway.model.action import Action, ParamValue
from gateway.model.decision import Context

Compiled = Callable[[Mapping[str, ParamValue], Action, Context, Assessment], bool]
"""Takes params, action, context and assessment. Raises anything where it has no answer."""

_SET_ITEMS_MIN = 4
"""From how many texts on a set is faster to look into than a row of comparisons."""


def _give_up() -> NoReturn:
    raise Unresolved


_HELPERS: Final[dict[str, Callable[..., object]]] = {
    "_give_up": _give_up,
    "_index": semantics.at_index,
    "_size": semantics.size,
    "_negate": semantics.negate,
    "_starts": semantics.starts_with,
    "_ends": semantics.ends_with,
    "_contains": semantics.contains,
    "_eq": semantics.equal,
    "_ne": semantics.not_equal,
    "_lt": semantics.less,
    "_le": semantics.less_equal,
    "_gt": semantics.greater,
    "_ge": semantics.greater_equal,
    "_in": semantics.is_in,
    "_add": semantics.add,
    "_sub": semantics.subtract,
    "_mul": semantics.multiply,
    "_div": semantics.divide,
    "_rem": semantics.remainder,
    "type": type,
    "int": int,
    "str": str,
    "bool": bool,
}

_BINARY: Final = {
    BinaryOp.EQUAL: "_eq",
    BinaryOp.NOT_EQUAL: "_ne",
    BinaryOp.LESS: "_lt",
    BinaryOp.LESS_EQUAL: "_le",
    BinaryOp.GREATER: "_gt",
    BinaryOp.GREATER_EQUAL: "_ge",
    BinaryOp.IN: "_in",
    BinaryOp.ADD: "_add",
    BinaryOp.SUBTRACT: "_sub",
    BinaryOp.MULTIPLY: "_mul",
    BinaryOp.DIVIDE: "_div",
    BinaryOp.REMAINDER: "_rem",
}
_FUNCTIONS: Final = {
    Function.SIZE: "_size",
    Function.STARTS_WITH: "_starts",
    Function.ENDS_WITH: "_ends",
    Function.CONTAINS: "_contains",
}
_METHODS: Final = {Function.STARTS_WITH: "startswith", Function.ENDS_WITH: "endswith"}

_MIRRORED: Final = {
    BinaryOp.LESS: BinaryOp.GREATER,
    BinaryOp.LESS_EQUAL: BinaryOp.GREATER_EQUAL,
    BinaryOp.GREATER: BinaryOp.LESS,
    BinaryOp.GREATER_EQUAL: BinaryOp.LESS_EQUAL,
}


def can_compile(node: Node) -> bool:
    """False for `all` and `exists`: they are interpreted, which also counts their work."""
    return not isinstance(node, Quantified) and all(map(can_compile, children(node)))


def compile_condition(node: Node) -> Compiled:
    """Compile a checked condition for which `can_compile` holds."""
    source = f"lambda p, a, c, r: {_Writer().condition(node)}"
    code = compile(source, "<condition>", "eval")
    # The source is our own, written from the checked tree; see the module's docstring.
    function: Compiled = eval(code, {"__builtins__": {}, **_HELPERS})  # noqa: S307
    return function


@dataclass(slots=True)
class _Writer:
    """Writes Python for nodes. `temporaries` counts the names it has used for values."""

    temporaries: int = field(default=0)

    def condition(self, node: Node) -> str:
        """Source that gives True or False, or raises."""
        if _gives_truth(node):
            return self.value(node)
        return self._guarded(node, "bool", "{0}")

    def value(self, node: Node) -> str:
        fact = fact_of(node)
        if fact is not None:
            return fact.source
        match node:
            case Literal():
                return repr(node.value)
            case ListLiteral():
                return f"[{', '.join(map(self.value, node.items))}]"
            case Select():
                return f"{self.value(node.operand)}[{node.field!r}]"
            case Index():
                return f"_index({self.value(node.operand)}, {self.value(node.index)})"
            case Has():
                return self._has(node)
            case Not():
                return f"(not {self.condition(node.operand)})"
            case Negate():
                return f"_negate({self.value(node.operand)})"
            case Binary():
                return self._binary(node)
            case Logic():
                word = " and " if node.op is LogicOp.AND else " or "
                return f"({word.join(map(self.condition, node.operands))})"
            case Ternary():
                return (
                    f"({self.value(node.then)} if {self.condition(node.condition)}"
                    f" else {self.value(node.otherwise)})"
                )
            case Call():
                return self._call(node)
            case Name() | Quantified():
                raise AssertionError("a quantifier and its variable are interpreted")
            case _:
                assert_never(node)

    def _guarded(self, node: Node, type_name: str, template: str) -> str:
        """`template` over the node's value if it is of exactly this type; else give up."""
        name = f"t{self.temporaries}"
        self.temporaries += 1
        value = self.value(node)
        return (
            f"({template.format(name)} if type({name} := {value}) is {type_name} else _give_up())"
        )

    def _has(self, node: Has) -> str:
        # Where a declared param is missing, only the interpreter knows whether it is this one.
        # A list or text would answer `in` differently from a map, so only maps may come here.
        fact = fact_of(node.operand)
        if fact is None:
            return "_give_up()"
        return f"({node.field!r} in {fact.source} or (_give_up() if a.missing else False))"

    def _binary(self, node: Binary) -> str:
        quick: str | None = None
        if node.op in EQUALITY:
            quick = self._equality(node)
        elif node.op in ORDERING:
            quick = self._ordering(node)
        elif node.op is BinaryOp.IN:
            quick = self._membership(node)
        if quick is not None:
            return quick
        return f"{_BINARY[node.op]}({self.value(node.left)}, {self.value(node.right)})"

    def _equality(self, node: Binary) -> str | None:
        for literal, other in ((node.left, node.right), (node.right, node.left)):
            if not isinstance(literal, Literal) or isinstance(other, Literal):
                # Two literals are rare, and Python warns of `1 is None`.
                continue
            match literal.value:
                case None | bool():
                    is_it = "is" if node.op is BinaryOp.EQUAL else "is not"
                    return f"({self.value(other)} {is_it} {literal.value!r})"
                case str():
                    return f"({self.value(other)} {node.op} {literal.value!r})"
                case int() if literal.value not in (0, 1):
                    # True == 1 in Python, so 0 and 1 take the careful way.
                    return f"({self.value(other)} {node.op} {literal.value!r})"
                case _:
                    return None
        return None

    def _ordering(self, node: Binary) -> str | None:
        for literal, other, op in (
            (node.right, node.left, node.op),
            (node.left, node.right, _MIRRORED[node.op]),
        ):
            if not isinstance(literal, Literal) or isinstance(literal.value, bool | None):
                continue
            type_name = "str" if isinstance(literal.value, str) else "int"
            fact = fact_of(other)
            if fact is not None and _is_exactly(fact, type_name):
                return f"({fact.source} {op} {literal.value!r})"
            return self._guarded(other, type_name, f"{{0}} {op} {_braced(literal.value)}")
        return None

    def _membership(self, node: Binary) -> str | None:
        if not isinstance(node.right, ListLiteral):
            return None
        texts = [
            item.value
            for item in node.right.items
            if isinstance(item, Literal) and isinstance(item.value, str)
        ]
        if len(texts) != len(node.right.items) or not texts:
            return None
        written = ", ".join(repr(text) for text in texts)
        if len(texts) >= _SET_ITEMS_MIN:
            # A value that can't be hashed raises, and the interpreter answers.
            return f"({self.value(node.left)} in {{{written}}})"
        return f"({self.value(node.left)} in ({written},))"

    def _call(self, node: Call) -> str:
        args = [self.value(arg) for arg in node.args]
        argument = node.args[-1]
        is_text = isinstance(argument, Literal) and isinstance(argument.value, str)
        if len(node.args) == 2 and is_text:
            assert isinstance(argument, Literal)
            assert isinstance(argument.value, str)
            method = _METHODS.get(node.function)
            literal = _braced(argument.value)
            template = f"{literal} in {{0}}" if method is None else f"{{0}}.{method}({literal})"
            return self._guarded(node.args[0], "str", template)
        return f"{_FUNCTIONS[node.function]}({', '.join(args)})"


def _braced(value: object) -> str:
    """`repr` for use inside a format template."""
    return repr(value).replace("{", "{{").replace("}", "}}")


def _is_exactly(fact: Fact, type_name: str) -> bool:
    return (fact.type, type_name) in ((ValueType.TEXT, "str"), (ValueType.INT, "int"))


def _gives_truth(node: Node) -> bool:
    """Whether the source for this node can give nothing but True or False."""
    fact = fact_of(node)
    if fact is not None:
        return fact.type is ValueType.BOOL
    match node:
        case Literal():
            return isinstance(node.value, bool)
        case Binary():
            return node.op in EQUALITY or node.op in ORDERING or node.op is BinaryOp.IN
        case Call():
            return node.function is not Function.SIZE
        case Ternary():
            return _gives_truth(node.then) and _gives_truth(node.otherwise)
        case Has() | Not() | Logic():
            return True
        case _:
            return False
