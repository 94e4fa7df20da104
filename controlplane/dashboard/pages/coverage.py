"""Coverage: what agents send that no mapper knows, and what the mappers know."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.visit import NavEntry, Page, Visit, get
from controlplane.services.coverage import DAYS

_READ: Final = (Permission.RECORD_READ, Permission.POLICY_READ, Permission.POLICY_WRITE,
                Permission.ADMIN)  # fmt: skip


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/coverage`."""
    found = await visit.services.coverage.measure(visit.caller)
    return await visit.page(
        "coverage.html",
        found=found,
        called=[one for one in found.providers if one.decisions],
        uncalled=[one for one in found.providers if not one.decisions],
        operations=sum(one.operations for one in found.providers),
        days=DAYS,
        may_audit=visit.may(Permission.RECORD_READ, Permission.ADMIN),
    )


PAGE = Page(
    nav=NavEntry("Coverage", "/coverage", "c", "coverage"),
    routes=(get("/coverage", show, *_READ),),
)
