"""Turns the taxonomy's file into the names of actions: meaning, kind, risk class and typed params.

One readable file for all providers (`mappers/actions.yaml`). Strict as a mapper: every problem is
told with line and column, and a taxonomy with a problem is none. Opens files in `load_` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from gateway.canonicalize.authored.document import Document, Node, load_bytes
from gateway.canonicalize.authored.operation import ParamType
from gateway.canonicalize.naming.words import ACTION_NAME, PARAM_NAME
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass
from gateway.model.errors import Problem
from gateway.model.risk_class import RiskClass

TAXONOMY_FILE = "actions.yaml"
"""Its name in the folder of mappers; it is no mapper itself."""

API_VERSION = "checkrein/v1"
_KEYS = ("meaning", "kind", "risk", "params", "optional", "also")


class ParamMeaning(StrEnum):
    """What a param is to a policy, however a provider writes it. MONEY is minor units."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    MONEY = "money"
    CURRENCY = "currency"
    LIST = "list"


_MEANINGS = {
    ParamType.TEXT: ParamMeaning.TEXT,
    ParamType.INTEGER: ParamMeaning.INTEGER,
    ParamType.BOOLEAN: ParamMeaning.BOOLEAN,
    ParamType.MONEY_MINOR: ParamMeaning.MONEY,
    ParamType.MONEY_DECIMAL: ParamMeaning.MONEY,
    ParamType.CURRENCY: ParamMeaning.CURRENCY,
    ParamType.LIST: ParamMeaning.LIST,
    ParamType.MAIL_ADDRESSES: ParamMeaning.LIST,
    ParamType.MAIL_RECIPIENTS: ParamMeaning.LIST,
    ParamType.MAIL_SUBJECT: ParamMeaning.TEXT,
    ParamType.MAIL_SENDER: ParamMeaning.TEXT,
}


def meaning_of(type_: str) -> ParamMeaning | None:
    """What a `ParamType` means to a policy; None for a type that no taxonomy knows."""
    try:
        return _MEANINGS.get(ParamType(type_))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class NamedAction:
    """One name. Every operation of this name has `kind` and gives `params`; `optional` are given
    where the provider has them, in the same type. `also` are derived names that mean the same, with
    `*` for some words."""

    name: str
    field: str
    meaning: str
    kind: Kind
    risk: RiskClass
    params: Mapping[str, ParamMeaning]
    optional: Mapping[str, ParamMeaning]
    also: tuple[str, ...]

    def param(self, name: str) -> ParamMeaning | None:
        """The type that a param of this name must have, or None where any will do."""
        return self.params.get(name) or self.optional.get(name)


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All names, in the order of the file."""

    file: str
    actions: Mapping[str, NamedAction]


def load_taxonomy(path: Path) -> tuple[Taxonomy | None, list[Problem]]:
    """Read the file."""
    try:
        data = load_bytes(path)
    except OSError as error:
        return None, [Problem(str(path), 0, 0, f"can't be read: {error.strerror}")]
    return parse_taxonomy(data, str(path))


def parse_taxonomy(data: bytes, file: str) -> tuple[Taxonomy | None, list[Problem]]:
    """Read the text of the file; None when it has problems."""
    document = Document(file)
    root = document.compose(data)
    if root is None:
        return None, document.problems
    required = ("apiVersion", "kind", "metadata", "spec")
    top = document.fields(root, "a taxonomy", required, required)
    if "apiVersion" in top:
        document.choice(top["apiVersion"], "apiVersion", (API_VERSION,), API_VERSION)
    if "kind" in top:
        document.choice(top["kind"], "kind", ("Taxonomy",), "Taxonomy")
    if "metadata" in top:
        metadata = document.fields(top["metadata"], "metadata", ("name",), ("name",))
        document.text(metadata.get("name"), "the name")
    actions: dict[str, NamedAction] = {}
    if "spec" in top:
        spec = document.fields(top["spec"], "spec", ("actions",), ("actions",))
        if "actions" in spec:
            _read_fields(document, spec["actions"], actions)
            _check_also(document, spec["actions"], actions)
    taxonomy = Taxonomy(file, MappingProxyType(actions))
    return (None if document.problems else taxonomy), document.problems


def _read_fields(document: Document, node: Node, actions: dict[str, NamedAction]) -> None:
    for field, field_node, names in document.pairs(node, "actions"):
        if not ACTION_NAME.fullmatch(field):
            document.fault(field_node, f"`{field}` is no name of a field")
        for name, name_node, value in document.pairs(names, f"the field `{field}`"):
            if not ACTION_NAME.fullmatch(name) or "_" not in name:
                document.fault(name_node, f"`{name}` is no action name", "write `verb_noun`")
            elif name in actions:
                document.fault(name_node, f"`{name}` is in `{actions[name].field}` already")
            else:
                actions[name] = _action(document, field, name, value)


def _check_also(document: Document, node: Node, actions: Mapping[str, NamedAction]) -> None:
    """A derived name can mean one thing only."""
    owners = {name: name for name in actions}
    for action in actions.values():
        for name in action.also:
            owner = owners.setdefault(name, action.name)
            if owner != action.name:
                document.fault(node, f"`{name}` is meant by `{owner}` and by `{action.name}`")


def _action(document: Document, field: str, name: str, node: Node) -> NamedAction:
    fields = document.fields(node, f"`{name}`", _KEYS, ("meaning", "kind", "risk"))
    kinds = [kind.value for kind in Kind if kind is not Kind.UNKNOWN]
    params = _params(document, fields.get("params"))
    optional = _params(document, fields.get("optional"))
    for both in params.keys() & optional.keys():
        document.fault(fields["optional"], f"`{both}` is in `params` already")
    return NamedAction(
        name,
        field,
        document.text(fields.get("meaning"), "the meaning"),
        Kind(document.choice(fields.get("kind"), "kind", kinds, Kind.ADMIN)),
        RiskClass(
            document.choice(fields.get("risk"), "risk class", list(RiskClass), RiskClass.CRITICAL)
        ),
        params,
        optional,
        _also(document, fields.get("also")),
    )


def _also(document: Document, node: Node | None) -> tuple[str, ...]:
    names = []
    for name, name_node in document.texts(node, "also"):
        if name and not ACTION_NAME.fullmatch(name.replace("*", "x")):
            document.fault(name_node, f"`{name}` is no action name", "write `verb_noun`")
        names.append(name)
    return tuple(names)


def _params(document: Document, node: Node | None) -> Mapping[str, ParamMeaning]:
    params: dict[str, ParamMeaning] = {}
    for name, name_node, value in document.pairs(node, "params") if node is not None else ():
        if not PARAM_NAME.fullmatch(name):
            document.fault(name_node, f"`{name}` is no param name")
        meaning = document.choice(value, "type", list(ParamMeaning), ParamMeaning.TEXT)
        params[name] = ParamMeaning(meaning)
    return MappingProxyType(params)
