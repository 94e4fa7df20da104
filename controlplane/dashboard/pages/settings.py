"""Settings: what runs here and in which state, who is signed in, and the learner's mode."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.visit import ANYBODY, NavEntry, Page, Visit, get, post
from controlplane.services.access.gateways import FILES
from controlplane.services.learner import LearnerMode
from controlplane.services.runs.overview import KEPT_DAYS
from controlplane.store.policies import PolicyFilter
from gateway.model.policy_version import VersionState

GATEWAYS_SHOWN_MAX: Final = 200
POLICIES_LOOKED_AT_MAX: Final = 500
"""A bundle holds no more."""

SILENT_SECONDS_MAX: Final = 120.0
"""A gateway asks for its bundle far more often than this."""

_POLICIES: Final = (Permission.POLICY_READ, Permission.POLICY_WRITE, Permission.ADMIN)
_RECORDS: Final = (Permission.RECORD_READ, Permission.ADMIN)
_LEARNER_READ: Final = (Permission.LEARNER_READ, Permission.LEARNER_WRITE, Permission.ADMIN)
_LEARNER_WRITE: Final = (Permission.LEARNER_WRITE, Permission.ADMIN)

LEARNER_WORDS: Final = {
    LearnerMode.MONITOR: "Monitor: it watches, and nothing follows from it",
    LearnerMode.ENFORCE: "Enforce: what was learnt may refuse",
    LearnerMode.AUTO_PROMOTE_SAFE: "Promote what is safe: rules that only allow what was seen "
    "are made by themselves",
}


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/settings`: each part for who may see it; the own sessions for everybody."""
    services, caller = visit.services, visit.caller
    sees_policies, sees_learner = visit.may(*_POLICIES), visit.may(*_LEARNER_READ)
    sees_all = visit.may(Permission.ADMIN)
    fleet, modes = None, Counter[str]()
    if sees_policies:
        fleet = await services.gateways.list(caller)
        active = PolicyFilter(VersionState.ACTIVE)
        rows = await services.policies.list(caller, active, None, POLICIES_LOOKED_AT_MAX)
        modes.update(row.mode for row in rows)
    return await visit.page(
        "settings.html",
        product=version("checkrein"),
        about=await services.health.about() if sees_all else None,
        fleet=fleet,
        gateways=fleet.gateways[:GATEWAYS_SHOWN_MAX] if fleet else (),
        files=FILES,
        silent_seconds=SILENT_SECONDS_MAX,
        modes=modes,
        learner=await services.learner.mode(caller) if sees_learner else None,
        learner_words=LEARNER_WORDS,
        may_teach=visit.may(*_LEARNER_WRITE),
        sessions=await services.sessions.open(visit.session),
        sees_all=sees_all,
        retention=await services.retention.rule(caller) if visit.may(*_RECORDS) else None,
        kept_days=sorted(KEPT_DAYS.values()),
    )


async def set_learner(visit: Visit) -> web.Response:
    """`POST /dashboard/settings/learner`."""
    form = await visit.form()
    mode = form.choice("mode", "The mode", LearnerMode)
    await visit.services.learner.set_mode(visit.caller, mode)
    return visit.go("/settings", done=f"The learner's mode is {mode.value} now.")


async def end_session(visit: Visit) -> web.Response:
    """`POST /dashboard/settings/sessions`: one of them, or with `others` all of mine but this."""
    form = await visit.form()
    if form.is_set("others"):
        count = await visit.services.sessions.end_others(visit.session)
        done = f"Signed out elsewhere: {count}."
    else:
        session_id = form.id("session", "The session")
        if session_id == visit.session.session_id:
            return visit.go("/settings", problem="that is this one: use Sign out")
        await visit.services.sessions.end_one(visit.session, session_id)
        done = "That session is over."
    # Pages that are open there look again, and find that they may not.
    await visit.services.following.wake(visit.caller.tenant_id)
    return visit.go("/settings", done=done)


PAGE = Page(
    nav=NavEntry("Settings", "/settings", "e", "settings"),
    routes=(
        get("/settings", show, *ANYBODY),
        post("/settings/learner", set_learner, *_LEARNER_WRITE),
        post("/settings/sessions", end_session, *ANYBODY),
    ),
)
