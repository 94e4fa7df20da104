"""Parses a GraphQL document as far as acts need it: operations, fragments, and the fields of their
first level with arguments. All of it is checked against the grammar (October 2021).

Never follows a reference and never recurses deeper than a fixed bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from gateway.canonicalize.expand.graphql_tokens import (
    GraphqlSyntaxError,
    Token,
    string_value,
    tokens_of,
)
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import DecimalText
from gateway.model.dataclass import dataclass

DEPTH_MAX = 64
"""Selections, lists and types within each other. Introspection, deeper than most, has 13."""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a first level. `arguments` hold JSON-like values and `Variable`s."""

    name: str
    arguments: Mapping[str, object]


@dataclass(slots=True)
class Selections:
    """The first level of a selection set, inline fragments dissolved; `spreads` are names."""

    fields: list[Field] = field(default_factory=list)
    spreads: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OperationDefinition:
    """`type` is query, mutation or subscription; `defaults` the variables' default values."""

    type: str
    name: str
    defaults: Mapping[str, object]
    selections: Selections


@dataclass(frozen=True, slots=True)
class Document:
    operations: tuple[OperationDefinition, ...]
    fragments: Mapping[str, Selections]
    size: int
    """In tokens."""


def parse_document(text: str, room: int) -> Document:
    """Parse an executable document of at most `room` tokens.

    Raises:
        GraphqlSyntaxError: it is none.
        AmbiguityError: it is too large or too deep, or says something twice.
    """
    tokens = tokens_of(text, room)
    return _Parser(tokens).document()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    # --- tokens -----------------------------------------------------------------------------------

    def _is(self, text: str) -> bool:
        kind, found = self._tokens[self._at]
        return found == text and kind in ("punctuator", "name")

    def _take(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise GraphqlSyntaxError(f"`{text}` is missing")

    def _name(self) -> str:
        kind, text = self._tokens[self._at]
        if kind != "name":
            raise GraphqlSyntaxError("a name is missing")
        self._at += 1
        return text

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise AmbiguityError(ambiguity.BODY, "the GraphQL document is nested too deeply")

    # --- definitions ------------------------------------------------------------------------------

    def document(self) -> Document:
        operations: list[OperationDefinition] = []
        fragments: dict[str, Selections] = {}
        while self._tokens[self._at][0] != "end":
            if not self._description() and self._is("{"):
                operations.append(OperationDefinition("query", "", {}, self._selections()))
                continue
            word = self._name()
            if word == "fragment":
                name = self._name()
                self._expect("on")
                if name == "on" or name in fragments:
                    raise AmbiguityError(ambiguity.BODY, "a GraphQL fragment is there twice")
                self._name()
                self._directives()
                fragments[name] = self._selections()
            elif word in ("query", "mutation", "subscription"):
                operations.append(self._operation(word))
            else:
                raise GraphqlSyntaxError("no executable definition")
        if not operations:
            raise GraphqlSyntaxError("no operation")
        return Document(tuple(operations), fragments, len(self._tokens))

    def _description(self) -> bool:
        """Pass the text before a definition, which the edition of 2025 allows."""
        is_there = self._tokens[self._at][0] in ("string", "block")
        self._at += is_there
        return is_there

    def _operation(self, kind: str) -> OperationDefinition:
        name = self._name() if self._tokens[self._at][0] == "name" else ""
        defaults: dict[str, object] = {}
        declared: set[str] = set()
        if self._take("("):
            while not self._take(")"):
                self._description()
                self._expect("$")
                variable = self._name()
                if variable in declared:
                    raise AmbiguityError(ambiguity.BODY, "a GraphQL variable is there twice")
                declared.add(variable)
                self._expect(":")
                self._type()
                if self._take("="):
                    defaults[variable] = self._value(constant=True)
                self._directives()
            if not declared:
                raise GraphqlSyntaxError("no variable in the parentheses")
        self._directives()
        return OperationDefinition(kind, name, defaults, self._selections())

    def _type(self) -> None:
        if self._take("["):
            self._deeper()
            self._type()
            self._depth -= 1
            self._expect("]")
        else:
            self._name()
        self._take("!")

    def _directives(self) -> None:
        while self._take("@"):
            self._name()
            self._arguments()

    # --- selections -------------------------------------------------------------------------------

    def _selections(self) -> Selections:
        """One level is kept; what stands deeper is only checked."""
        kept = Selections()
        self._selection_set(kept)
        return kept

    def _selection_set(self, kept: Selections | None) -> None:
        self._expect("{")
        self._deeper()
        if self._is("}"):
            raise GraphqlSyntaxError("an empty selection")
        while not self._take("}"):
            if self._take("..."):
                self._fragment(kept)
                continue
            name = self._name()
            if self._take(":"):
                name = self._name()
            arguments = self._arguments()
            self._directives()
            if kept is not None:
                kept.fields.append(Field(name, arguments))
            if self._is("{"):
                self._selection_set(None)
        self._depth -= 1

    def _fragment(self, kept: Selections | None) -> None:
        if self._tokens[self._at][0] == "name" and not self._is("on"):
            name = self._name()
            self._directives()
            if kept is not None:
                kept.spreads.append(name)
            return
        if self._take("on"):
            self._name()
        self._directives()
        self._selection_set(kept)

    # --- values -----------------------------------------------------------------------------------

    def _arguments(self) -> Mapping[str, object]:
        found: dict[str, object] = {}
        if not self._take("("):
            return found
        while not self._take(")"):
            self._pair(found, constant=False)
        if not found:
            raise GraphqlSyntaxError("no argument in the parentheses")
        return found

    def _pair(self, found: dict[str, object], *, constant: bool) -> None:
        name = self._name()
        if name in found:
            raise AmbiguityError(ambiguity.BODY, "a GraphQL argument is there twice")
        self._expect(":")
        found[name] = self._value(constant=constant)

    def _value(self, *, constant: bool) -> object:
        kind, text = token = self._tokens[self._at]
        self._at += 1
        match kind:
            case "string" | "block":
                return string_value(token)
            case "int":
                return int(text) if len(text) <= 16 else DecimalText(text)
            case "float":
                return DecimalText(text)
            case "name":
                return {"true": True, "false": False, "null": None}.get(text, text)
        if text == "$" and not constant:
            return Variable(self._name())
        self._deeper()
        value: object
        if text == "[":
            items: list[object] = []
            while not self._take("]"):
                items.append(self._value(constant=constant))
            value = items
        elif text == "{":
            pairs: dict[str, object] = {}
            while not self._take("}"):
                self._pair(pairs, constant=constant)
            value = pairs
        else:
            raise GraphqlSyntaxError("a value is missing")
        self._depth -= 1
        return value
