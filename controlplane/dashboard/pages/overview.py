"""What happens now: decisions over time, what waits, what is blocked and why, who runs what."""

from __future__ import annotations

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.charts import Bar
from controlplane.dashboard.visit import ANYBODY, NavEntry, Page, Visit, get
from controlplane.services.runs.overview import Overview, Period

_NUMBERS = (Permission.RECORD_READ, Permission.ADMIN)
_GATEWAYS = (Permission.POLICY_READ, Permission.POLICY_WRITE, Permission.ADMIN)

_PERIODS = {
    Period.HOUR: ("last hour", "minute"),
    Period.DAY: ("last 24 hours", "hour"),
    Period.WEEK: ("last 7 days", "4 hours"),
}


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard`."""
    period = visit.choice("period", Period) or Period.HOUR
    seen = visit.may(*_NUMBERS)
    overview = await visit.services.overview.overview(visit.caller, period) if seen else None
    fleet = await visit.services.gateways.list(visit.caller) if visit.may(*_GATEWAYS) else None
    words, each = _PERIODS[period]
    return await visit.page(
        "overview.html",
        overview=overview,
        bars=[Bar(at, counts) for at, counts in overview.steps] if overview else [],
        told=_told(overview, words) if overview else "",
        fleet=fleet,
        words=words,
        each=each,
        may_approve=visit.may(Permission.APPROVAL_READ, Permission.ADMIN),
    )


def _told(overview: Overview, words: str) -> str:
    """The chart in a sentence, for who can't see it."""
    counted = ", ".join(f"{count} {effect}" for effect, count in sorted(overview.totals.items()))
    return f"In the {words}: {counted or 'none'}."


PAGE = Page(
    nav=NavEntry("Overview", "", "o", "overview"),
    routes=(get("", show, *ANYBODY),),
)
