"""Channels: where people are reached, whether that works, and what was sent there."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.channel_form import (
    read_draft,
    read_mailbox,
    shown_again,
)
from controlplane.dashboard.listing import cursor_number, next_cursor
from controlplane.dashboard.visit import NavEntry, Page, Visit, get, post
from controlplane.faults import ControlFault, Fault
from controlplane.notify.notice import EVENTS, SEVERITIES, USUAL_EVENTS, NotSent
from controlplane.services.access.keys import role_of
from controlplane.services.reaching.channels import Tried
from controlplane.store.channels import ChannelKind, ChannelRow
from gateway.model.delivery import DeliveryStatus

PAGE_COUNT: Final = 50
KEPT_SECONDS: Final = 86_400
"""How long a webhook's old signing secret signs too: time to change the receiver."""

TONES: Final = {
    DeliveryStatus.DELIVERED: "good",
    DeliveryStatus.PENDING: "warn",
    DeliveryStatus.DEAD: "bad",
    DeliveryStatus.SKIPPED: "",
}

EVENT_WORDS: Final = {
    "approval.pending": "something waits for a person",
    "approval.escalated": "a question is passed on",
    "approval.answered": "a question is answered",
    "approval.closed": "a question expires or is withdrawn",
    "incident.opened": "an incident opens",
    "incident.resolved": "an incident is resolved",
    "grant.made": "a grant is made",
    "grant.revoked": "a grant ends early",
    "stop.pulled": "something is stopped",
    "stop.lifted": "a stop is lifted",
    "erasure.made": "somebody erases what a decision said",
    "retention.changed": "somebody changes how long records are kept",
    "record.batch": "each record, as it comes (webhooks)",
    "checkpoint.signed": "a checkpoint of the log is to be kept (webhooks)",
}

_EXPECTED: Final = (
    Fault.INVALID_ARGUMENT,
    Fault.CHANNEL_EXISTS,
    Fault.CHANNEL_NO_KEY,
    Fault.CHANNEL_SEALED,
    Fault.CHANNEL_UNFIT,
    Fault.CHANNELS_FULL,
    Fault.DELIVERY_PENDING,
)
"""After these the person stays where they are, and is told."""


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/channels`."""
    return await _list(visit)


async def add(visit: Visit) -> web.Response:
    """`POST /dashboard/channels`: a webhook's signing secret is shown once, in the answer."""
    form = await visit.form()
    try:
        kind = form.choice("kind", "The kind", ChannelKind)
        draft = read_draft(form, kind, is_new=True)
        row, secret = await visit.services.channels.add(visit.caller.tenant_id, draft)
    except ControlFault as fault:
        if fault.fault not in _EXPECTED:
            raise
        return await _list(visit, fault.message, shown_again(form), 422)
    if secret is not None:
        return await visit.page("channel_secret.html", channel=row, secret=secret)
    return visit.go(f"/channels/{row.channel_id}", done=f"{row.plan.name} is there. Try it now.")


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/channels/{id}`."""
    return await _show(visit, visit.path_id("channel"))


async def change(visit: Visit) -> web.Response:
    """`POST /dashboard/channels/{id}`: secrets that are left empty stay."""
    channel_id, form = visit.path_id("channel"), await visit.form()
    present = await visit.services.channels.get(visit.caller, channel_id)
    try:
        draft = read_draft(form, present.plan.kind, is_new=False)
        # The form has no place for which records are wanted: that stays as it is.
        if (records := present.plan.settings.get("records")) is not None:
            draft = replace(draft, settings={**draft.settings, "records": records})
        row = await visit.services.channels.change(visit.caller, channel_id, draft)
    except ControlFault as fault:
        if fault.fault not in _EXPECTED:
            raise
        return await _show(visit, channel_id, fault.message, shown_again(form), status=422)
    return visit.go(f"/channels/{channel_id}", done=f"{row.plan.name} is changed.")


async def test(visit: Visit) -> web.Response:
    """`POST /dashboard/channels/{id}/test`: send a test now, and say what became of it."""
    channel_id = visit.path_id("channel")
    try:
        tried = await visit.services.channels.test(visit.caller, channel_id)
    except ControlFault as fault:
        return _said(visit, channel_id, fault)
    return await _show(visit, channel_id, tried=tried)


async def rotate(visit: Visit) -> web.Response:
    """`POST /dashboard/channels/{id}/rotate`: a new signing secret, shown once."""
    channel_id = visit.path_id("channel")
    try:
        secret = await visit.services.channels.rotate(visit.caller, channel_id, KEPT_SECONDS)
    except ControlFault as fault:
        return _said(visit, channel_id, fault)
    row = await visit.services.channels.get(visit.caller, channel_id)
    return await visit.page("channel_secret.html", channel=row, secret=secret)


async def remove(visit: Visit) -> web.Response:
    """`POST /dashboard/channels/{id}/remove`."""
    row = await visit.services.channels.remove(visit.caller, visit.path_id("channel"))
    return visit.go("/channels", done=f"{row.plan.name} is gone, and so are its secrets.")


async def set_person(visit: Visit) -> web.Response:
    """`POST /dashboard/channels/{id}/people`: who is meant by an address; no key takes it away."""
    channel_id, form = visit.path_id("channel"), await visit.form()
    channels = visit.services.channels
    row = await channels.get(visit.caller, channel_id)
    try:
        address = form.line("address", "The address", is_needed=True)
        if row.plan.kind is ChannelKind.EMAIL:
            read_mailbox(address)
        people = {
            one.address: one.key_id for one in await channels.people(visit.caller, channel_id)
        }
        if form.is_set("forget"):
            people.pop(address, None)
        else:
            people[address] = form.id("key", "The person")
        await channels.set_people(visit.caller, channel_id, people)
    except ControlFault as fault:
        return _said(visit, channel_id, fault)
    return visit.go(f"/channels/{channel_id}", done="The people of this channel are changed.")


async def deliveries(visit: Visit) -> web.Response:
    """`GET /dashboard/deliveries`: with `status` and `channel` less of them."""
    channel_id = None
    if visit.query("channel"):
        channel_id = _channel_id(visit.query("channel"))
    rows = await visit.services.channels.deliveries(
        visit.caller,
        channel_id,
        visit.choice("status", DeliveryStatus),
        cursor_number(visit),
        PAGE_COUNT,
    )
    channels = await visit.services.channels.list(visit.caller)
    return await visit.page(
        "deliveries.html",
        deliveries=rows,
        names={row.channel_id: row.plan.name for row in channels},
        cursor=next_cursor([row.delivery_seq for row in rows], PAGE_COUNT),
        states=[state.value for state in DeliveryStatus],
        tones=TONES,
        words=EVENT_WORDS,
        ended=(DeliveryStatus.DEAD, DeliveryStatus.DELIVERED, DeliveryStatus.SKIPPED),
    )


async def resend(visit: Visit) -> web.Response:
    """`POST /dashboard/deliveries`: send once more what has ended, under the same id."""
    form = await visit.form()
    try:
        row = await visit.services.channels.resend(
            visit.caller, form.id("delivery", "The delivery")
        )
    except ControlFault as fault:
        if fault.fault not in _EXPECTED:
            raise
        return visit.go("/deliveries", problem=fault.message)
    return visit.go(f"/deliveries?channel={row.new.channel_id}", done="It is on its way once more.")


def _said(visit: Visit, channel_id: uuid.UUID, fault: ControlFault) -> web.Response:
    if fault.fault not in _EXPECTED:
        raise fault
    return visit.go(f"/channels/{channel_id}", problem=fault.message)


async def _list(
    visit: Visit, problem: str = "", filled: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    dead = await visit.services.channels.deliveries(
        visit.caller, None, DeliveryStatus.DEAD, None, PAGE_COUNT
    )
    return await visit.page(
        "channels.html",
        status,
        channels=await visit.services.channels.list(visit.caller),
        dead=len(dead),
        dead_is_more=len(dead) == PAGE_COUNT,
        problem=problem,
        filled=filled or {},
        **_words(),
    )


async def _show(
    visit: Visit,
    channel_id: uuid.UUID,
    problem: str = "",
    filled: Mapping[str, str] | None = None,
    tried: Sequence[Tried] = (),
    status: int = 200,
) -> web.Response:
    channels, caller = visit.services.channels, visit.caller
    row = await channels.get(caller, channel_id)
    has_people = row.plan.kind is not ChannelKind.WEBHOOK
    return await visit.page(
        "channel.html",
        status,
        channel=row,
        filled=_filled(row) if filled is None else filled,
        problem=problem,
        tried=[
            (one.recipient, one.outcome.problem if isinstance(one.outcome, NotSent) else None)
            for one in tried
        ],
        people=await channels.people(caller, channel_id) if has_people else [],
        persons=await _persons(visit) if has_people else [],
        deliveries=await channels.deliveries(caller, channel_id, None, None, 10),
        tones=TONES,
        words=EVENT_WORDS,
        **_words(),
    )


async def _persons(visit: Visit) -> list[tuple[uuid.UUID, str]]:
    """People's keys that are in force."""
    rows = await visit.services.keys.list(visit.caller, count_max=500)
    return [
        (row.key_id, f"{row.name} ({row.prefix}…)")
        for row in rows
        if row.revoked_at is None and row.agent is None and role_of(row.permissions) == "person"
    ]


def _words() -> dict[str, object]:
    return {
        "events": [(event, EVENT_WORDS.get(event, event)) for event in EVENTS],
        "usual": USUAL_EVENTS,
        "severities": SEVERITIES,
        "securities": {
            "starttls": "STARTTLS",
            "tls": "TLS from the start",
            "none": "none, to a relay that the operator allowed",
        },
    }


def _filled(row: ChannelRow) -> dict[str, str]:
    """A channel as its form shows it; a secret has no place here."""
    plan = row.plan
    filled = {
        "name": plan.name,
        "groups": ", ".join(plan.groups),
        "severity": plan.severity or "",
        "enabled": "1" if plan.enabled else "",
        "sender": str(plan.settings.get("from", "")),
        **{f"event.{event}": "1" for event in plan.events},
    }
    for name in ("url", "channel", "host", "port", "security", "username"):
        filled[name] = str(plan.settings.get(name, ""))
    return filled


def _channel_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ControlFault(Fault.NOT_FOUND, "there is no such channel") from None


PAGE = Page(
    nav=NavEntry("Channels", "/channels", "l", "channels"),
    routes=(
        get("/channels", list_, Permission.ADMIN),
        post("/channels", add, Permission.ADMIN),
        get("/channels/{id}", show, Permission.ADMIN),
        post("/channels/{id}", change, Permission.ADMIN),
        post("/channels/{id}/test", test, Permission.ADMIN),
        post("/channels/{id}/rotate", rotate, Permission.ADMIN),
        post("/channels/{id}/remove", remove, Permission.ADMIN),
        post("/channels/{id}/people", set_person, Permission.ADMIN),
        get("/deliveries", deliveries, Permission.ADMIN),
        post("/deliveries", resend, Permission.ADMIN),
    ),
)
