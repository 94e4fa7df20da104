"""What happens now: decisions over time, what waits, what is blocked and why, who runs what."""

from __future__ import annotations

from aiohttp import web

from controlplane.dashboard.visit import ANYBODY, NavEntry, Page, Visit, get


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard`."""
    return await visit.page("overview.html")


PAGE = Page(
    nav=NavEntry("Overview", "", "o", "overview"),
    routes=(get("", show, *ANYBODY),),
)
