"""Turns the text of a condition into its tree: the subset of CEL that `policies/README.md` teaches.

A Pratt parser. What follows a whole expression is an error, never ignored; so is whatever it does
not know. It looks at no types: that is the checker's work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.decide.conditions.parsing.scanner import Token, TokenKind, scan, too_large
from gateway.decide.conditions.parsing.spelling import (
    BEHIND,
    RESERVED,
    SPELT_OUT,
    help_for,
    unknown_function,
)
from gateway.decide.conditions.signatures import GLOBALS, SIGNATURES
from gateway.decide.conditions.syntax import (
    CONDITION_DEPTH_MAX,
    EQUALITY,
    INT64_MAX,
    LIST_ITEMS_MAX,
    ORDERING,
    QUANTIFIERS_MAX,
    Binary,
    BinaryOp,
    Call,
    ConditionError,
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
    Quantifier,
    Select,
    Span,
    Ternary,
    children,
)

_RELATION: Final = 3
_BINDING: Final = {
    LogicOp.OR: 1,
    LogicOp.AND: 2,
    BinaryOp.ADD: 4,
    BinaryOp.SUBTRACT: 4,
    BinaryOp.MULTIPLY: 5,
    BinaryOp.DIVIDE: 5,
    BinaryOp.REMAINDER: 5,
}
_OPERATORS: Final[dict[str, LogicOp | BinaryOp]] = {
    **{str(logic): logic for logic in LogicOp},
    **{str(binary): binary for binary in BinaryOp},
}

_LITERAL_NAMES: Final = {"true": True, "false": False, "null": None}


def parse(text: str) -> Node:
    """Parse a whole condition.

    Raises:
        ConditionError: it is not one expression of the language, or it is nested too deeply.
    """
    tokens = scan(text)
    node = _Parser(tokens).whole()
    if len(tokens) > CONDITION_DEPTH_MAX:
        # No tree is deeper than it has words; what goes through lists has more of them too.
        _check_bounds(node)
    return node


def _check_bounds(root: Node) -> None:
    # Chains such as `1+1+1` and `a.b.c` are deep trees without being nested text.
    pending: list[tuple[Node, int]] = [(root, 1)]
    quantifiers = 0
    while pending:
        node, depth = pending.pop()
        if depth > CONDITION_DEPTH_MAX:
            raise _too_deep(node.span)
        quantifiers += isinstance(node, Quantified)
        if quantifiers > QUANTIFIERS_MAX:
            raise ConditionError(
                f"the condition goes through more than {QUANTIFIERS_MAX} lists",
                node.span,
                "split the rule",
            )
        pending.extend((child, depth + 1) for child in reversed(children(node)))


def _too_deep(span: Span) -> ConditionError:
    return ConditionError(
        f"the condition is nested deeper than {CONDITION_DEPTH_MAX}", span, "split the rule"
    )


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        if self._is_end():
            raise ConditionError("the condition is empty", self._next.span, "leave `when` out")
        node = self._expression()
        if not self._is_end():
            raise self._unexpected("an operator or the end")
        return node

    # --- tokens -----------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    @property
    def _before(self) -> str:
        return self._tokens[self._at - 1].text if self._at else ""

    def _is_end(self) -> bool:
        return self._next.kind is TokenKind.END

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is_sign(self, sign: str) -> bool:
        # No token of another kind is spelt like a sign: texts begin with quotes.
        return self._tokens[self._at].text == sign

    def _expect(self, sign: str) -> Token:
        if not self._is_sign(sign):
            raise self._unexpected(f"`{sign}`")
        return self._take()

    def _unexpected(self, wanted: str) -> ConditionError:
        token = self._next
        if token.kind is TokenKind.END:
            return ConditionError(f"the condition ends where {wanted} was expected", token.span)
        return ConditionError(
            f"unexpected `{token.text}` where {wanted} was expected",
            token.span,
            help_for(self._before, token.text),
        )

    def _nested(self, parse_inner: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > CONDITION_DEPTH_MAX:
            raise _too_deep(self._next.span)
        node = parse_inner()
        self._depth -= 1
        return node

    # --- operators --------------------------------------------------------------------------------

    def _expression(self) -> Node:
        return self._nested(self._ternary)

    def _ternary(self) -> Node:
        condition = self._binary(1)
        if not self._is_sign("?"):
            return condition
        self._take()
        then = self._nested(lambda: self._binary(1))
        self._expect(":")
        otherwise = self._expression()
        return Ternary(_join(condition, otherwise), condition, then, otherwise)

    def _binary(self, binding_min: int) -> Node:
        left = self._unary()
        while True:
            operator = self._operator()
            if operator is None:
                return left
            binding = _BINDING.get(operator, _RELATION)
            if binding < binding_min:
                return left
            taken = self._take()
            right = self._binary(binding + 1)
            left = _combine(operator, left, right)
            if binding == _RELATION and _is_relation(self._operator()):
                raise ConditionError(
                    f"`{taken.text}` and `{self._next.text}` are in one row",
                    self._next.span,
                    "join two comparisons with `&&`, or put one of them in parentheses",
                )

    def _operator(self) -> LogicOp | BinaryOp | None:
        token = self._next
        if token.kind is TokenKind.SIGN or token.text == "in":
            return _OPERATORS.get(token.text)
        return None

    def _unary(self) -> Node:
        token = self._next
        if self._is_sign("!"):
            self._take()
            operand = self._nested(self._unary)
            return Not(Span(token.span.start, operand.span.end), operand)
        if self._is_sign("-"):
            self._take()
            if self._next.kind in (TokenKind.INT, TokenKind.DOUBLE):
                return self._postfix(self._negative(token))
            operand = self._nested(self._unary)
            return Negate(Span(token.span.start, operand.span.end), operand)
        return self._postfix(self._primary())

    def _negative(self, minus: Token) -> Literal:
        # `-9223372036854775808` is one literal: its digits alone would not fit.
        number = self._take()
        assert not isinstance(number.value, str)
        return Literal(Span(minus.span.start, number.span.end), -number.value)

    # --- operands ---------------------------------------------------------------------------------

    def _primary(self) -> Node:
        token = self._next
        match token.kind:
            case TokenKind.INT | TokenKind.DOUBLE | TokenKind.TEXT:
                self._take()
                if token.value == INT64_MAX + 1 and token.kind is TokenKind.INT:
                    raise too_large(token.text, token.span)
                return Literal(token.span, token.value)
            case TokenKind.NAME:
                return self._name()
            case TokenKind.SIGN if token.text == "(":
                self._take()
                node = self._expression()
                self._expect(")")
                return node
            case TokenKind.SIGN if token.text == "[":
                return self._list()
            case _:
                raise self._unexpected("a value")

    def _name(self) -> Node:
        token = self._take()
        if self._is_sign("("):
            return self._global_call(token)
        if token.text in _LITERAL_NAMES:
            return Literal(token.span, _LITERAL_NAMES[token.text])
        if token.text in RESERVED or token.text.lower() in SPELT_OUT:
            raise ConditionError(
                f"`{token.text}` is not a value", token.span, SPELT_OUT.get(token.text.lower(), "")
            )
        return Name(token.span, token.text)

    def _list(self) -> Node:
        start = self._take().span.start
        items = self._sequence("]", trailing_comma=True)
        if len(items) > LIST_ITEMS_MAX:
            raise ConditionError(
                f"a list has at most {LIST_ITEMS_MAX} items", items[LIST_ITEMS_MAX].span
            )
        return ListLiteral(Span(start, self._expect("]").span.end), items)

    def _sequence(self, end: str, *, trailing_comma: bool = False) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._is_sign(end):
            items.append(self._expression())
            if not self._is_sign(","):
                break
            comma = self._take()
            if self._is_sign(end) and not trailing_comma:
                raise ConditionError("a value is missing behind the comma", comma.span)
        return tuple(items)

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._is_sign("."):
                self._take()
                if self._next.kind is not TokenKind.NAME:
                    raise self._unexpected("a field name")
                name = self._take()
                if self._is_sign("("):
                    node = self._method(node, name)
                elif name.text in RESERVED or name.text in _LITERAL_NAMES:
                    raise ConditionError(
                        f"`{name.text}` can't be written as a field",
                        name.span,
                        f'write `["{name.text}"]`',
                    )
                else:
                    node = Select(_until(node, name), node, name.text)
            elif self._is_sign("["):
                self._take()
                index = self._expression()
                node = Index(_until(node, self._expect("]")), node, index)
            else:
                return node

    # --- calls ------------------------------------------------------------------------------------

    def _global_call(self, name: Token) -> Node:
        if name.text not in GLOBALS:
            raise unknown_function(name.text, name.span, GLOBALS, is_method=False)
        self._take()
        args = self._sequence(")")
        end = self._expect(")")
        span = Span(name.span.start, end.span.end)
        if len(args) != 1:
            raise ConditionError(f"`{name.text}` takes one argument", span)
        if name.text != "has":
            return Call(span, Function(name.text), args)
        field = args[0]
        if not isinstance(field, Select):
            raise ConditionError(
                "`has` takes a field", field.span, "write it as in `has(params.amount)`"
            )
        return Has(span, field.operand, field.field)

    def _method(self, receiver: Node, name: Token) -> Node:
        if name.text not in BEHIND:
            raise unknown_function(name.text, name.span, BEHIND, is_method=True)
        self._take()
        if name.text in tuple(Quantifier):
            return self._quantified(receiver, Quantifier(name.text))
        args = self._sequence(")")
        span = _until(receiver, self._expect(")"))
        function = Function(name.text)
        signature = SIGNATURES[function]
        most = len(signature.takes) - 1
        if not most - signature.optional <= len(args) <= most:
            counted = "no argument" if most == 0 else "one argument"
            at_most = "at most " if signature.optional else ""
            raise ConditionError(f"`{name.text}` takes {at_most}{counted}", name.span)
        return Call(span, function, (receiver, *args))

    def _quantified(self, items: Node, quantifier: Quantifier) -> Node:
        variable = self._next
        word = variable.text
        if variable.kind is not TokenKind.NAME or word in RESERVED or word in _LITERAL_NAMES:
            raise self._unexpected("a variable")
        self._take()
        self._expect(",")
        predicate = self._expression()
        transform: Node | None = None
        if quantifier is Quantifier.MAP:
            transform = predicate
            if self._is_sign(","):
                self._take()
                transform = self._expression()
            else:
                predicate = Literal(predicate.span, True)
        span = _until(items, self._expect(")"))
        return Quantified(span, quantifier, items, variable.text, predicate, transform)


def _combine(operator: LogicOp | BinaryOp, left: Node, right: Node) -> Node:
    span = _join(left, right)
    if isinstance(operator, BinaryOp):
        return Binary(span, operator, left, right)
    if isinstance(left, Logic) and left.op is operator:
        return Logic(span, operator, (*left.operands, right))
    return Logic(span, operator, (left, right))


def _is_relation(operator: LogicOp | BinaryOp | None) -> bool:
    return operator in EQUALITY or operator in ORDERING or operator is BinaryOp.IN


def _join(left: Node, right: Node) -> Span:
    return Span(left.span.start, right.span.end)


def _until(node: Node, end: Token) -> Span:
    return Span(node.span.start, end.span.end)
