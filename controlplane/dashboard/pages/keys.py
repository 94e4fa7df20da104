"""Keys of people and gateways: make, rotate, revoke. A key is shown once, where it is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from aiohttp import web

from controlplane.auth import GROUP, KEY_NAME, Permission
from controlplane.dashboard.forms import Form
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault, Fault

GROUPS_MAX: Final = 50
LIST_COUNT: Final = 500
GRACE_SECONDS: Final = {"0": "ends at once", "3600": "is good for another hour",
                        "86400": "is good for another day"}  # fmt: skip


class Role(StrEnum):
    """What most keys are for; any other choice of permissions is made by command."""

    APPROVER = "approver"
    AUDITOR = "auditor"
    AUTHOR = "author"
    ADMIN = "admin"
    GATEWAY = "gateway"


_SEES: Final = (Permission.RECORD_READ, Permission.RUN_READ, Permission.INCIDENT_READ)

PERMISSIONS: Final[Mapping[Role, tuple[Permission, ...]]] = {
    Role.APPROVER: (
        Permission.APPROVAL_READ,
        Permission.APPROVAL_WRITE,
        Permission.INCIDENT_WRITE,
        *_SEES,
    ),
    Role.AUDITOR: (
        Permission.APPROVAL_READ,
        Permission.POLICY_READ,
        Permission.AGENT_READ,
        *_SEES,
    ),
    Role.AUTHOR: (Permission.POLICY_READ, Permission.POLICY_WRITE, *_SEES),
    Role.ADMIN: (Permission.ADMIN,),
    Role.GATEWAY: (Permission.GATEWAY,),
}

WORDS: Final = {
    Role.APPROVER: "Approver: answers questions, looks after incidents",
    Role.AUDITOR: "Auditor: reads everything, changes nothing",
    Role.AUTHOR: "Author: writes policies, stops agents",
    Role.ADMIN: "Administrator: everything",
    Role.GATEWAY: "Gateway: a machine, never approves",
}

LIFETIMES: Final = {"0": "until it is revoked", "7": "7 days", "90": "90 days", "365": "1 year"}


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/keys`."""
    return await _list(visit)


async def create(visit: Visit) -> web.Response:
    """`POST /dashboard/keys`."""
    form = await visit.form()
    try:
        name = form.line("name", "The name", is_needed=True)
        if not KEY_NAME.fullmatch(name):
            raise ControlFault(
                Fault.INVALID_ARGUMENT,
                "a name has letters, digits and `. _ @ + -`, and begins with a letter or a digit",
            )
        role = form.choice("role", "What it is for", Role)
        days = form.number("days", "How long it holds", 0, 3_650, 0)
        _, key = await visit.services.keys.add(
            visit.caller.tenant_id,
            name,
            PERMISSIONS[role],
            groups=_groups(form) if role is not Role.GATEWAY else (),
            expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
        )
    except ControlFault as fault:
        if fault.fault is not Fault.INVALID_ARGUMENT:
            raise
        return await _list(visit, fault.message, form.values(), 422)
    return await visit.page("key_made.html", name=name, key=key, is_agent=False, back="/keys")


async def rotate(visit: Visit) -> web.Response:
    """`POST /dashboard/keys/rotate`: another secret for the same key."""
    form = await visit.form()
    grace = form.number("grace", "How long the old one is good", 0, 7 * 86_400, 0)
    try:
        listed, key = await visit.services.keys.rotate(
            visit.caller, form.id("key", "The key"), grace
        )
    except ControlFault as fault:
        return visit.refused("/keys", fault)
    return await visit.page(
        "key_made.html", name=listed.name, key=key, is_agent=listed.agent is not None, back="/keys"
    )


async def revoke(visit: Visit) -> web.Response:
    """`POST /dashboard/keys/revoke`."""
    form = await visit.form()
    try:
        listed = await visit.services.keys.revoke(visit.caller, form.id("key", "The key"))
    except ControlFault as fault:
        return visit.refused("/keys", fault)
    return visit.go("/keys", done=f"The key of {listed.name} is refused from now on.")


async def _list(
    visit: Visit, problem: str = "", filled: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    rows = await visit.services.keys.list(visit.caller, count_max=LIST_COUNT)
    now = datetime.now(UTC)
    over = [
        row
        for row in rows
        if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)
    ]
    known = {row.key_id for row in over}
    groups: dict[str, set[str]] = {}
    for row in rows:
        for group in row.groups if row.key_id not in known else ():
            groups.setdefault(group, set()).add(row.name)
    return await visit.page(
        "keys.html",
        status,
        keys=[row for row in rows if row.key_id not in known],
        over=over,
        groups=sorted((name, sorted(people)) for name, people in groups.items()),
        roles=WORDS,
        lifetimes=LIFETIMES,
        graces=GRACE_SECONDS,
        problem=problem,
        filled=filled or {},
    )


def _groups(form: Form) -> tuple[str, ...]:
    """`finance, leads`."""
    text = form.line("groups", "The groups")
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(found) > GROUPS_MAX or not all(GROUP.fullmatch(one) for one in found):
        raise ControlFault(
            Fault.INVALID_ARGUMENT,
            "write groups like `finance, leads`: small letters, digits and `-`",
        )
    return found


PAGE = Page(
    nav=NavEntry("Keys", "/keys", "k", "keys"),
    routes=(
        get("/keys", list_, Permission.ADMIN),
        post("/keys", create, Permission.ADMIN),
        post("/keys/rotate", rotate, Permission.ADMIN),
        post("/keys/revoke", revoke, Permission.ADMIN),
    ),
)
