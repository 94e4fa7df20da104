"""`/v1/exports`: decisions and records as files, streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from controlplane.api.contract import Query
from controlplane.api.decisions import FilterQuery, wanted_by
from controlplane.api.parsing import Short, parse_query
from controlplane.api.routing import Call, route
from controlplane.auth import Permission, read_key
from controlplane.faults import ControlFault
from controlplane.services.decisions.exports import CONTENT_TYPES, ExportFormat, StillMay
from controlplane.store.records import RecordFilter
from gateway.model.effect import Effect
from gateway.model.record import EntryKind


class DecisionsQuery(FilterQuery):
    """The filters of `/v1/decisions`."""

    format: ExportFormat = ExportFormat.JSONL


class RecordsQuery(Query):
    agent: Short | None = None
    effect: Effect | None = None
    kind: EntryKind | None = None
    gatewayId: Short | None = None


async def decisions(call: Call) -> web.Response:
    """Export decisions, the newest first, as JSON lines or CSV.

    A file that was cut off in its midst, such as by the end of the key, ends without the last chunk
    of its transfer: clients report that as an error.
    """
    query = parse_query(call.http, DecisionsQuery)
    lines = call.services.exports.decisions(
        call.caller, wanted_by(query), query.format, still_may_export(call)
    )
    return streamed(lines, f"decisions.{query.format}", CONTENT_TYPES[query.format])


async def records(call: Call) -> web.Response:
    """Export record lines exactly as their gateways sealed them, the oldest first."""
    query = parse_query(call.http, RecordsQuery)
    wanted = RecordFilter(query.agent, query.effect, query.kind, query.gatewayId)
    lines = call.services.exports.records(call.caller, wanted, still_may_export(call))
    return streamed(lines, "records.jsonl", CONTENT_TYPES[ExportFormat.JSONL])


def streamed(lines: AsyncIterator[bytes], name: str, content_type: str) -> web.Response:
    """An answer of unknown length, to be kept as a file."""
    return web.Response(
        body=lines,
        content_type=content_type,
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def still_may_export(call: Call) -> StillMay:
    """Whether the key of the call holds still: asked again and again while a file is made."""
    key = read_key(call.http.headers)

    async def still_may() -> bool:
        try:
            await call.services.keys.authenticate(key)
        except ControlFault:
            return False
        return True

    return still_may


ROUTES = (
    route(
        "GET", "/v1/exports/decisions", decisions, Permission.RECORD_READ, Permission.ADMIN,
        query=DecisionsQuery, files=tuple(CONTENT_TYPES.values()),
    ),
    route(
        "GET", "/v1/exports/records", records, Permission.RECORD_READ, Permission.ADMIN,
        query=RecordsQuery, files=(CONTENT_TYPES[ExportFormat.JSONL],),
    ),
)  # fmt: skip
