"""Policies: which are in force, their versions, how two differ, and what putting one in force would
change, shown before it is done."""

from __future__ import annotations

import uuid
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.listing import cursor_number, next_cursor
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault, Fault
from controlplane.services.access.gateways import FILES
from controlplane.services.policies.diff import PolicyDiff
from controlplane.services.policies.preview import Drafted, Previewed
from controlplane.services.policies.versions import Shown
from controlplane.store.policies import PolicyFilter
from gateway.model.policy_version import VersionState

PAGE_COUNT: Final = 50
VERSION_MAX: Final = 2**31 - 1

READ: Final = (Permission.POLICY_READ, Permission.POLICY_WRITE, Permission.ADMIN)
WRITE: Final = (Permission.POLICY_WRITE, Permission.ADMIN)

TONES: Final = {VersionState.ACTIVE: "good", VersionState.DRAFT: "warn", VersionState.ARCHIVED: ""}


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/policies`: with `status` those whose version that counts is in that state."""
    wanted = PolicyFilter(visit.choice("status", VersionState))
    rows = await visit.services.policies.list(
        visit.caller, wanted, cursor_number(visit), PAGE_COUNT
    )
    fleet = await visit.services.gateways.list(visit.caller)
    return await visit.page(
        "policies.html",
        policies=rows,
        cursor=next_cursor([row.policy_seq for row in rows], PAGE_COUNT),
        states=[state.value for state in VersionState],
        tones=TONES,
        by_files=[one.gateway_id for one in fleet.gateways if one.source == FILES],
        behind=[
            one.gateway_id
            for one in fleet.gateways
            if one.source != FILES and not fleet.is_up_to_date(one)
        ],
        may_write=visit.may(*WRITE),
    )


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/policies/{id}`: the version that counts, or the one of `version`."""
    policy_id, number = visit.path_id("policy"), version_of(visit, "version")
    services, caller = visit.services.policies, visit.caller
    shown = (
        await services.show(caller, policy_id)
        if number is None
        else await services.version(caller, policy_id, number)
    )
    before = version_of(visit, "cursor")
    versions = await services.versions(caller, policy_id, before, PAGE_COUNT)
    return await visit.page(
        "policy.html",
        shown=shown,
        versions=versions,
        cursor=next_cursor([row.version for row in versions], PAGE_COUNT),
        active=active_version(shown),
        line_count=(shown.version.document or "").count("\n") + 1,
        tones=TONES,
        may_write=visit.may(*WRITE),
    )


async def diff(visit: Visit) -> web.Response:
    """`GET /dashboard/policies/{id}/diff`: of the versions `before` and `after`."""
    policy_id = visit.path_id("policy")
    before, after = version_of(visit, "before"), version_of(visit, "after")
    shown = await visit.services.policies.show(visit.caller, policy_id)
    newest = shown.policy.newest_version
    after = newest if after is None else after
    before = max(1, after - 1) if before is None else before
    found = await visit.services.policies.diff(visit.caller, policy_id, before, after)
    return await visit.page(
        "policy_diff.html", shown=shown, diff=found, before=before, after=after, newest=newest
    )


async def confirm(visit: Visit) -> web.Response:
    """`GET /dashboard/policies/{id}/activate`: what would change, before anybody says yes."""
    number = version_of(visit, "version")
    return await _confirm(visit, visit.path_id("policy"), number)


async def activate(visit: Visit) -> web.Response:
    """`POST /dashboard/policies/{id}/activate`: as the person saw it, or not at all."""
    policy_id, form = visit.path_id("policy"), await visit.form()
    version = form.number("version", "The version", 1, VERSION_MAX)
    etag = form.number("etag", "The policy's state", 0, 2**63 - 1)
    comment = form.line("comment", "The comment")
    try:
        done = await visit.services.policies.activate(
            visit.caller, policy_id, version, etag, comment or None
        )
    except ControlFault as fault:
        if fault.fault in (Fault.NOT_FOUND, Fault.UNAVAILABLE):
            raise
        return await _confirm(visit, policy_id, version, fault, comment)
    name = done.shown.policy.name
    if not done.published.is_new:
        return visit.go(f"/policies/{policy_id}", done=f"Nothing changes: {name} says that already")
    return visit.go(
        f"/policies/{policy_id}",
        done=f"{name} is in force as version {done.shown.policy.version}. "
        "Gateways take it within seconds.",
    )


async def deactivate(visit: Visit) -> web.Response:
    """`POST /dashboard/policies/{id}/deactivate`."""
    policy_id, form = visit.path_id("policy"), await visit.form()
    path = f"/policies/{policy_id}"
    try:
        etag = form.number("etag", "The policy's state", 0, 2**63 - 1)
        comment = form.line("comment", "The reason", is_needed=True)
        done = await visit.services.policies.deactivate(visit.caller, policy_id, etag, comment)
    except ControlFault as fault:
        return visit.refused(path, fault)
    return visit.go(path, done=f"{done.shown.policy.name} is no longer in force.")


async def _confirm(
    visit: Visit,
    policy_id: uuid.UUID,
    number: int | None,
    fault: ControlFault | None = None,
    comment: str = "",
) -> web.Response:
    services, caller = visit.services.policies, visit.caller
    now = await services.show(caller, policy_id)
    if number is None:
        number = now.policy.draft_version or now.policy.version
    wanted = await services.version(caller, policy_id, number)
    active = active_version(now)
    changes: PolicyDiff | None = None
    if active is not None and active != number:
        changes = await services.diff(caller, policy_id, active, number)
    previewed, unknown = await try_preview(visit, Drafted(None, policy_id, number))
    return await visit.page(
        "policy_activate.html",
        409 if fault is not None else 200,
        shown=wanted,
        etag=now.policy.revision,
        active=active,
        diff=changes,
        previewed=previewed,
        unknown=unknown,
        fault=fault,
        comment=comment,
    )


async def try_preview(visit: Visit, drafted: Drafted) -> tuple[Previewed | None, str]:
    """What a policy would have changed; or else why nobody can say."""
    try:
        return await visit.services.policy_preview.preview(visit.caller, drafted), ""
    except ControlFault as fault:
        if fault.fault in (Fault.NOT_FOUND, Fault.UNAVAILABLE):
            raise
        return None, fault.message


def active_version(shown: Shown) -> int | None:
    """The number of the version in force."""
    policy = shown.policy
    return policy.version if policy.status is VersionState.ACTIVE else None


def version_of(visit: Visit, name: str) -> int | None:
    """A version's number in the address.

    Raises:
        ControlFault: NOT_FOUND for what can be none.
    """
    if not visit.query(name):
        return None
    number = visit.number(name)
    if number is None or not 1 <= number < VERSION_MAX:
        raise ControlFault(Fault.NOT_FOUND, "the policy has no such version")
    return number


PAGE = Page(
    nav=NavEntry("Policies", "/policies", "p", "policies", live="policy"),
    routes=(
        get("/policies", list_, *READ),
        get("/policies/{id}", show, *READ),
        get("/policies/{id}/diff", diff, *READ),
        get("/policies/{id}/activate", confirm, *WRITE),
        post("/policies/{id}/activate", activate, *WRITE),
        post("/policies/{id}/deactivate", deactivate, *WRITE),
    ),
)
