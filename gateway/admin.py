"""The gateway's own listener: health, readiness and metrics. No agent can reach it through the
proxy.

Liveness says that the event loop turns, and depends on nothing else: a control plane that is
gone must not restart gateways that still decide. Readiness says that requests can be decided and
recorded. Three pages need no web framework: a head of bounded size within a bounded time is
answered, and the connection ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from gateway import telemetry
from gateway.http_client import HttpClient, HttpFault
from gateway.metrics import CONTENT_TYPE
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

ReadyCheck = Callable[[], str | None]
"""Returns None when all is well, else a sentence that says what is not."""

_ALSO_SECONDS_MAX: Final = 2.0
"""How long another process's metrics may take; ours are given in any case."""
_ALSO_BYTES_MAX: Final = 4 * 2**20

_HEAD_BYTES_MAX: Final = 8 * 1024
_SECONDS_MAX: Final = 10.0
"""One question with its answer. A probe takes milliseconds."""
CONNECTIONS_MAX: Final = 64
"""At once. A probe and two scrapers need three."""

_JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """Where it listens. `metrics_also` is the URL of metrics that are appended to ours, so that
    `checkrein up` has one address for all."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9090
    metrics_also: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    kind: str
    body: bytes


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
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen; `port` is the real one afterwards.

        Raises:
            ConfigurationError: the port is taken.
        """
        host, port = self._settings.metrics_host, self._settings.metrics_port
        try:
            self._server = await asyncio.start_server(self._take, host, port, limit=_HEAD_BYTES_MAX)
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
        self.port = int(self._server.sockets[0].getsockname()[1])

    @property
    def address(self) -> tuple[str, int]:
        return self._settings.metrics_host, self.port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await end_tasks(list(self._answering))

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._answering) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._converse(reader, writer), name="admin")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question. Who is slow, or no HTTP client, is hung up on."""
        try:
            with suppress(OSError, TimeoutError, EOFError):
                async with asyncio.timeout(_SECONDS_MAX):
                    try:
                        head = await reader.readuntil(b"\r\n\r\n")
                    except asyncio.LimitOverrunError:
                        head = b""
                    writer.write(await self._reply(head))
                    await writer.drain()
        finally:
            writer.close()

    async def _reply(self, head: bytes) -> bytes:
        words = head.partition(b"\r\n")[0].split(b" ")
        method, target = (words[0], words[1]) if len(words) == 3 else (b"", b"")
        if not target.startswith(b"/") or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            answer = _plain(HTTPStatus.BAD_REQUEST)
        elif method not in (b"GET", b"HEAD"):
            answer = _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        else:
            try:
                answer = await self._page(target.partition(b"?")[0])
            except Exception:  # a check that fails must not look like a gateway that is gone
                telemetry.BUGS.inc()
                log.exception("a page of the gateway's own failed")
                answer = _plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        lines = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
            f"Content-Type: {answer.kind}",
            f"Content-Length: {len(answer.body)}",
            "Connection: close",
        )
        told = b"" if method == b"HEAD" else answer.body
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii") + told

    async def _page(self, path: bytes) -> _Answer:
        match path:
            case b"/healthz":
                return _json(HTTPStatus.OK, {"status": "ok"})
            case b"/readyz":
                failing, notes = _said(self._checks), _said(self._notes)
                status = "unready" if failing else "ready"
                return _json(
                    HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK,
                    {"status": status, "failing": failing, "notes": notes},
                )
            case b"/metrics":
                text = telemetry.REGISTRY.text().encode()
                if self._settings.metrics_also:
                    text += await _fetch_metrics(self._settings.metrics_also)
                return _Answer(HTTPStatus.OK, CONTENT_TYPE, text)
        return _plain(HTTPStatus.NOT_FOUND)


def _json(status: HTTPStatus, said: Mapping[str, object]) -> _Answer:
    return _Answer(status, _JSON, json.dumps(said).encode())


def _plain(status: HTTPStatus) -> _Answer:
    return _Answer(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())


def _said(checks: Mapping[str, ReadyCheck]) -> dict[str, str]:
    return {name: text for name, check in checks.items() if (text := check())}


async def _fetch_metrics(url: str) -> bytes:
    """Another process's metrics, or nothing: its absence must not hide ours."""
    client = HttpClient(url, {}, connections_max=1)
    try:
        status, body = await client.ask(
            "GET", "", seconds_max=_ALSO_SECONDS_MAX, bytes_max=_ALSO_BYTES_MAX
        )
    except (HttpFault, OSError, TimeoutError):
        return b""
    finally:
        client.close()
    return body if status == HTTPStatus.OK else b""
