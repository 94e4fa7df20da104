"""A control plane that a test scripts: it answers what it is told, and can misbehave.

Not for what the real one decides (the contract suite speaks with the real one), but for what no
real one does on demand: lost replies, garbage, redirects, silence, a lying log.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "cr_gateway_0123456789"


@dataclass
class Call:
    """What was asked, as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    key: str


Scripted = web.Response | int | str
"""An answer; a status with an envelope; or `hang`, `cut`, `garbage`, `html`, `long`, `redirect`."""


@dataclass
class FakeControlPlane:
    """`script` answers the next calls, one each; after it, `stored` records and `agents` do."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    script: list[Scripted] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
    agents: list[dict[str, Any]] = field(default_factory=list)
    revision: str = "r1"
    stops: list[dict[str, Any]] = field(default_factory=list)
    stops_revision: int = 1
    bundle: tuple[int, dict[str, str]] | None = None
    bundle_key: str = ""
    is_closing: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        call = Call(
            request.method,
            request.path,
            dict(request.query),
            json.loads(data) if data else None,
            request.headers.get("x-api-key", ""),
        )
        self.calls.append(call)
        self.arrived.set()
        if self.script:
            return await self._scripted(request, self.script.pop(0))
        if call.path in self.answers:
            return web.json_response(self.answers[call.path])
        if call.path == "/v1/records":
            return self._store(call.body)
        if call.path == "/v1/agents/directory":
            return web.json_response({"agents": self.agents, "revision": self.revision})
        if call.path == "/v1/stops":
            await self._until(lambda: call.query.get("revision") != str(self.stops_revision), call)
            return web.json_response({"stops": self.stops, "revision": str(self.stops_revision)})
        if call.path == "/v1/bundles/key":
            return web.json_response({"keyId": "k", "publicKey": self.bundle_key})
        if call.path == "/v1/bundles/current":
            return await self._bundle(call)
        return envelope(404, "NOT_FOUND")

    async def _bundle(self, call: Call) -> web.Response:
        known = int(call.query.get("sequence", "0"))
        await self._until(lambda: self.bundle is not None and self.bundle[0] != known, call)
        if self.bundle is None:
            return envelope(404, "BUNDLE_NONE")
        sequence, sealed = self.bundle
        if sequence == known:
            sealed = dict.fromkeys(("payload", "signature", "keyId"))
        return web.json_response({"sequence": sequence, **sealed})

    def set_bundle(self, sequence: int, sealed: dict[str, str]) -> None:
        """This is the current bundle; whoever waits for another is told."""
        self.bundle = sequence, sealed
        self._tell()

    def set_stops(self, *stops: dict[str, Any]) -> None:
        """These are in force from now on; whoever waits for a change is told."""
        self.stops = list(stops)
        self.stops_revision += 1
        self._tell()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def _until(self, is_news: Callable[[], bool], call: Call) -> None:
        """As a long poll does: answer when there is news, or when the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(float(call.query.get("waitSeconds", "0"))):
                while not (is_news() or self.is_closing):
                    await self.changed.wait()

    async def _scripted(self, request: web.Request, what: Scripted) -> web.StreamResponse:
        match what:
            case web.Response():
                return what
            case int():
                return envelope(what, "SCRIPTED")
            case "hang":
                await asyncio.sleep(3_600)
            case "cut":
                assert request.transport is not None
                request.transport.abort()
            case "garbage":
                return web.Response(body=b'{"half')
            case "html":
                return web.Response(body=b"<html>", content_type="text/html")
            case "list":
                return web.json_response([])
            case "long":
                return web.Response(body=b" " * 200_000)
            case "redirect":
                return web.Response(status=307, headers={"location": f"{self.url}/elsewhere"})
        return web.Response(status=500)

    def _store(self, body: Any) -> web.Response:
        """As the real one: gapless, idempotent, conflicting bytes refused."""
        for text in body["records"]:
            line = text.encode()
            fields = json.loads(line)
            seq, stored = fields["seq"], len(self.lines)
            if seq <= stored:
                if self.lines[seq - 1] != line:
                    return envelope(409, "RECORD_CONFLICT")
                continue
            if seq != stored + 1:
                return envelope(409, "RECORD_GAP", expectedSeq=stored + 1)
            head = hashlib.sha256(self.lines[-1]).hexdigest() if self.lines else "0" * 64
            if fields["prev"] != head:
                return envelope(409, "RECORD_CONFLICT")
            self.lines.append(line)
        return web.json_response({"acceptedThrough": len(self.lines)})


def envelope(status: int, code: str, **more: Any) -> web.Response:
    body = {"error": {"code": code, "message": "m", "reason_code": "r", "request_id": "q", **more}}
    return web.json_response(body, status=status)


@asynccontextmanager
async def fake_control_plane() -> AsyncIterator[FakeControlPlane]:
    """One on a free loopback port."""
    fake = FakeControlPlane()
    application = web.Application(client_max_size=2**24)
    application.router.add_route("*", "/{tail:.*}", fake.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        fake.url = f"http://{host}:{port}"
        yield fake
    finally:
        fake.is_closing = True
        fake._tell()
        await runner.cleanup()
