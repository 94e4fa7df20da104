"""`/v1/records`: gateways ship their lines, auditors read them."""

from __future__ import annotations

import re
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from controlplane.api.contract import At, Body, Query, View
from controlplane.api.pages import NumberCursor
from controlplane.api.parsing import (
    Short,
    WaitSeconds,
    parse_body,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.store.records import RecordFilter, RecordRow
from gateway.model.codec import JsonValue
from gateway.model.effect import Effect
from gateway.model.record import EntryKind

RECORD_COUNT_MAX = 1000
BATCH_BYTES_MAX = 16 * 1024 * 1024
"""A thousand records of a few kilobytes, JSON in JSON. Shippers send fewer when they are long."""

LIST_COUNT_MAX = 1000


GATEWAY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

GatewayId = Annotated[str, StringConstraints(pattern=f"^{GATEWAY_ID.pattern}$")]
"""It stands in leaves of the log and in the names of keys."""

NOTE_LENGTH_MAX = 16 * 1024

SignedNote = Annotated[str, StringConstraints(min_length=1, max_length=NOTE_LENGTH_MAX)]


class ShipBody(Body):
    """`head`: the last record's number and hash as a checkpoint that the gateway's key signed; one
    whose key is enrolled has to send it."""

    gatewayId: GatewayId
    records: Annotated[list[str], Field(max_length=RECORD_COUNT_MAX)]
    head: SignedNote | None = None


class ReadQuery(Query):
    """Oldest first after `after`, which `cursor` is another word for; or the `last` ones."""

    cursor: NumberCursor | None = None
    after: NumberCursor = 0
    last: Annotated[int, Field(ge=1, le=LIST_COUNT_MAX)] | None = None
    limit: Annotated[int, Field(ge=1, le=LIST_COUNT_MAX)] = 100
    agent: Short | None = None
    effect: Effect | None = None
    kind: EntryKind | None = None
    gatewayId: Short | None = None
    waitSeconds: WaitSeconds = 0


class AcceptedAnswer(View):
    """Up to which number of the gateway's own there is nothing left to send."""

    acceptedThrough: int


class RecordShown(View):
    """`line` is what the gateway wrote, byte for byte; `hash` is over it."""

    recordId: int
    gatewayId: str
    seq: int
    hash: str
    line: str
    receivedAt: At


class RecordsAnswer(View):
    """`nextCursor` is always there: a reader that follows the log asks on from it."""

    records: list[RecordShown]
    nextCursor: str


async def ship(call: Call) -> web.Response:
    """Append a gateway's records; those that are there already are not appended again."""
    body = await parse_body(call.http, ShipBody, BATCH_BYTES_MAX)
    accepted = await call.services.records.ingest(
        call.caller, body.gatewayId, body.records, body.head
    )
    return answer({"acceptedThrough": accepted.through})


async def read(call: Call) -> web.Response:
    """Read records, or await them, in the order in which they came."""
    query = parse_query(call.http, ReadQuery)
    after = query.after if query.cursor is None else query.cursor
    wanted = RecordFilter(query.agent, query.effect, query.kind, query.gatewayId)
    if query.last is not None:
        rows = await call.services.records.newest(call.caller, wanted, query.last)
    else:
        rows = await call.services.records.read(
            call.caller, after, wanted, query.limit, query.waitSeconds, call.is_gone
        )
    cursor = str(rows[-1].record_id if rows else after)
    return answer({"records": [_render(row) for row in rows], "nextCursor": cursor})


ROUTES = (
    route(
        "POST", "/v1/records", ship, Permission.GATEWAY,
        body=ShipBody, answers=AcceptedAnswer, body_bytes_max=BATCH_BYTES_MAX,
    ),
    route(
        "GET", "/v1/records", read, Permission.RECORD_READ, Permission.ADMIN,
        query=ReadQuery, answers=RecordsAnswer,
    ),
)  # fmt: skip


def _render(row: RecordRow) -> dict[str, JsonValue]:
    return {
        "recordId": row.record_id,
        "gatewayId": row.gateway_id,
        "seq": row.seq,
        "hash": row.hash,
        "line": row.line,
        "receivedAt": timestamp(row.received_at),
    }
