"""An agent that sends any bytes it likes: CONNECT, TLS and HTTP by hand, over one socket.

Reads answers with as little understanding as is needed to tell their statuses; it never repairs
what it is told to send.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

QUIET_SECONDS = 0.6
"""An answer is complete when the gateway has said nothing for this long and did not close."""

AFTER_ANSWER_SECONDS = 0.15
"""The same once a complete answer is there: what still comes, comes at once."""

CONNECT_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """Every status that came back, the bytes of it all, and whether the connection was closed."""

    statuses: tuple[int, ...]
    data: bytes
    is_closed: bool

    @property
    def status(self) -> int | None:
        """The first status; None when nothing came back."""
        return self.statuses[0] if self.statuses else None


@dataclass(frozen=True, slots=True)
class RawClient:
    """Where the gateway is, who we are to it, and the CA that its leaves come from."""

    port: int
    key: str
    ca_file: Path
    agent: str = "agent"

    @property
    def credentials(self) -> bytes:
        """The header line that names us."""
        pair = base64.b64encode(f"{self.agent}:{self.key}".encode())
        return b"Proxy-Authorization: Basic " + pair + b"\r\n"

    def plain(self, payload: bytes) -> Reply:
        """Send bytes to the proxy port itself and read what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), CONNECT_SECONDS_MAX) as sock:
            return _exchange(sock, payload)

    def connect(self, authority: bytes, headers: bytes = b"") -> Reply:
        """Ask for a tunnel to an authority in any spelling."""
        line = b"CONNECT " + authority + b" HTTP/1.1\r\nHost: " + authority + b"\r\n"
        return self.plain(line + self.credentials + headers + b"\r\n")

    def open_tunnel(self, authority: bytes) -> socket.socket:
        """A tunnel that was granted; the caller closes it."""
        with contextlib.ExitStack() as opened:
            sock = opened.enter_context(
                socket.create_connection(("127.0.0.1", self.port), CONNECT_SECONDS_MAX)
            )
            line = b"CONNECT " + authority + b" HTTP/1.1\r\nHost: " + authority + b"\r\n"
            sock.sendall(line + self.credentials + b"\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                piece = sock.recv(4096)
                if not piece:
                    break
                head += piece
            assert re.match(rb"HTTP/1\.[01] 200 ", head), f"no tunnel: {head!r}"
            opened.pop_all()
        return sock

    def open_tls(
        self, host: str, sni: str | None = None, *, is_verified: bool = True
    ) -> ssl.SSLSocket:
        """A tunnel with TLS inside; `sni` may differ from the CONNECT host ("" sends none)."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if not is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        name = host if sni is None else sni
        with contextlib.ExitStack() as opened:
            sock = opened.enter_context(self.open_tunnel(f"{host}:443".encode()))
            secured = context.wrap_socket(sock, server_hostname=name or None)
            opened.pop_all()
        return secured

    def inside(
        self,
        host: str,
        payload: bytes,
        *,
        quiet_seconds: float = QUIET_SECONDS,
        after_seconds: float = AFTER_ANSWER_SECONDS,
    ) -> Reply:
        """Send bytes inside TLS to a host and read what comes back."""
        with self.open_tls(host) as sock:
            return _exchange(sock, payload, quiet_seconds, after_seconds)


def request(
    method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """A well-formed request for the cases in which something else is wrong."""
    lines = [f"{method} {target} HTTP/1.1", "Host: warehouse.example.test"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _exchange(
    sock: socket.socket,
    payload: bytes,
    quiet_seconds: float = QUIET_SECONDS,
    after_seconds: float = AFTER_ANSWER_SECONDS,
) -> Reply:
    """Send all, then read until the peer closes or falls silent."""
    data = b""
    is_closed = False
    try:
        sock.sendall(payload)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        is_closed = True  # refused before it was all sent; the answer may still be there
    sock.settimeout(quiet_seconds)
    while True:
        try:
            piece = sock.recv(65_536)
        except TimeoutError:
            break
        except (ConnectionResetError, ssl.SSLError):
            piece = b""
        if not piece:
            is_closed = True
            break
        data += piece
        if _is_complete(data):
            sock.settimeout(after_seconds)
    statuses = tuple(int(found) for found in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", data))
    return Reply(statuses, data, is_closed)


def _is_complete(data: bytes) -> bool:
    """Whether the last head in the data has all of the body that it declares."""
    start = data.rfind(b"HTTP/1.1 ")
    head, separator, body = data[start:].partition(b"\r\n\r\n")
    length = re.search(rb"\ncontent-length: *([0-9]+)", head, re.IGNORECASE)
    return bool(separator and length) and len(body) >= int(length[1] if length else 0)
