"""`/v1/records`: gateways ship their lines, auditors read them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from controlplane.api.parsing import Body, Name, Query, Short, parse_body, parse_query, timestamp
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


class ShipBody(Body):
    gatewayId: Name
    records: Annotated[list[str], Field(max_length=RECORD_COUNT_MAX)]


class ReadQuery(Query):
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    last: Annotated[int, Field(ge=1, le=LIST_COUNT_MAX)] | None = None
    limit: Annotated[int, Field(ge=1, le=LIST_COUNT_MAX)] = 100
    agent: Short | None = None
    effect: Effect | None = None
    kind: EntryKind | None = None
    gatewayId: Short | None = None
    waitSeconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0


async def ship(call: Call) -> web.Response:
    body = await parse_body(call.http, ShipBody, BATCH_BYTES_MAX)
    accepted = await call.services.records.ingest(call.caller, body.gatewayId, body.records)
    return answer({"acceptedThrough": accepted.through})


async def read(call: Call) -> web.Response:
    query = parse_query(call.http, ReadQuery)
    wanted = RecordFilter(query.agent, query.effect, query.kind, query.gatewayId)
    if query.last is not None:
        rows = await call.services.records.newest(call.caller, wanted, query.last)
    else:
        rows = await call.services.records.read(
            call.caller, query.after, wanted, query.limit, query.waitSeconds, call.is_gone
        )
    # Always one: a reader that follows the log asks on from here.
    cursor = str(rows[-1].record_id if rows else query.after)
    return answer({"records": [_render(row) for row in rows], "nextCursor": cursor})


ROUTES = (
    route("POST", "/v1/records", ship, Permission.GATEWAY),
    route("GET", "/v1/records", read, Permission.RECORD_READ, Permission.ADMIN),
)


def _render(row: RecordRow) -> dict[str, JsonValue]:
    return {
        "recordId": row.record_id,
        "gatewayId": row.gateway_id,
        "seq": row.seq,
        "hash": row.hash,
        "line": row.line,
        "receivedAt": timestamp(row.received_at),
    }
