"""The rail's numbers by themselves, for pages that are open while they change."""

from __future__ import annotations

import json

from aiohttp import web

from controlplane.dashboard.visit import ANYBODY, Page, Visit, get


async def counts(visit: Visit) -> web.Response:
    """`GET /dashboard/counts`: counts by the place in the rail."""
    found = {
        page.nav.path: await page.nav.count(visit)
        for page in visit.pages
        if page.nav is not None and page.nav.count is not None
    }
    return web.Response(text=json.dumps(found), content_type="application/json")


PAGE = Page(routes=(get("/counts", counts, *ANYBODY),))
