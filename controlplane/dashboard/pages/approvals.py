"""Approvals: the queue of what waits for a person, the card of one question, and the answers."""

from __future__ import annotations

import uuid
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.cards import make_card, utc_now
from controlplane.dashboard.listing import cursor_number, next_cursor
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault, Fault
from controlplane.services.approvals import Resolution
from controlplane.store.approvals import Through, Wanted
from gateway.model.approval import ApprovalEvent, ApprovalState

PAGE_COUNT: Final = 50

REASONS: Final = (
    "Not expected from this agent",
    "Wrong target or amount",
    "Ask me first, then try again",
)
"""What a denial mostly says; the agent reads it."""

_READ: Final = (Permission.APPROVAL_READ, Permission.APPROVAL_WRITE, Permission.ADMIN)
_WRITE: Final = (Permission.APPROVAL_WRITE, Permission.ADMIN)


async def queue(visit: Visit) -> web.Response:
    """`GET /dashboard/approvals`: what waits, or with `status=all` everything."""
    wanted = _status(visit.query("status"))
    agent = visit.query("agent") or None
    rows = await visit.services.approvals.list(
        visit.caller, Wanted(wanted, agent), cursor_number(visit), PAGE_COUNT
    )
    now = utc_now()
    return await visit.page(
        "approvals.html",
        cards=[make_card(row, now) for row in rows],
        cursor=next_cursor([row.approval_seq for row in rows], PAGE_COUNT),
        agent=agent,
    )


async def card(visit: Visit) -> web.Response:
    """`GET /dashboard/approvals/{id}`."""
    return await _card(visit, _id(visit))


async def answer(visit: Visit) -> web.Response:
    """`POST /dashboard/approvals/{id}`: approve, deny or cancel this one question."""
    approval_id, form = _id(visit), await visit.form()
    event = form.choice("answer", "The answer", ApprovalEvent)
    reason = form.line("reason", "The reason", is_needed=event is ApprovalEvent.REJECT)
    if event not in (ApprovalEvent.APPROVE, ApprovalEvent.REJECT, ApprovalEvent.CANCEL):
        raise ControlFault(Fault.INVALID_ARGUMENT, "that is no answer of a person")
    resolution = Resolution(event, None, reason or None, Through.DASHBOARD)
    try:
        row = await visit.services.approvals.resolve(visit.caller, approval_id, resolution)
    except ControlFault as fault:
        if fault.fault in (Fault.NOT_FOUND, Fault.UNAVAILABLE):
            raise
        return visit.go(f"/approvals/{approval_id}", problem=fault.message)
    return visit.go(f"/approvals/{approval_id}", done=_said(row.status_now))


async def _card(visit: Visit, approval_id: uuid.UUID) -> web.Response:
    context = await visit.services.approval_context.context(visit.caller, approval_id)
    return await visit.page(
        "approval.html",
        card=make_card(context.row, utc_now()),
        context=context,
        answers=context.answers,
        reasons=REASONS,
        may_answer=visit.may(*_WRITE),
    )


def _said(state: ApprovalState) -> str:
    match state:
        case ApprovalState.PENDING:
            return "Your yes counts. Another person has to approve as well."
        case ApprovalState.APPROVED:
            return "Approved. The agent's request goes out once."
        case ApprovalState.DENIED:
            return "Denied. The agent reads your reason."
        case _:
            return f"It is {state.value.lower()} now."


def _id(visit: Visit) -> uuid.UUID:
    try:
        return uuid.UUID(visit.http.match_info["id"])
    except ValueError:
        raise ControlFault(Fault.NOT_FOUND, "there is no such approval") from None


def _status(text: str) -> ApprovalState | None:
    """What is listed: what waits when nothing is said, everything for `all` and nonsense."""
    if not text:
        return ApprovalState.PENDING
    return ApprovalState(text) if text in set(ApprovalState) else None


async def _waiting(visit: Visit) -> int:
    return await visit.services.overview.pending_count(visit.caller)


PAGE = Page(
    nav=NavEntry("Approvals", "/approvals", "a", "approvals", _waiting, "approval"),
    routes=(
        get("/approvals", queue, *_READ),
        get("/approvals/{id}", card, *_READ),
        post("/approvals/{id}", answer, *_WRITE),
    ),
)
