"""The gateway's own listener: health, readiness and metrics. No agent can reach it through the
proxy.

Liveness says that the event loop turns, and depends on nothing else: a control plane that is
gone must not restart gateways that still decide. Readiness says that requests can be decided and
recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway import telemetry
from gateway.model.errors import ConfigurationError, Problem

ReadyCheck = Callable[[], str | None]
"""Returns None when all is well, else a sentence that says what is not."""

_ALSO_SECONDS_MAX = 2.0
"""How long another process's metrics may take; ours are given in any case."""


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """Where it listens. `metrics_also` is the URL of metrics that are appended to ours, so that
    `checkrein up` has one address for all."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9090
    metrics_also: str = ""


class AdminListener:
    """Serves `/healthz`, `/readyz` and `/metrics`. `notes` are told with readiness and don't take
    it away: what somebody should see about a gateway that does its work."""

    def __init__(
        self,
        settings: AdminSettings,
        checks: Mapping[str, ReadyCheck],
        notes: Mapping[str, ReadyCheck] | None = None,
    ) -> None:
        self._settings = settings
        self._checks = checks
        self._notes = notes or {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen; `port` is the real one afterwards.

        Raises:
            ConfigurationError: the port is taken.
        """
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        host, port = self._settings.metrics_host, self._settings.metrics_port
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                "listen.failed",
                [
                    Problem(
                        "settings",
                        0,
                        0,
                        f"the metrics port `{host}:{port}` can't be used: {error.strerror}",
                        "set CHECKREIN_METRICS_PORT to a free one, or to 0 for any",
                    )
                ],
            ) from error
        self.port = int(self._runner.addresses[0][1])

    @property
    def address(self) -> tuple[str, int]:
        return self._settings.metrics_host, self.port

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        failing, notes = _said(self._checks), _said(self._notes)
        status = "unready" if failing else "ready"
        body = {"status": status, "failing": failing, "notes": notes}
        return web.json_response(body, status=503 if failing else 200)

    async def _metrics(self, _request: web.Request) -> web.Response:
        text = generate_latest(telemetry.REGISTRY)
        if self._settings.metrics_also:
            text += await _fetch_metrics(self._settings.metrics_also)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _said(checks: Mapping[str, ReadyCheck]) -> dict[str, str]:
    return {name: text for name, check in checks.items() if (text := check())}


async def _fetch_metrics(url: str) -> bytes:
    """Another process's metrics, or nothing: its absence must not hide ours."""
    try:
        async with (
            ClientSession(timeout=ClientTimeout(_ALSO_SECONDS_MAX), trust_env=False) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            return await response.read() if response.status == web.HTTPOk.status_code else b""
    except (ClientError, TimeoutError, OSError, asyncio.IncompleteReadError):
        return b""
