"""Health, readiness and metrics of all workers under one address.

Served by threads of the standard library: the supervisor does nothing else, and needs no event
loop for three pages.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from gateway.metrics import CONTENT_TYPE
from gateway.model.errors import ConfigurationError, Problem
from gateway.workers.merging import merge

ASK_SECONDS_MAX: Final = 2.0
"""How long a worker may take to tell of itself; one that doesn't is not ready."""

ANSWER_BYTES_MAX: Final = 4 * 2**20

Workers = Callable[[], Mapping[int, str | None]]
"""The admin address of each worker, by number; None while it is not there."""

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Front:
    """`start`, then `address`; `stop`. `also` is the URL of metrics that are appended."""

    def __init__(self, host: str, port: int, workers: Workers, also: str = "") -> None:
        handler = _make_handler(workers, also)
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            message = f"can't listen on `{host}:{port}`: {error.strerror}"
            help_text = "set it to a free port, or to 0 for any"
            problem = Problem("CHECKREIN_METRICS_PORT", 0, 0, message, help_text)
            raise ConfigurationError("listen.failed", [problem]) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="front", daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


def _make_handler(workers: Workers, also: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One question."""

        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._answer(200, "application/json", '{"status": "ok"}')
            elif self.path == "/readyz":
                status, said = readiness(workers())
                self._answer(status, "application/json", json.dumps(said))
            elif self.path == "/metrics":
                self._answer(200, CONTENT_TYPE, metrics(workers(), also))
            else:
                self._answer(404, "text/plain", "")

        def log_message(self, *_: Any) -> None:
            """Nothing: who asks for metrics every few seconds is no news."""

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def readiness(workers: Mapping[int, str | None]) -> tuple[int, dict[str, object]]:
    """Ready when all workers are; what each of them lacks otherwise."""
    failing: dict[str, str] = {}
    notes: dict[str, str] = {}
    for number, answer in _ask_all(workers, "/readyz").items():
        try:
            said = json.loads(answer) if answer is not None else {"failing": {"": "not running"}}
            for kind, into in (("failing", failing), ("notes", notes)):
                for name, text in said.get(kind, {}).items():
                    into[f"worker {number} {name}".strip()] = str(text)
        except (ValueError, AttributeError):
            failing[f"worker {number}"] = "its answer can't be read"
    status = "unready" if failing else "ready"
    return (503 if failing else 200), {"status": status, "failing": failing, "notes": notes}


def metrics(workers: Mapping[int, str | None], also: str) -> str:
    """What all workers counted."""
    texts = {number: text or "" for number, text in _ask_all(workers, "/metrics").items()}
    return merge(texts) + ((_ask(also) or "") if also else "")


def _ask_all(workers: Mapping[int, str | None], path: str) -> dict[int, str | None]:
    def ask(url: str | None) -> str | None:
        return None if url is None else _ask(url + path)

    with ThreadPoolExecutor(max(1, len(workers))) as asking:
        return dict(zip(workers, asking.map(ask, workers.values()), strict=True))


def _ask(url: str) -> str | None:
    try:
        with _OPENER.open(url, timeout=ASK_SECONDS_MAX) as response:
            return str(response.read(ANSWER_BYTES_MAX).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return error.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
