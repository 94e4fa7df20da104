"""The style sheet, scripts and icon, read once at start. They hold nothing of any tenant."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from controlplane.dashboard.gate import Handler
from controlplane.dashboard.rendering import STATIC
from controlplane.faults import ControlFault, Fault

TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

KEPT: Final = "public, max-age=31536000, immutable"
"""Their address changes with their content."""


def routes() -> list[tuple[str, str, Handler]]:
    """`GET /dashboard/static/{name}`."""
    found = {file.name: (file.read_bytes(), TYPES[file.suffix]) for file in STATIC.iterdir()}

    async def serve(request: web.Request) -> web.Response:
        try:
            body, kind = found[request.match_info["name"]]
        except KeyError:
            raise ControlFault(Fault.NOT_FOUND, "there is no such file") from None
        return web.Response(
            body=body, content_type=kind, charset="utf-8", headers={"Cache-Control": KEPT}
        )

    return [("GET", "/static/{name}", serve)]
