"""The log that proves itself, beside the audit: its newest checkpoint and its export, as files."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from controlplane.dashboard.visit import Visit
from controlplane.store.log_anchors import AnchorRow, Place

PLACE_WORDS = {Place.FILE: "a file", Place.S3: "locked storage", Place.WEBHOOK: "webhooks"}


async def checkpoint(visit: Visit) -> web.Response:
    """`GET /dashboard/audit/log/checkpoint`: the newest signed note."""
    newest = await visit.services.logs.freshest(visit.caller)
    name = f"{newest.size}.checkpoint"
    return _file(newest.note.encode(), name, "text/plain")


async def export(visit: Visit) -> web.Response:
    """`GET /dashboard/audit/log/export`: the whole log, with what proves it."""

    async def still_may() -> bool:
        return await visit.services.sessions.still_holds(visit.session)

    lines = await visit.services.log_exports.export(visit.caller, 0, None, still_may)
    response = _file(b"", "log.jsonl", "application/x-ndjson")
    response.body = lines
    return response


def newest_of_places(anchors: Sequence[AnchorRow]) -> Sequence[tuple[str, AnchorRow]]:
    """Of each place the newest anchor, with a word for the place."""
    found: dict[Place, AnchorRow] = {}
    for anchor in anchors:
        found.setdefault(anchor.place, anchor)
    return [(PLACE_WORDS[place], anchor) for place, anchor in found.items()]


def _file(body: bytes, name: str, content_type: str) -> web.Response:
    return web.Response(
        body=body,
        content_type=content_type,
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
