"""Approvals: the queue of what waits for a person, the card of one question, and the answers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.cards import make_card
from controlplane.dashboard.forms import Form
from controlplane.dashboard.grant_form import TIMES, read_wish, terms_words
from controlplane.dashboard.listing import cursor_number, next_cursor
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault, Fault
from controlplane.services.approvals.lifecycle import Resolution
from controlplane.store.approvals import Through, Wanted
from controlplane.store.policies import PolicyFilter
from gateway.model.approval import ApprovalEvent, ApprovalState
from gateway.model.grant import GrantTerms, GrantWish

PAGE_COUNT: Final = 50

FILTERS: Final = ("agent", "action", "provider", "run")
"""What the queue can be narrowed to by its address."""

REASONS: Final = (
    "Not expected from this agent",
    "Wrong target or amount",
    "Ask me first, then try again",
)
"""What a denial mostly says; the agent reads it."""

_ANSWERS: Final = frozenset(
    {
        ApprovalEvent.APPROVE,
        ApprovalEvent.REJECT,
        ApprovalEvent.CANCEL,
        ApprovalEvent.ESCALATE,
    }
)

_READ: Final = (Permission.APPROVAL_READ, Permission.APPROVAL_WRITE, Permission.ADMIN)
_WRITE: Final = (Permission.APPROVAL_WRITE, Permission.ADMIN)


async def queue(visit: Visit) -> web.Response:
    """`GET /dashboard/approvals`: what waits, or with `status=all` everything."""
    named = {name: visit.query(name) for name in FILTERS if visit.query(name)}
    groups = tuple(sorted(visit.caller.groups)) if visit.query("mine") else None
    wanted = Wanted(
        visit.choice("status", ApprovalState, ApprovalState.PENDING),
        named.get("agent"),
        named.get("action"),
        named.get("provider"),
        named.get("run"),
        of_groups=groups,
    )
    rows = await visit.services.approvals.list(
        visit.caller, wanted, cursor_number(visit), PAGE_COUNT
    )
    now = datetime.now(UTC)
    return await visit.page(
        "approvals.html",
        cards=[make_card(row, now) for row in rows],
        cursor=next_cursor([row.approval_seq for row in rows], PAGE_COUNT),
        named=named,
    )


async def card(visit: Visit) -> web.Response:
    """`GET /dashboard/approvals/{id}`."""
    return await _card(visit, visit.path_id("approval"))


async def answer(visit: Visit) -> web.Response:
    """`POST /dashboard/approvals/{id}`: approve, deny or cancel this one question."""
    approval_id, form = visit.path_id("approval"), await visit.form()
    event = form.choice("answer", "The answer", ApprovalEvent)
    reason = form.line("reason", "The reason", is_needed=event is ApprovalEvent.REJECT)
    if event not in _ANSWERS:
        raise ControlFault(Fault.INVALID_ARGUMENT, "that is no answer of a person")
    try:
        is_grant = event is ApprovalEvent.APPROVE and form.is_set("grant")
        offer = await _offer(visit, approval_id, form) if is_grant else None
        resolution = Resolution(event, None, reason or None, Through.DASHBOARD, offer)
        row = await visit.services.approvals.resolve(visit.caller, approval_id, resolution)
    except ControlFault as fault:
        return visit.refused(f"/approvals/{approval_id}", fault)
    said = _said(event, row.status_now)
    if offer is not None:
        given = await visit.services.grants.given_with(visit.caller, approval_id)
        said += " More of its kind pass for a while." if given else ""
    return visit.go(f"/approvals/{approval_id}", done=said)


async def _offer(visit: Visit, approval_id: uuid.UUID, form: Form) -> GrantTerms:
    """The grant that the form wishes for, on terms that hold for this question."""
    row = await visit.services.approvals.get(visit.caller, approval_id, 0, lambda: False)
    params = make_card(row, datetime.now(UTC)).values
    wish = read_wish(form, params, row.question.provider)
    return await visit.services.grants.offer(visit.caller, approval_id, wish)


async def _usual_offer(visit: Visit, approval_id: uuid.UUID) -> tuple[GrantTerms | None, str]:
    """What "Approve for…" grants when nothing is changed in it; or why there is none."""
    try:
        return await visit.services.grants.offer(visit.caller, approval_id, GrantWish()), ""
    except ControlFault as fault:
        if fault.fault not in (Fault.GRANT_REFUSED, Fault.GRANTS_FULL):
            raise
        return None, fault.message


async def _card(visit: Visit, approval_id: uuid.UUID) -> web.Response:
    context = await visit.services.approval_context.context(visit.caller, approval_id)
    card, may_answer = make_card(context.row, datetime.now(UTC)), visit.may(*_WRITE)
    asked = context.row.question
    offer, no_offer = None, ""
    if card.is_open and may_answer:
        offer, no_offer = await _usual_offer(visit, approval_id)
    return await visit.page(
        "approval.html",
        card=card,
        policy_id=await _policy_id(visit, asked.policy),
        offer=offer,
        offer_words=terms_words(offer, asked.operation, asked.provider) if offer else "",
        no_offer=no_offer,
        times=TIMES,
        context=context,
        answers=context.answers,
        reasons=REASONS,
        may_answer=may_answer,
    )


async def _policy_id(visit: Visit, name: str | None) -> uuid.UUID | None:
    """The policy whose rule holds it, to link to; None where there is none that one may read."""
    if name is None or not visit.may(Permission.POLICY_READ, Permission.ADMIN):
        return None
    found = await visit.services.policies.list(visit.caller, PolicyFilter(name=name), None, 1)
    return found[0].policy_id if found else None


def _said(event: ApprovalEvent, state: ApprovalState) -> str:
    if event is ApprovalEvent.ESCALATE:
        return "Passed on. Both groups can answer it now."
    match state:
        case ApprovalState.PENDING:
            return "Your yes counts. Another person has to approve as well."
        case ApprovalState.APPROVED:
            return "Approved. The agent's request goes out once."
        case ApprovalState.DENIED:
            return "Denied. The agent reads your reason."
        case _:
            return f"It is {state.value.lower()} now."


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
