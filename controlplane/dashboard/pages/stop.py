"""The kill switch: stop everything, an agent, a run or a provider, and lift what is stopped.

Stopping asks for a word to be typed: nobody stops production by a slip of the hand. Lifting asks
for a reason.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.rendering import STOP_READERS
from controlplane.dashboard.visit import Page, Visit, get, post
from controlplane.faults import ControlFault, Fault
from gateway.model.stop import StopScope

CONFIRMATION: Final = "STOP"
HISTORY_COUNT_MAX: Final = 20

_WRITE: Final = (Permission.POLICY_WRITE, Permission.ADMIN)


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/stop`."""
    return await _show(visit)


async def pull(visit: Visit) -> web.Response:
    """`POST /dashboard/stop`."""
    form = await visit.form()
    try:
        scope = form.choice("scope", "What to stop", StopScope)
        name = form.line("name", "Its name")
        reason = form.line("reason", "The reason", is_needed=True)
        if form.line("confirmation", "The confirmation") != CONFIRMATION:
            raise ControlFault(Fault.INVALID_ARGUMENT, f"type {CONFIRMATION} to confirm")
        if (scope is StopScope.EVERYTHING) == bool(name):
            raise ControlFault(
                Fault.INVALID_ARGUMENT,
                "name the agent, the run or the provider; everything has no name",
            )
        await visit.services.stops.stop(visit.caller, scope, name, None, reason)
    except ControlFault as fault:
        if fault.fault not in (Fault.INVALID_ARGUMENT, Fault.STOPS_FULL):
            raise
        return await _show(visit, fault.message, dict(form.values()), 422)
    what = "Everything" if scope is StopScope.EVERYTHING else f"{scope.value} {name}"
    return visit.go("/stop", done=f"{what} is stopped. Gateways refuse its calls from now on.")


async def lift(visit: Visit) -> web.Response:
    """`POST /dashboard/stop/lift`."""
    form = await visit.form()
    try:
        reason = form.line("reason", "The reason", is_needed=True)
        await visit.services.stops.lift(visit.caller, form.id("stop", "The stop"), None, reason)
    except ControlFault as fault:
        return visit.refused("/stop", fault)
    return visit.go("/stop", done="The stop is lifted.")


async def _show(
    visit: Visit, problem: str = "", filled: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    standing = await visit.services.stops.in_force(visit.caller, None, 0, lambda: False)
    history = await visit.services.stops.history(visit.caller, None, HISTORY_COUNT_MAX)
    return await visit.page(
        "stop.html",
        status,
        standing=standing.stops,
        history=[stop for stop in history if stop.lifted_at is not None],
        may_stop=visit.may(*_WRITE),
        confirmation=CONFIRMATION,
        scopes=list(StopScope),
        problem=problem,
        filled=filled or {},
    )


PAGE = Page(
    routes=(
        get("/stop", show, *STOP_READERS),
        post("/stop", pull, *_WRITE),
        post("/stop/lift", lift, *_WRITE),
    )
)
