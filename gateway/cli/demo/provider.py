"""The demo's stand-in for api.stripe.com: real TLS on loopback, and a count of what reaches it.

Answers the few calls of the demo as Stripe does, and appends one JSON line per request to a file
before it answers. Nothing of it is used outside the demo.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

from gateway.intercept.certificates import CertificateAuthority

HOST = "api.stripe.com"
REQUESTS_FILE = "requests.jsonl"
BODY_BYTES_MAX = 64 * 1024

_ANSWERS: dict[tuple[str, str], dict[str, object]] = {
    ("GET", "/v1/balance"): {
        "object": "balance",
        "available": [{"amount": 1_234_500, "currency": "usd"}],
        "pending": [],
        "livemode": False,
    },
    ("POST", "/v1/charges"): {
        "object": "charge",
        "status": "succeeded",
        "paid": True,
        "amount_refunded": 0,
        "customer": "cus_9",
        "disputed": False,
    },
    ("POST", "/v1/payouts"): {"object": "payout", "status": "paid"},
    ("POST", "/v1/refunds"): {"object": "refund", "status": "succeeded"},
}
_PREFIXES = {"charge": "ch", "payout": "po", "refund": "re"}
_CHARGES = "/v1/charges/"


class StandIn(ThreadingHTTPServer):
    """Listens on a free port of loopback, and writes down every request."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ca_file = directory / "provider-ca" / "ca.pem"
        authority = CertificateAuthority.load_or_make(self.ca_file.parent)
        # The handshake is done by the connection's own thread, at its first read.
        self.socket = authority.context_for(HOST).wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self._file = directory / REQUESTS_FILE
        self.charges: dict[str, dict[str, object]] = {}
        self._lock = threading.Lock()

    def note(self, method: str, path: str) -> None:
        """Count a request, before it is answered."""
        line = json.dumps({"method": method, "path": path})
        with self._lock, self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_GET

    def _answer(self) -> None:
        server = self.server
        assert isinstance(server, StandIn)
        length = min(int(self.headers.get("content-length") or 0), BODY_BYTES_MAX)
        form = dict(parse_qsl(self.rfile.read(length).decode("utf-8", "replace")))
        path = self.path.partition("?")[0]
        charge = server.charges.get(path.removeprefix(_CHARGES)) if self.command == "GET" else None
        server.note(self.command, f"{_CHARGES}ID" if charge else path)
        if charge:
            self._send(200, charge)
            return
        known = _ANSWERS.get((self.command, path))
        if known is None:
            self._send(404, {"error": {"type": "invalid_request_error", "message": "no such URL"}})
            return
        value: dict[str, object] = {**form, **known}
        if prefix := _PREFIXES.get(str(known["object"])):
            value["id"] = f"{prefix}_{secrets.token_hex(6)}"
        if "amount" in form:
            value["amount"] = int(form["amount"])
        if value["object"] == "charge":
            server.charges[str(value["id"])] = value
        self._send(200, value)

    def _send(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("request-id", f"req_{secrets.token_hex(6)}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the file has it."""


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description="stand-in provider of the demo")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    arguments = parser.parse_args()
    server = StandIn(arguments.directory)
    ready = {"port": server.server_port, "ca_file": str(server.ca_file)}
    with os.fdopen(arguments.ready_fd, "w") as stream:
        stream.write(json.dumps(ready) + "\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
