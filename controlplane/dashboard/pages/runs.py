"""Runs: who ran, what for, and step by step what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.charts import Mark, marks
from controlplane.dashboard.listing import cursor_number, next_cursor
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault
from controlplane.services.runs.lifecycle import Step
from controlplane.store.runs import RunFilter
from gateway.model.run import OPEN_RUN_STATES, RunState

PAGE_COUNT: Final = 50
STEP_COUNT: Final = 200

_READ: Final = (Permission.RUN_READ, Permission.RUN_WRITE, Permission.ADMIN)
_WRITE: Final = (Permission.RUN_WRITE, Permission.ADMIN)


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/runs`."""
    agent = visit.query("agent") or None
    wanted = RunFilter(agent, visit.choice("status", RunState))
    rows = await visit.services.runs.list(visit.caller, wanted, cursor_number(visit), PAGE_COUNT)
    cursor = next_cursor([row.run_seq for row in rows], PAGE_COUNT)
    return await visit.page("runs.html", runs=rows, cursor=cursor, agent=agent)


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/runs/{id}`: `after` is the last step of the page before."""
    run_id = visit.path_id("run")
    run = await visit.services.runs.get(visit.caller, run_id)
    after = cursor_number(visit) or 0
    steps = await visit.services.runs.steps(visit.caller, run_id, after, STEP_COUNT)
    return await visit.page(
        "run.html",
        run=run,
        steps=steps,
        strip=marks([_mark(step) for step in steps], "Steps", _told(steps)),
        cursor=next_cursor([step.row.step_index for step in steps], STEP_COUNT),
        is_open=run.status in OPEN_RUN_STATES,
        may_cancel=visit.may(*_WRITE),
        may_answer=visit.may(Permission.APPROVAL_READ, Permission.ADMIN),
        may_audit=visit.may(Permission.RECORD_READ, Permission.ADMIN),
    )


async def cancel(visit: Visit) -> web.Response:
    """`POST /dashboard/runs/{id}/cancel`: end it, and stop what it still sends."""
    run_id, form = visit.path_id("run"), await visit.form()
    reason = form.line("reason", "The reason", is_needed=True)
    try:
        await visit.services.runs.cancel(visit.caller, run_id, None, reason)
    except ControlFault as fault:
        return visit.refused(f"/runs/{run_id}", fault)
    return visit.go(f"/runs/{run_id}", done="The run is cancelled. Its calls are refused now.")


def _mark(step: Step) -> Mark:
    row = step.row
    told = f"{row.step_index}. {row.action or row.operation}: {row.effect}"
    return Mark(row.effect, row.risk or 0, told)


def _told(steps: Sequence[Step]) -> str:
    """The strip in a sentence, for who can't see it."""
    effects = [step.row.effect for step in steps]
    counted = ", ".join(f"{effects.count(one)} {one}" for one in sorted(set(effects)))
    return f"{len(effects)} steps: {counted}." if effects else "No step yet."


PAGE = Page(
    nav=NavEntry("Runs", "/runs", "r", "runs", live="run"),
    routes=(
        get("/runs", list_, *_READ),
        get("/runs/{id}", show, *_READ),
        post("/runs/{id}/cancel", cancel, *_WRITE),
    ),
)
