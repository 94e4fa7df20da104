"""Auth0's Management API, from its JavaScript client, whose resources and methods name operations.

Nearly everything in it is about who may do what: an act is ADMIN unless it concerns only texts and
looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.sdk.pieces import pieces_of
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "auth0"
SOURCES = (
    Source(
        "npm",
        "auth0",
        "7.1.0",
        "MIT",
        "9949e75d7b3ad0cb635e821cd91239fc322a847f801703ffcf1158638ef47ca9",
    ),
)
HOSTS = ("*.auth0.com",)
_METHOD = re.compile(r"^    (?:__)?([a-z]\w*)\(.*?\) \{$", re.MULTILINE)
_CALL = re.compile(r"Default, (?:\"([^\"]+)\"|`([^`]+)`)\),\s+method: \"([A-Z]+)\"")
_VARIABLE = re.compile(r"\$\{[^{}]*?(\w+)\)?\}")
_LOOKS = re.compile(
    r"^(?:branding|prompts|emailTemplates|customDomains\.test|forms|flows(?!\.vault)|jobs|logs)\b"
)
_CREDENTIALS = re.compile(
    r"rotateSecret|deviceCredentials\.create|^tickets\.|^clients\.(?:create|get|list|update)$"
    r"|^connections\.(?:get|list|create|update)$|regenerateRecoveryCode|ssoTicket\.create"
    r"|scimConfiguration\.tokens\.create|keys\.encryption\.create"
)
"""Clients and connections are answered with their secrets, tickets let somebody in."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of the Management API."""
    folder = folders["auth0"] / "package" / "dist" / "cjs" / "management" / "api" / "resources"
    rows: dict[str, Row] = {}
    for found in _calls(folder):
        row = row_of(found, RowRules())
        rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", row.wire), _judged(row))
    return [NewSection("auth0", list(rows.values()), HOSTS)]


def _calls(folder: Path) -> Iterator[Described]:
    for path in sorted(folder.rglob("client/Client.js")):
        place = [part for part in path.relative_to(folder).parts[:-2] if part != "resources"]
        source = path.read_text()
        for found, text in pieces_of(_METHOD, source):
            call = _CALL.search(text)
            if call is not None:
                template = _VARIABLE.sub(r"{\1}", call.group(1) or call.group(2))
                name = ".".join([*place, found.group(1)])
                words = words_of(found.group(1))
                yield Described(name, call.group(3), f"/api/v2/{template}", words, place[-1])


_KINDS = {
    "events.subscribe": Kind.READ,
    "jobs.usersExports.create": Kind.EXECUTE,
    "jobs.usersImports.create": Kind.ADMIN,
    "jobs.verificationEmail.create": Kind.SEND,
}


def _judged(row: Row) -> Row:
    kind = _KINDS.get(row.operation, row.kind)
    if row.operation not in _KINDS and kind is not Kind.READ and not _LOOKS.search(row.operation):
        kind = Kind.ADMIN
    marked = _CREDENTIALS.search(row.operation) is not None
    reversible = row.reversible and kind is not Kind.SEND
    return replace(row, kind=kind, sensitive="credentials" if marked else "", reversible=reversible)
