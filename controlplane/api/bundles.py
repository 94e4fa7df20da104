"""`/v1/bundles`: what all gateways run; `/v1/gateways`: what each of them runs."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from controlplane.api.contract import At, Body, Query, View
from controlplane.api.pages import Count, PageQuery, next_cursor, parse_text_cursor
from controlplane.api.parsing import (
    Digest,
    Name,
    Text,
    WaitSeconds,
    parse_body,
    parse_number,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.faults import ControlFault, Fault
from controlplane.services.access.gateways import Fleet
from controlplane.services.policies.bundle_check import BundleFiles
from controlplane.services.policies.bundles import Published
from controlplane.store.bundles import BundleRow
from controlplane.store.gateways import GatewayRow
from gateway.decide.envelope import DOCUMENTS_MAX, MAPPERS_MAX, PAYLOAD_BYTES_MAX, NamedText
from gateway.model.codec import INTEGER_MAX, JsonValue

PUBLISH_BYTES_MAX = PAYLOAD_BYTES_MAX * 3 // 2
"""A full bundle, with room for other spellings of its JSON."""

Number = Annotated[int, Field(ge=0, le=INTEGER_MAX)]


class FileBody(Body):
    name: str
    text: str


class PublishBody(Body):
    documents: Annotated[list[FileBody], Field(max_length=DOCUMENTS_MAX)]
    mappers: Annotated[list[FileBody], Field(default_factory=list, max_length=MAPPERS_MAX)]
    comment: Text | None = None
    dryRun: bool = False


class ActivateBody(Body):
    comment: Text | None = None


class ListQuery(Query):
    limit: Count = 50
    cursor: Number | None = None


class CurrentQuery(Query):
    sequence: Number = 0
    waitSeconds: WaitSeconds = 0
    gatewayId: Name | None = None
    running: Digest | None = None


class BundleView(View):
    sequence: int
    revision: str
    createdAt: At
    createdBy: str
    comment: str | None
    keyId: str
    isCurrent: bool


class FileView(View):
    name: str
    text: str


class FullBundleView(BundleView):
    """Its files too; null where its signature is not of this control plane's key."""

    isVerified: bool
    documents: list[FileView] | None
    mappers: list[FileView] | None


class PublishedAnswer(View):
    """`bundle` null after a dry run; `isNew` false where the newest one is the same already."""

    bundle: BundleView | None
    isNew: bool


class BundlesAnswer(View):
    bundles: list[BundleView]
    nextCursor: str | None


class BundleAnswer(View):
    bundle: FullBundleView


class BundleKeyAnswer(View):
    """The public key by which gateways verify bundles."""

    keyId: str
    publicKey: str


class CurrentAnswer(View):
    """The rest null where the caller runs this one already, or there is none."""

    sequence: int
    payload: str | None
    signature: str | None
    keyId: str | None


class GatewayView(View):
    """`source` is `control` for the bundle, `files` for rules from files beside the gateway."""

    gatewayId: str
    sequence: int
    revision: str | None
    source: str
    isUpToDate: bool
    runningSince: At
    lastSeenAt: At


class ReportBody(Body):
    """`revision` is of the rules that decide there."""

    gatewayId: Name
    revision: Digest
    source: Literal["files"]


class ReportAnswer(View):
    gatewayId: str


class CurrentView(View):
    sequence: int
    revision: str


class GatewaysAnswer(View):
    gateways: list[GatewayView]
    current: CurrentView | None
    nextCursor: str | None


async def publish(call: Call) -> web.Response:
    """Publish policies and mappers as the next bundle, or try to."""
    body = await parse_body(call.http, PublishBody, PUBLISH_BYTES_MAX)
    files = BundleFiles(_texts(body.documents), _texts(body.mappers))
    published = await call.services.bundles.publish(
        call.caller, files, body.comment, is_dry_run=body.dryRun
    )
    return _published(published)


async def activate(call: Call) -> web.Response:
    """Publish an earlier bundle again."""
    body = await parse_body(call.http, ActivateBody)
    sequence = _sequence(call.http)
    return _published(await call.services.bundles.activate(call.caller, sequence, body.comment))


async def list_(call: Call) -> web.Response:
    """List bundles, the newest first."""
    query = parse_query(call.http, ListQuery)
    rows = await call.services.bundles.list(call.caller, query.cursor, query.limit)
    return answer(
        {
            "bundles": [_render(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.sequence),
        }
    )


async def show(call: Call) -> web.Response:
    """Read a bundle with its files."""
    shown = await call.services.bundles.show(call.caller, _sequence(call.http))
    content = shown.content
    return answer(
        {
            "bundle": {
                **_render(shown.row),
                "isVerified": content is not None,
                "documents": None if content is None else _render_texts(content.documents),
                "mappers": None if content is None else _render_texts(content.mappers),
            }
        }
    )


async def key(call: Call) -> web.Response:
    """Read the key by which bundles are verified."""
    found = call.services.bundles.key()
    return answer({"keyId": found.key_id, "publicKey": found.public_text})


async def current(call: Call) -> web.Response:
    """Read, or await, the bundle that gateways should run."""
    query = parse_query(call.http, CurrentQuery)
    if query.gatewayId is not None:
        await call.services.gateways.note(
            call.caller, query.gatewayId, query.sequence, query.running
        )
    found = await call.services.bundles.current(
        call.caller, query.sequence, query.waitSeconds, call.is_gone
    )
    sealed = found.sealed
    return answer(
        {
            "sequence": found.sequence,
            "payload": None if sealed is None else sealed.payload,
            "signature": None if sealed is None else sealed.signature,
            "keyId": None if sealed is None else sealed.row.key_id,
        }
    )


async def report(call: Call) -> web.Response:
    """Say which rules a gateway runs that takes no bundles."""
    body = await parse_body(call.http, ReportBody)
    await call.services.gateways.note(call.caller, body.gatewayId, 0, body.revision, body.source)
    return answer({"gatewayId": body.gatewayId})


async def gateways(call: Call) -> web.Response:
    """List gateways and what each runs."""
    query = parse_query(call.http, PageQuery)
    place = parse_text_cursor(query.cursor, 1)
    fleet = await call.services.gateways.list(
        call.caller, None if place is None else place[0], query.limit
    )
    newest, shown = fleet.newest, fleet.gateways
    return answer(
        {
            "gateways": [_render_gateway(fleet, one) for one in shown],
            "nextCursor": next_cursor(shown, query.limit, lambda one: [one.gateway_id]),
            "current": None
            if newest is None
            else {"sequence": newest.sequence, "revision": newest.revision},
        }
    )


ROUTES = (
    route(
        "POST", "/v1/bundles", publish, Permission.POLICY_WRITE, Permission.ADMIN,
        body=PublishBody, answers={200: PublishedAnswer, 201: PublishedAnswer},
        body_bytes_max=PUBLISH_BYTES_MAX,
    ),
    route(
        "GET", "/v1/bundles", list_, Permission.POLICY_READ, Permission.ADMIN,
        query=ListQuery, answers=BundlesAnswer,
    ),
    route(
        "GET", "/v1/bundles/key", key,
        Permission.GATEWAY, Permission.POLICY_READ, Permission.ADMIN,
        answers=BundleKeyAnswer,
    ),
    route(
        "GET", "/v1/bundles/current", current, Permission.GATEWAY,
        query=CurrentQuery, answers=CurrentAnswer,
    ),
    route(
        "GET", "/v1/bundles/{sequence}", show, Permission.POLICY_READ, Permission.ADMIN,
        answers=BundleAnswer,
    ),
    route(
        "POST", "/v1/bundles/{sequence}/activate", activate,
        Permission.POLICY_WRITE, Permission.ADMIN,
        body=ActivateBody, answers={200: PublishedAnswer, 201: PublishedAnswer},
    ),
    route(
        "POST", "/v1/gateways", report, Permission.GATEWAY,
        body=ReportBody, answers=ReportAnswer,
    ),
    route(
        "GET", "/v1/gateways", gateways, Permission.POLICY_READ, Permission.ADMIN,
        query=PageQuery, answers=GatewaysAnswer,
    ),
)  # fmt: skip


def _sequence(request: web.Request) -> int:
    sequence = parse_number(request, "sequence", INTEGER_MAX)
    if sequence is None:
        raise ControlFault(Fault.NOT_FOUND, "there is no bundle with this number")
    return sequence


def _texts(files: list[FileBody]) -> tuple[NamedText, ...]:
    return tuple(NamedText(one.name, one.text) for one in files)


def _published(published: Published) -> web.Response:
    row = published.row
    body: JsonValue = {
        "bundle": None if row is None else _render(row),
        "isNew": published.is_new,
    }
    return answer(body, 201 if published.is_new else 200)


def _render(row: BundleRow) -> dict[str, JsonValue]:
    return {
        "sequence": row.sequence,
        "revision": row.revision,
        "createdAt": timestamp(row.created_at),
        "createdBy": row.created_by,
        "comment": row.comment,
        "keyId": row.key_id,
        "isCurrent": row.is_current,
    }


def _render_texts(texts: tuple[NamedText, ...]) -> JsonValue:
    return [{"name": one.name, "text": one.text} for one in texts]


def _render_gateway(fleet: Fleet, gateway: GatewayRow) -> dict[str, JsonValue]:
    return {
        "gatewayId": gateway.gateway_id,
        "sequence": gateway.sequence,
        "revision": gateway.revision,
        "source": gateway.source,
        "isUpToDate": fleet.is_up_to_date(gateway),
        "runningSince": timestamp(gateway.running_since),
        "lastSeenAt": timestamp(gateway.last_seen_at),
    }
