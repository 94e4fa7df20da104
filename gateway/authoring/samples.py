"""Makes up a request for an entry: one that carries a value wherever the entry reads one.

Values are invented (`order_1`, `1`, `true`), so that no test ever shows what was recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Final
from urllib.parse import urlencode

from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.authored.template import VARIABLE
from gateway.model.dataclass import dataclass

_VALUES: Final[Mapping[str, object]] = {
    "integer": 1, "boolean": True, "money_minor": 500, "money_decimal": "5.00", "currency": "eur",
    "list": ["a", "b"], "mail_addresses": ["a@example.com"],
}  # fmt: skip


_BODIES: Final[Mapping[str, Mapping[str, object]]] = {
    "graphql": {"query": "{ viewer { id } }"},
    "jsonrpc": {"jsonrpc": "2.0", "id": 1, "method": "ping"},
    "mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_thing"}},
}
"""Bodies that carry an act, by the family that reads them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A test's `request` line, with the headers that it needs."""

    request: str
    headers: Mapping[str, str] = field(default_factory=dict)


def sample_of(row: Row) -> Sample | None:
    """A request of this row; None where none can be written on one line."""
    method, _, template = row.wire.partition(" ")
    places: dict[str, dict[str, object]] = {"query": {}, "form": {}, "body": {}, "header": {}}
    wanted: dict[str, object] = {
        address: value if isinstance(value, str) else "1"
        for address, value in row.when.items()
        if value is not False
    }
    for name, param in row.params.items():
        # Several addresses of a list stand behind each other; one is enough.
        source = param.source.split(",")[0].strip()
        wanted.setdefault(source, _VALUES.get(param.type, f"{name}_1"))
        if param.type == "money_decimal" and "." in param.detail:
            wanted.setdefault(param.detail, "eur")
    if row.target_id and "{" not in row.target_id:
        wanted.setdefault(row.target_id, ["a", "b"] if row.each else "id_1")
    for address, value in wanted.items():
        place, _, key = address.partition(".")
        if place == "path":
            continue
        if place == "any":
            place = "query" if method in ("GET", "HEAD", "DELETE") else "body"
        if place not in places or "." in key or "[" in key:
            return None
        places[place][key] = value
    if row.expand:
        if row.expand not in _BODIES:
            return None
        places["body"] |= _BODIES[row.expand]
    path = VARIABLE.sub(lambda found: f"{found[1]}_1", template)
    if places["query"]:
        path += "?" + _form(places["query"])
    body = ""
    if places["body"]:
        body = " " + json.dumps(places["body"], separators=(", ", ": "))
    elif places["form"]:
        body = " " + _form(places["form"])
    if body and (method in ("GET", "HEAD") or (places["body"] and places["form"])):
        return None
    return Sample(
        f"{method} {path}{body}", {key: str(value) for key, value in places["header"].items()}
    )


def _form(values: Mapping[str, object]) -> str:
    pairs = []
    for key, value in values.items():
        if isinstance(value, list):
            pairs += [(f"{key}[]", str(item)) for item in value]
        else:
            pairs.append((key, "true" if value is True else str(value)))
    return urlencode(pairs, safe="[]@")
