"""Confluence Cloud, both versions of its API, from the sources of a JavaScript client, whose
functions are named by operationId. It is at the same hosts as Jira, below `/wiki`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.typescript_calls import calls_of
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "jira"
"""One host has one provider, and Confluence is at the hosts of Jira."""
SOURCES = (
    Source(
        "npm",
        "confluence.js",
        "3.2.0",
        "MIT",
        "93235250911dc6597aefd06d0d4eb744beb63e29c2ddcc8634858a2d8be5e1fa",
    ),
)
HOSTS = ("*.atlassian.net", "api.atlassian.com")
_BEHIND = "/ex/confluence/{cloud_id}"
_ACCESS = re.compile(
    r"(?i)permission|restriction|/group|space-roles|/user(?:$|/access|/memberof)|invite|ownership"
    r"|data-policies/metadata|classification"
)
_KINDS = {
    "asyncConvertContentBodyResponse": Kind.READ,
    "bulkAsyncConvertContentBodyResponse": Kind.READ,
    "getAndConvertMacroBodyByMacroId": Kind.READ,
    "asyncConvertContentBodyRequest": Kind.EXECUTE,
    "bulkAsyncConvertContentBodyRequest": Kind.EXECUTE,
    "convertContentIdsToContentTypes": Kind.READ,
    "createBulkUserLookup": Kind.READ,
    "checkContentPermission": Kind.READ,
    "checkAccessByEmail": Kind.READ,
    "publishLegacyDraft": Kind.UPDATE,
    "publishSharedDraft": Kind.UPDATE,
}
"""The reads ask by POST because their question is long, or wait for a conversion."""
_RULES = RowRules(
    ignored=("cloud_id",),
    kinds=_KINDS,
    irreversible=frozenset({"postRedactBlog", "postRedactPage"}),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of Confluence."""
    rows: dict[str, Row] = {}
    folder = folders["confluence.js"] / "package" / "dist"
    for path in sorted(folder.glob("v[12]/api/*.js")):
        for call in calls_of(path.read_text()):
            fields = [Field(key, f"body.{key}") for key in call.keys if _is_text(key)]
            row = row_of(
                Described(
                    call.name, call.method, call.path, words_of(call.name), path.stem, fields
                ),
                _RULES,
            )
            for one in _placed(row):
                rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", one.wire), one)
    return [NewSection("confluence", list(rows.values()), HOSTS)]


def _is_text(key: str) -> bool:
    return re.search(r"(?:name|key|id|type|email|title|status)$", key, re.IGNORECASE) is not None


def _placed(row: Row) -> Iterator[Row]:
    kind = row.kind
    acts = kind is not Kind.READ and row.operation not in _KINDS
    if acts and (_ACCESS.search(row.wire) or _ACCESS.search(row.operation)):
        kind = Kind.ADMIN
    judged = replace(row, kind=kind)
    yield judged
    yield replace(judged, wire=row.wire.replace(" /", f" {_BEHIND}/", 1))
