"""The search of the top bar: an id goes straight to what it names; other words go to the audit."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.visit import ANYBODY, Page, Visit, get
from controlplane.faults import ControlFault, Fault

AUDIT: Final = "/audit"


async def find(visit: Visit) -> web.Response:
    """`GET /dashboard/search?q=`."""
    words = visit.query("q").strip()
    if not words:
        return visit.go("")
    place = await _place_of(visit, words)
    if place is not None:
        return visit.go(place)
    if await _is_decision(visit, words):
        return visit.go(f"/decisions/{quote(words, safe='')}")
    if any(page.nav is not None and page.nav.path == AUDIT for page in visit.pages):
        return visit.go(f"{AUDIT}?q={quote(words, safe='')}")
    return await visit.page("search.html", words=words)


async def _place_of(visit: Visit, words: str) -> str | None:
    """Where the thing with this id is shown; None when nothing has it that the visitor may see."""
    try:
        found_id = uuid.UUID(words)
    except ValueError:
        return None
    services, caller = visit.services, visit.caller
    looks: tuple[tuple[str, Permission, Callable[[], Awaitable[object]]], ...] = (
        (
            "/approvals",
            Permission.APPROVAL_READ,
            lambda: services.approvals.get(caller, found_id, 0, lambda: False),
        ),
        ("/runs", Permission.RUN_READ, lambda: services.runs.get(caller, found_id)),
        ("/incidents", Permission.INCIDENT_READ, lambda: services.incidents.get(caller, found_id)),
        ("/grants", Permission.APPROVAL_READ, lambda: services.grants.get(caller, found_id)),
    )
    for path, needed, look in looks:
        if not visit.may(needed, Permission.ADMIN):
            continue
        try:
            await look()
        except ControlFault as fault:
            if fault.fault is not Fault.NOT_FOUND:
                raise
        else:
            return f"{path}/{found_id}"
    return None


async def _is_decision(visit: Visit, words: str) -> bool:
    """Gateways name decisions; such an id may look like anything."""
    if not visit.may(Permission.RECORD_READ, Permission.ADMIN):
        return False
    try:
        await visit.services.explorer.story(visit.caller, words)
    except ControlFault as fault:
        if fault.fault is not Fault.NOT_FOUND:
            raise
        return False
    return True


PAGE = Page(routes=(get("/search", find, *ANYBODY),))
