"""Agents: who may send traffic. A new key is shown once, on the page that answers the form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from controlplane.auth import AGENT_NAME, Permission
from controlplane.dashboard.forms import Form
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault, Fault

PAGE_COUNT: Final = 100
LABELS_MAX: Final = 64
LABEL_LENGTH_MAX: Final = 256

_READ: Final = (Permission.AGENT_READ, Permission.AGENT_WRITE, Permission.ADMIN)
_WRITE: Final = (Permission.AGENT_WRITE, Permission.ADMIN)


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/agents`: by name; `after` is the last name of the page before."""
    return await _list(visit)


async def create(visit: Visit) -> web.Response:
    """`POST /dashboard/agents`."""
    form = await visit.form()
    try:
        name = form.line("name", "The name", is_needed=True)
        if not AGENT_NAME.fullmatch(name):
            raise ControlFault(
                Fault.INVALID_ARGUMENT,
                "a name has letters, digits, `.`, `_` and `-`, at most 64, and begins with a "
                "letter or a digit",
            )
        agent, key = await visit.services.agents.create(visit.caller, name, _labels(form))
    except ControlFault as fault:
        if fault.fault not in (Fault.INVALID_ARGUMENT, Fault.AGENT_EXISTS):
            raise
        return await _list(visit, fault.message, form.values(), 422)
    return await visit.page(
        "key_made.html", name=agent.name, key=key, is_agent=True, back="/agents"
    )


async def change(visit: Visit) -> web.Response:
    """`POST /dashboard/agents/enabled`: let an agent send, or no longer."""
    form = await visit.form()
    enabled = form.line("enabled", "The choice", is_needed=True) == "yes"
    agent = await visit.services.agents.set_enabled(
        visit.caller, form.id("agent", "The agent"), enabled
    )
    what = "may send again" if enabled else "is refused by every gateway now"
    return visit.go("/agents", done=f"{agent.name} {what}.")


async def _list(
    visit: Visit, problem: str = "", filled: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    after = visit.query("after") or None
    rows = await visit.services.agents.list(visit.caller, after, None, PAGE_COUNT)
    return await visit.page(
        "agents.html",
        status,
        agents=[(row, json.loads(row.labels)) for row in rows],
        after=rows[-1].name if len(rows) == PAGE_COUNT else None,
        may_change=visit.may(*_WRITE),
        problem=problem,
        filled=filled or {},
    )


def _labels(form: Form) -> dict[str, str]:
    """`team=billing, stage=test`."""
    text = form.text("labels", "The labels")
    labels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        is_bounded = len(name) <= LABEL_LENGTH_MAX and len(value) <= LABEL_LENGTH_MAX
        if not equals or not name or not part.isprintable() or not is_bounded:
            raise ControlFault(
                Fault.INVALID_ARGUMENT, "write labels like `team=billing, stage=test`"
            )
        labels[name] = value
    if len(labels) > LABELS_MAX:
        raise ControlFault(Fault.INVALID_ARGUMENT, f"an agent has at most {LABELS_MAX} labels")
    return labels


PAGE = Page(
    nav=NavEntry("Agents", "/agents", "n", "agents"),
    routes=(
        get("/agents", list_, *_READ),
        post("/agents", create, *_WRITE),
        post("/agents/enabled", change, *_WRITE),
    ),
)
