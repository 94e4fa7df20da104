"""Asks a proxy whether it lets these credentials in, and says in words what came of it.

Sends one CONNECT for a name that exists nowhere and closes; nothing is tunnelled.
"""

from __future__ import annotations

import base64
import socket
from urllib.parse import unquote, urlsplit

from gateway.model.dataclass import dataclass

PROBE_HOST = "doctor.checkrein.test"
"""Below `.test`, which no resolver answers (RFC 6761)."""

PROBE_SECONDS = 3.0
_HEAD_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Probe:
    """`status` is the proxy's HTTP status, None when it was not reached; `fault` says why."""

    status: int | None
    fault: str = ""

    @property
    def is_let_in(self) -> bool:
        return self.status == 200


def probe_proxy(proxy_url: str) -> Probe:
    """Knock at the proxy with the credentials in its URL."""
    parts = urlsplit(proxy_url)
    credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    token = base64.b64encode(credentials.encode()).decode()
    request = (
        f"CONNECT {PROBE_HOST}:443 HTTP/1.1\r\nHost: {PROBE_HOST}:443\r\n"
        f"Proxy-Authorization: Basic {token}\r\n\r\n"
    )
    try:
        address = (parts.hostname or "", parts.port or 0)
        with socket.create_connection(address, timeout=PROBE_SECONDS) as connection:
            connection.sendall(request.encode())
            return _read_status(connection)
    except TimeoutError:
        return Probe(None, "the proxy did not answer in time")
    except OSError as error:
        return Probe(None, f"the proxy can't be reached: {(error.strerror or str(error)).lower()}")


def _read_status(connection: socket.socket) -> Probe:
    head = b""
    while b"\r\n" not in head and len(head) < _HEAD_BYTES_MAX:
        data = connection.recv(4096)
        if not data:
            break
        head += data
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return Probe(None, "what listens there is no HTTP proxy")
    return Probe(int(words[1]))
