"""Incidents: what a person has to look at; and acts whose end nobody saw, to be settled."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.listing import cursor_number, next_cursor
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault
from controlplane.store.incidents import IncidentFilter
from gateway.model.incident import OPEN_INCIDENT_STATES, IncidentState, Severity

PAGE_COUNT: Final = 50
NOTE_LENGTH_MAX: Final = 2_000

_READ: Final = (Permission.INCIDENT_READ, Permission.INCIDENT_WRITE, Permission.ADMIN)
_WRITE: Final = (Permission.INCIDENT_WRITE, Permission.ADMIN)

TONES: Final = {
    Severity.LOW: "",
    Severity.MEDIUM: "warn",
    Severity.HIGH: "bad",
    Severity.CRITICAL: "bad",
}


class Settled(StrEnum):
    """What a person found out about an act."""

    EXECUTED = "executed"
    NOT_EXECUTED = "not_executed"


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/incidents`: the open ones, with `status=all` everything."""
    agent = visit.query("agent") or None
    wanted = IncidentFilter(visit.choice("status", IncidentState, IncidentState.OPEN), agent=agent)
    rows = await visit.services.incidents.list(
        visit.caller, wanted, cursor_number(visit), PAGE_COUNT
    )
    cursor = next_cursor([row.incident_seq for row in rows], PAGE_COUNT)
    return await visit.page(
        "incidents.html", incidents=rows, cursor=cursor, agent=agent, tones=TONES
    )


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/incidents/{id}`."""
    row = await visit.services.incidents.get(visit.caller, visit.path_id("incident"))
    return await visit.page(
        "incident.html",
        incident=row,
        tones=TONES,
        is_open=row.status in OPEN_INCIDENT_STATES,
        may_handle=visit.may(*_WRITE),
        may_audit=visit.may(Permission.RECORD_READ, Permission.ADMIN),
        may_answer=visit.may(Permission.APPROVAL_READ, Permission.ADMIN),
    )


async def acknowledge(visit: Visit) -> web.Response:
    """`POST /dashboard/incidents/{id}/acknowledge`: somebody looks at it."""
    incident_id = visit.path_id("incident")
    try:
        await visit.services.incidents.acknowledge(visit.caller, incident_id, None)
    except ControlFault as fault:
        return visit.refused(f"/incidents/{incident_id}", fault)
    return visit.go(f"/incidents/{incident_id}", done="It is yours now.")


async def resolve(visit: Visit) -> web.Response:
    """`POST /dashboard/incidents/{id}/resolve`: it is over, and the note says what it was."""
    incident_id, form = visit.path_id("incident"), await visit.form()
    try:
        note = form.text("note", "The note", length_max=NOTE_LENGTH_MAX, is_needed=True)
        await visit.services.incidents.resolve(visit.caller, incident_id, None, note)
    except ControlFault as fault:
        return visit.refused(f"/incidents/{incident_id}", fault)
    return visit.go(f"/incidents/{incident_id}", done="The incident is resolved.")


async def outcomes(visit: Visit) -> web.Response:
    """`GET /dashboard/outcomes`: acts whose end nobody saw, with `status=settled` those settled."""
    rows = await visit.services.incidents.outcomes(
        visit.caller, visit.query("status") == "settled", None, cursor_number(visit), PAGE_COUNT
    )
    return await visit.page(
        "outcomes.html",
        outcomes=rows,
        cursor=next_cursor([row.outcome_seq for row in rows], PAGE_COUNT),
        may_handle=visit.may(*_WRITE),
        may_audit=visit.may(Permission.RECORD_READ, Permission.ADMIN),
    )


async def settle(visit: Visit) -> web.Response:
    """`POST /dashboard/outcomes`: what a person found out; the record itself never changes."""
    form = await visit.form()
    try:
        decision_id = form.line("decision", "The decision", is_needed=True)
        found = form.choice("outcome", "What became of it", Settled)
        note = form.text("note", "The note", length_max=NOTE_LENGTH_MAX, is_needed=True)
        await visit.services.incidents.settle(visit.caller, decision_id, found.value, None, note)
    except ControlFault as fault:
        return visit.refused("/outcomes", fault)
    return visit.go("/outcomes", done="Settled. What the gateway recorded stays as it was.")


async def _open_count(visit: Visit) -> int:
    return await visit.services.incidents.open_count(visit.caller)


PAGE = Page(
    nav=NavEntry("Incidents", "/incidents", "i", "incidents", _open_count, "incident"),
    routes=(
        get("/incidents", list_, *_READ),
        get("/incidents/{id}", show, *_READ),
        post("/incidents/{id}/acknowledge", acknowledge, *_WRITE),
        post("/incidents/{id}/resolve", resolve, *_WRITE),
        get("/outcomes", outcomes, *_READ),
        post("/outcomes", settle, *_WRITE),
    ),
)
