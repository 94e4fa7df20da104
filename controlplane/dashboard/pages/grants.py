"""Grants: what passes without asking for a while, who gave it, what it was used for; ending one."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.listing import cursor_number, next_cursor
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault
from gateway.model.grant import GrantState

PAGE_COUNT: Final = 50

_READ: Final = (Permission.APPROVAL_READ, Permission.APPROVAL_WRITE, Permission.ADMIN)
_WRITE: Final = (Permission.APPROVAL_WRITE, Permission.ADMIN)


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/grants`: those in force, with `status=all` everything."""
    wanted = visit.choice("status", GrantState, GrantState.ACTIVE)
    agent = visit.query("agent") or None
    rows = await visit.services.grants.list(
        visit.caller, wanted, agent, cursor_number(visit), PAGE_COUNT
    )
    cursor = next_cursor([row.grant_seq for row in rows], PAGE_COUNT)
    return await visit.page("grants.html", grants=rows, cursor=cursor, agent=agent)


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/grants/{id}`."""
    seen = await visit.services.grants.get(visit.caller, visit.path_id("grant"))
    return await visit.page(
        "grant.html",
        grant=seen.grant,
        uses=seen.uses,
        is_active=seen.grant.state_now is GrantState.ACTIVE,
        may_revoke=visit.may(*_WRITE),
    )


async def revoke(visit: Visit) -> web.Response:
    """`POST /dashboard/grants/{id}/revoke`."""
    grant_id, form = visit.path_id("grant"), await visit.form()
    try:
        reason = form.line("reason", "The reason", is_needed=True)
        await visit.services.grants.revoke(visit.caller, grant_id, None, reason)
    except ControlFault as fault:
        return visit.refused(f"/grants/{grant_id}", fault)
    return visit.go(f"/grants/{grant_id}", done="It is over. The next request asks a person again.")


PAGE = Page(
    nav=NavEntry("Grants", "/grants", "t", "grants", live="grant"),
    routes=(
        get("/grants", list_, *_READ),
        get("/grants/{id}", show, *_READ),
        post("/grants/{id}/revoke", revoke, *_WRITE),
    ),
)
