"""Chooses the few values of an operation that a rule would ask for: names, ids, amounts,
recipients, roles, flags; from a description of its query and body in JSON Schema's words.

At most eight, always the same for the same description. Never a value that looks like a secret, and
never long text: params are recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.authoring.imports.wires import variable_name
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import PARAM_NAME
from gateway.model.dataclass import dataclass

PARAMS_MAX = 8
FIELDS_MAX = 400
"""Properties of one body that are looked at; the largest published ones have some 200."""
PARTS_MAX = 60
"""How many parts (`allOf`) of one body are looked at; each at most once, so cycles end."""

Resolve = Callable[[object], Mapping[str, Any]]
"""Gives the schema that a node is, or refers to; an empty one for what is none."""

_KEY = re.compile(r"[A-Za-z0-9_$:@-]+")
_LONG = frozenset(
    {
        "body", "html", "content", "contents", "text", "description", "comment", "markdown", "note",
        "notes", "data", "payload", "summary", "instructions", "prompt", "input", "readme", "raw",
    }
)  # fmt: skip
"""Names of long text."""
_BEST = frozenset(
    {
        "amount", "currency", "to", "from", "cc", "bcc", "email", "emails", "recipient",
        "recipients", "phone_number", "role", "roles", "permission", "permissions", "public",
        "private", "visibility", "force", "recursive", "quantity", "count", "name", "username",
    }
)  # fmt: skip
_GOOD = frozenset(
    {
        "title", "subject", "status", "state", "type", "kind", "url", "branch", "ref", "base",
        "head", "sha", "tag", "tags", "labels", "label", "size", "region", "zone", "image", "plan",
        "price", "domain", "enabled", "active", "archived", "draft", "admin", "scope", "scopes",
        "members", "users", "user", "team", "teams", "group", "groups", "channel", "channels",
        "destination", "source", "reason", "key", "path", "environment", "priority", "language",
        "model", "method", "mode", "limit_amount", "expires_at", "callback_url", "target",
        "assignee", "assignees", "owner", "project", "repository", "parent", "query", "sql",
    }
)  # fmt: skip
_ID = re.compile(r"(?:^|_)(?:id|ids|sid|sids|uuid|arn|login|slug|emails?|name|url|role|amount)$")


@dataclass(frozen=True, slots=True)
class Field:
    """A value that a request can carry. `address` is where (`body.amount`, `query.force`); `type`
    is a `ParamType`'s text."""

    name: str
    address: str
    type: str = "text"
    required: bool = False


def chosen_params(fields: Iterable[Field], *, most: int = PARAMS_MAX) -> dict[str, RowParam]:
    """The most telling of some fields, by their param names in alphabetical order."""
    ranked: dict[str, tuple[int, int, Field]] = {}
    for position, field in enumerate(fields):
        name = param_name(field.name)
        rank = _rank(name, field)
        if name and rank < _NO_RANK and (name not in ranked or rank < ranked[name][0]):
            ranked[name] = rank, position, field
    best = sorted(ranked.items(), key=lambda item: item[1][:2])[:most]
    return {name: RowParam(field.address, field.type) for name, (_, _, field) in sorted(best)}


def param_name(name: str) -> str:
    """A param's name for a field's: `phoneNumber` -> `phone_number`; empty where there is none."""
    text = variable_name(name.removesuffix("[]"))[:64]
    return text if PARAM_NAME.fullmatch(text) else ""


def fields_of_schema(schema: object, place: str, resolve: Resolve) -> list[Field]:
    """The scalars and text lists at the top of an object's schema, in their order."""
    found: dict[str, Field] = {}
    _collect(resolve(schema), place, resolve, found, set())
    return list(found.values())


def type_of_schema(schema: Mapping[str, Any], resolve: Resolve) -> str | None:
    """How a value of this schema is read (a `ParamType`'s text); None for objects and the like."""
    declared = _declared(schema)
    if declared == "array":
        items = _declared(resolve(schema.get("items")))
        return "list" if items == "string" else None
    return _TYPES.get(declared)


def _declared(schema: Mapping[str, Any]) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        kinds = [kind for kind in declared if kind != "null"]
        declared = kinds[0] if len(kinds) == 1 else None
    if declared is None and isinstance(schema.get("enum"), list):
        declared = "string"
    return declared if isinstance(declared, str) else ""


_TYPES = {"string": "text", "integer": "integer", "boolean": "boolean", "number": "text"}
_NO_RANK = 9


def _rank(name: str, field: Field) -> int:
    """Lower is better; `_NO_RANK` is never chosen."""
    if not name or looks_secret(field.name) or looks_secret(name) or name in _LONG:
        return _NO_RANK
    if name in _BEST:
        return 0 if field.required else 1
    if name in _GOOD or _ID.search(name):
        return 1 if field.required else 3
    if field.required:
        return 2
    return 5 if field.type == "boolean" else _NO_RANK


def _collect(
    schema: Mapping[str, Any], place: str, resolve: Resolve, found: dict[str, Field], seen: set[int]
) -> None:
    if id(schema) in seen or len(seen) >= PARTS_MAX:
        return
    seen.add(id(schema))
    required = schema.get("required")
    needed = {str(name) for name in required} if isinstance(required, list) else set()
    properties = schema.get("properties")
    for name, value in properties.items() if isinstance(properties, Mapping) else ():
        if len(found) >= FIELDS_MAX:
            return
        if not isinstance(name, str) or not _KEY.fullmatch(name) or name in found:
            continue
        kind = type_of_schema(resolve(value), resolve)
        if kind is not None and not resolve(value).get("readOnly"):
            found[name] = Field(name, f"{place}.{name}", kind, name in needed)
    parts = schema.get("allOf")
    for part in parts[:FIELDS_MAX] if isinstance(parts, list) else ():
        _collect(resolve(part), place, resolve, found, seen)
