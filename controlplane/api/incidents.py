"""`/v1/incidents`: what a person has to look at. `/v1/outcomes`: acts whose end nobody saw."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from controlplane.api.contract import At, Body, Id, Query, TargetView, View
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import (
    Line,
    Moment,
    Name,
    Short,
    Text,
    parse_body,
    parse_id,
    parse_query,
    storable,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.api.scopes import ScopeBody, ScopedQuery, check_scope
from controlplane.auth import Permission
from controlplane.store.incidents import (
    LINKS_MAX,
    IncidentFilter,
    IncidentRow,
    UnknownOutcomeRow,
)
from gateway.model.codec import JsonValue
from gateway.model.incident import IncidentState, Severity

Note = Annotated[str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(storable)]


class OutcomeStatus(StrEnum):
    UNKNOWN = "unknown"
    SETTLED = "settled"


class ReportBody(Body):
    scope: ScopeBody | None = None
    severity: Severity
    reasonCode: Line
    title: Line
    summary: Text = ""
    agent: Line | None = None
    runId: uuid.UUID | None = None
    decisionIds: Annotated[list[Name], Field(default_factory=list, max_length=LINKS_MAX)]


class AcknowledgeBody(Body):
    acknowledgedBy: Line | None = None


class ResolveBody(Body):
    """`note` says what it was and what was done: whoever reads it later has nothing else."""

    note: Note
    resolvedBy: Line | None = None


class IncidentsQuery(ScopedQuery):
    """`since`: what was seen from then on."""

    status: IncidentState | None = None
    severity: Severity | None = None
    agent: Short | None = None
    runId: uuid.UUID | None = None
    reasonCode: Short | None = None
    since: Moment | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class OutcomesQuery(Query):
    status: OutcomeStatus | None = None
    agent: Short | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class SettleBody(Body):
    """`note`: how it was found out."""

    outcome: Literal["executed", "not_executed"]
    note: Note
    settledBy: Line | None = None


class IncidentView(View):
    """`origin` is `watch` where we opened it. `decisionIds` and `approvalIds` are the newest ones
    of `occurrences`."""

    incidentId: Id
    origin: Literal["api", "watch"]
    severity: Severity
    reasonCode: str
    title: str
    summary: str
    agent: str | None
    runId: Id | None
    target: str | None
    occurrences: int
    decisionIds: list[str]
    approvalIds: list[str]
    status: IncidentState
    openedBy: str
    openedAt: At
    lastSeenAt: At
    acknowledgedAt: At | None
    acknowledgedBy: str | None
    resolvedAt: At | None
    resolvedBy: str | None
    note: str | None


class IncidentAnswer(View):
    incident: IncidentView


class IncidentsAnswer(View):
    incidents: list[IncidentView]
    nextCursor: str | None


class OutcomeView(View):
    """`outcome` is null until a person has found it out."""

    decisionId: str
    status: OutcomeStatus
    agent: str
    runId: Id | None
    provider: str
    operation: str
    action: str
    kind: str
    target: TargetView
    code: str | None
    at: At
    incidentId: Id
    outcome: Literal["executed", "not_executed"] | None
    note: str | None
    settledBy: str | None
    settledAt: At | None


class OutcomeAnswer(View):
    outcome: OutcomeView


class OutcomesAnswer(View):
    outcomes: list[OutcomeView]
    nextCursor: str | None


async def report(call: Call) -> web.Response:
    """Open an incident."""
    body = await parse_body(call.http, ReportBody)
    check_scope(call.caller, body.scope.scopeId if body.scope is not None else None)
    row = await call.services.incidents.report(
        call.caller,
        body.severity,
        body.reasonCode,
        body.title,
        body.summary,
        body.agent,
        body.runId,
        body.decisionIds,
    )
    return answer({"incident": render_incident(row)}, 201)


async def list_(call: Call) -> web.Response:
    """List incidents, newest first."""
    query = parse_query(call.http, IncidentsQuery)
    check_scope(call.caller, query.scopeId)
    wanted = IncidentFilter(
        query.status, query.severity, query.agent, query.runId, query.reasonCode, query.since
    )
    rows = await call.services.incidents.list(call.caller, wanted, query.cursor, query.limit)
    return answer(
        {
            "incidents": [render_incident(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.incident_seq),
        }
    )


async def get(call: Call) -> web.Response:
    """Read one incident."""
    row = await call.services.incidents.get(call.caller, parse_id(call.http))
    return answer({"incident": render_incident(row)})


async def acknowledge(call: Call) -> web.Response:
    """Say that somebody looks at an incident."""
    body = await parse_body(call.http, AcknowledgeBody)
    row = await call.services.incidents.acknowledge(
        call.caller, parse_id(call.http), body.acknowledgedBy
    )
    return answer({"incident": render_incident(row)})


async def resolve(call: Call) -> web.Response:
    """Say that an incident is over."""
    body = await parse_body(call.http, ResolveBody)
    row = await call.services.incidents.resolve(
        call.caller, parse_id(call.http), body.resolvedBy, body.note
    )
    return answer({"incident": render_incident(row)})


async def list_outcomes(call: Call) -> web.Response:
    """List acts whose end nobody saw, newest first."""
    query = parse_query(call.http, OutcomesQuery)
    is_settled = None if query.status is None else query.status is OutcomeStatus.SETTLED
    rows = await call.services.incidents.outcomes(
        call.caller, is_settled, query.agent, query.cursor, query.limit
    )
    return answer(
        {
            "outcomes": [_render_outcome(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.outcome_seq),
        }
    )


async def settle(call: Call) -> web.Response:
    """Write down what became of an act."""
    body = await parse_body(call.http, SettleBody)
    decision_id = storable(call.http.match_info["decision"])
    row = await call.services.incidents.settle(
        call.caller, decision_id, body.outcome, body.settledBy, body.note
    )
    return answer({"outcome": _render_outcome(row)})


_READERS = (Permission.INCIDENT_READ, Permission.INCIDENT_WRITE, Permission.ADMIN)
_WRITERS = (Permission.INCIDENT_WRITE, Permission.ADMIN)

ROUTES = (
    route(
        "POST",
        "/v1/incidents",
        report,
        *_WRITERS,
        body=ReportBody,
        answers={201: IncidentAnswer},
    ),
    route("GET", "/v1/incidents", list_, *_READERS, query=IncidentsQuery, answers=IncidentsAnswer),
    route("GET", "/v1/incidents/{id}", get, *_READERS, answers=IncidentAnswer),
    route(
        "POST",
        "/v1/incidents/{id}/acknowledge",
        acknowledge,
        *_WRITERS,
        body=AcknowledgeBody,
        answers=IncidentAnswer,
    ),
    route(
        "POST",
        "/v1/incidents/{id}/resolve",
        resolve,
        *_WRITERS,
        body=ResolveBody,
        answers=IncidentAnswer,
    ),
    route(
        "GET",
        "/v1/outcomes",
        list_outcomes,
        *_READERS,
        query=OutcomesQuery,
        answers=OutcomesAnswer,
    ),
    route(
        "POST",
        "/v1/outcomes/{decision}/settle",
        settle,
        *_WRITERS,
        body=SettleBody,
        answers=OutcomeAnswer,
    ),
)


def render_incident(row: IncidentRow) -> dict[str, JsonValue]:
    return {
        "incidentId": str(row.incident_id),
        "origin": row.origin,
        "severity": row.severity.value,
        "reasonCode": row.reason_code,
        "title": row.title,
        "summary": row.summary,
        "agent": row.agent,
        "runId": str(row.run_id) if row.run_id is not None else None,
        "target": row.target,
        "occurrences": row.occurrences,
        "decisionIds": list(row.decision_ids),
        "approvalIds": list(row.approval_ids),
        "status": row.status.value,
        "openedBy": row.opened_by,
        "openedAt": timestamp(row.opened_at),
        "lastSeenAt": timestamp(row.last_seen_at),
        "acknowledgedAt": timestamp(row.acknowledged_at),
        "acknowledgedBy": row.acknowledged_by,
        "resolvedAt": timestamp(row.resolved_at),
        "resolvedBy": row.resolved_by,
        "note": row.note,
    }


def _render_outcome(row: UnknownOutcomeRow) -> dict[str, JsonValue]:
    is_settled = row.settled_as is not None
    return {
        "decisionId": row.decision_id,
        "status": (OutcomeStatus.SETTLED if is_settled else OutcomeStatus.UNKNOWN).value,
        "agent": row.agent,
        "runId": str(row.run_id) if row.run_id is not None else None,
        "provider": row.provider,
        "operation": row.operation,
        "action": row.action,
        "kind": row.kind,
        "target": {"type": row.target_type, "id": row.target_id},
        "code": row.code,
        "at": timestamp(row.at),
        "incidentId": str(row.incident_id),
        "outcome": row.settled_as,
        "note": row.note,
        "settledBy": row.settled_by,
        "settledAt": timestamp(row.settled_at),
    }
