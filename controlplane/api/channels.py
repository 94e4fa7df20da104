"""`/v1/channels`, `/v1/deliveries`: where people are reached, and what was sent there."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from controlplane.api.channel_bodies import (
    ChangeBody,
    ChannelAnswer,
    ChannelBody,
    ChannelsAnswer,
    DeliveriesAnswer,
    DeliveriesQuery,
    DeliveryAnswer,
    MadeChannelAnswer,
    PeopleAnswer,
    PeopleBody,
    RotateBody,
    RotatedAnswer,
    TestedAnswer,
)
from controlplane.api.pages import next_cursor
from controlplane.api.parsing import NoBody, parse_body, parse_id, parse_query, timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.faults import ControlFault, Fault
from controlplane.notify.notice import NotSent
from controlplane.services.reaching.channels import ChannelDraft, Tried
from controlplane.store.channels import ChannelKind, ChannelRow, PersonRow
from controlplane.store.deliveries import DeliveryRow
from gateway.model.codec import JsonValue


async def create(call: Call) -> web.Response:
    """Add a channel; the signing secret that is made for a webhook is told this once."""
    body = await parse_body(call.http, ChannelBody)
    row, secret = await call.services.channels.add(call.caller.tenant_id, body.draft())
    return answer({"channel": render_channel(row), "signingSecret": secret}, 201)


async def list_(call: Call) -> web.Response:
    """List channels by name."""
    rows = await call.services.channels.list(call.caller)
    return answer({"channels": [render_channel(row) for row in rows]})


async def get(call: Call) -> web.Response:
    """Read a channel, without its secrets."""
    row = await call.services.channels.get(call.caller, parse_id(call.http))
    return answer({"channel": render_channel(row)})


async def change(call: Call) -> web.Response:
    """Change what is given; the rest of the channel stays."""
    body = await parse_body(call.http, ChangeBody)
    channel_id = parse_id(call.http)
    present = await call.services.channels.get(call.caller, channel_id)
    row = await call.services.channels.change(call.caller, channel_id, _changed(present, body))
    return answer({"channel": render_channel(row)})


async def remove(call: Call) -> web.Response:
    """Send nothing there any more, and forget its secrets."""
    await parse_body(call.http, NoBody)
    row = await call.services.channels.remove(call.caller, parse_id(call.http))
    return answer({"channel": render_channel(row)})


async def rotate(call: Call) -> web.Response:
    """Give a webhook another signing secret, which is told this once."""
    body = await parse_body(call.http, RotateBody)
    channel_id = parse_id(call.http)
    secret = await call.services.channels.rotate(call.caller, channel_id, body.keepSeconds)
    return answer({"signingSecret": secret})


async def test(call: Call) -> web.Response:
    """Send a test now, and say what became of it."""
    await parse_body(call.http, NoBody)
    tried = await call.services.channels.test(call.caller, parse_id(call.http))
    return answer({"results": [_render_tried(one) for one in tried]})


async def people(call: Call) -> web.Response:
    """List who is reached by a channel, and may answer from there."""
    found = await call.services.channels.people(call.caller, parse_id(call.http))
    return answer({"people": [_render_person(one) for one in found]})


async def set_people(call: Call) -> web.Response:
    """Say anew which address is which person."""
    body = await parse_body(call.http, PeopleBody)
    named = {one.address: one.keyId for one in body.people}
    if len(named) != len(body.people):
        raise ControlFault(Fault.INVALID_ARGUMENT, "`people`: an address is given twice")
    found = await call.services.channels.set_people(call.caller, parse_id(call.http), named)
    return answer({"people": [_render_person(one) for one in found]})


async def deliveries(call: Call) -> web.Response:
    """List what was sent or is to be sent, the newest first."""
    query = parse_query(call.http, DeliveriesQuery)
    rows = await call.services.channels.deliveries(
        call.caller, query.channelId, query.status, query.cursor, query.limit
    )
    return answer(
        {
            "deliveries": [_render_delivery(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.delivery_seq),
        }
    )


async def resend(call: Call) -> web.Response:
    """Send once more what has ended."""
    await parse_body(call.http, NoBody)
    row = await call.services.channels.resend(call.caller, parse_id(call.http))
    return answer({"delivery": _render_delivery(row)})


_ADMIN = Permission.ADMIN

ROUTES = (
    route(
        "POST", "/v1/channels", create, _ADMIN, body=ChannelBody,
        answers={201: MadeChannelAnswer},
    ),
    route("GET", "/v1/channels", list_, _ADMIN, answers=ChannelsAnswer),
    route("GET", "/v1/channels/{id}", get, _ADMIN, answers=ChannelAnswer),
    route("PATCH", "/v1/channels/{id}", change, _ADMIN, body=ChangeBody, answers=ChannelAnswer),
    route(
        "POST", "/v1/channels/{id}/remove", remove, _ADMIN, body=NoBody, answers=ChannelAnswer
    ),
    route(
        "POST", "/v1/channels/{id}/rotate", rotate, _ADMIN, body=RotateBody,
        answers=RotatedAnswer,
    ),
    route("POST", "/v1/channels/{id}/test", test, _ADMIN, body=NoBody, answers=TestedAnswer),
    route("GET", "/v1/channels/{id}/people", people, _ADMIN, answers=PeopleAnswer),
    route(
        "POST", "/v1/channels/{id}/people", set_people, _ADMIN, body=PeopleBody,
        answers=PeopleAnswer,
    ),
    route(
        "GET", "/v1/deliveries", deliveries, _ADMIN, query=DeliveriesQuery,
        answers=DeliveriesAnswer,
    ),
    route(
        "POST", "/v1/deliveries/{id}/resend", resend, _ADMIN, body=NoBody,
        answers=DeliveryAnswer,
    ),
)  # fmt: skip


def render_channel(row: ChannelRow) -> dict[str, JsonValue]:
    """A channel without a secret."""
    plan = row.plan
    kind, settings = plan.kind, plan.settings
    return {
        "channelId": str(row.channel_id),
        "name": plan.name,
        "kind": kind,
        "webhook": {"url": settings["url"], "records": settings.get("records")}
        if kind is ChannelKind.WEBHOOK
        else None,
        "slack": {
            "channel": settings["channel"],
            "callbackPath": f"/v1/callbacks/slack/{row.channel_id}",
        }
        if kind is ChannelKind.SLACK
        else None,
        "email": {
            "host": settings["host"],
            "port": settings["port"],
            "security": settings["security"],
            "sender": settings["from"],
            "username": settings.get("username"),
        }
        if kind is ChannelKind.EMAIL
        else None,
        "events": list(plan.events),
        "groups": list(plan.groups),
        "severity": plan.severity,
        "enabled": plan.enabled,
        "createdAt": timestamp(row.created_at),
        "changedAt": timestamp(row.changed_at),
    }


def _changed(present: ChannelRow, body: ChangeBody) -> ChannelDraft:
    plan = present.plan
    draft = ChannelDraft(
        body.name or plan.name,
        plan.kind,
        plan.settings,
        None,
        tuple(dict.fromkeys(body.events or plan.events)),
        plan.groups if body.groups is None else tuple(dict.fromkeys(body.groups)),
        body.severity if "severity" in body.model_fields_set else plan.severity,
        plan.enabled if body.enabled is None else body.enabled,
    )
    given = body.given()
    if not given:
        return draft
    kind, settings, secrets = given[0].parts()
    if len(given) > 1 or kind is not plan.kind:
        raise ControlFault(Fault.INVALID_ARGUMENT, f"`{plan.kind}`: this channel is of that kind")
    return replace(draft, settings=settings, secrets=secrets or None)


def _render_person(row: PersonRow) -> dict[str, JsonValue]:
    return {
        "address": row.address,
        "keyId": str(row.key_id),
        "name": row.name,
        "groups": sorted(row.groups),
    }


def _render_tried(one: Tried) -> dict[str, JsonValue]:
    problem = one.outcome.problem if isinstance(one.outcome, NotSent) else None
    return {
        "recipient": one.recipient or None,
        "delivered": problem is None,
        "problem": problem,
    }


def _render_delivery(row: DeliveryRow) -> dict[str, JsonValue]:
    new = row.new
    return {
        "deliveryId": str(row.delivery_id),
        "channelId": str(new.channel_id),
        "recipientKeyId": new.recipient or None,
        "event": new.event,
        "kind": new.kind,
        "subjectId": new.subject_id,
        "status": row.status,
        "attempts": row.attempts,
        "dueAt": timestamp(row.due_at),
        "problem": row.problem,
        "happenedAt": timestamp(new.happened_at),
        "createdAt": timestamp(row.created_at),
        "endedAt": timestamp(row.ended_at),
    }
