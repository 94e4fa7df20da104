"""A proxy that answers for one made-up domain, to learn what a client really does.

It asks for credentials as the gateway does, opens TLS with a certificate of the given CA, and notes
for each host name how far its client came. It connects to nothing: no byte leaves the machine.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from enum import IntEnum
from typing import TYPE_CHECKING

from gateway.cli.probe import PROBE_HOST

if TYPE_CHECKING:
    from gateway.intercept.certificates import CertificateAuthority

CONNECTION_SECONDS_MAX = 10.0
HEAD_BYTES_MAX = 32 * 1024
USER, KEY = "doctor", "examination"

_CHALLENGE = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b'Proxy-Authenticate: Basic realm="checkrein"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
)
_ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Progress(IntEnum):
    """How far a client came; a later stage includes the earlier ones."""

    NEVER_CAME = 0
    WITHOUT_CREDENTIALS = 1
    WITHOUT_TRUST = 2
    GOVERNED = 3


class DoctorProxy:
    """Listens while the block runs. `progress` and `fault_of` may be asked at any time."""

    def __init__(self, authority: CertificateAuthority) -> None:
        self._authority = authority
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._progress: dict[str, Progress] = {}
        self._faults: dict[str, str] = {}
        self._lock = threading.Lock()
        token = base64.b64encode(f"{USER}:{KEY}".encode())
        self._credentials = b"basic " + token

    @property
    def url(self) -> str:
        """The proxy URL, with credentials, as a program is given it."""
        return f"http://{USER}:{KEY}@127.0.0.1:{self._listener.getsockname()[1]}"

    def progress(self, host: str) -> Progress:
        """How far the client that asked for this host came."""
        return self._progress.get(host, Progress.NEVER_CAME)

    def fault_of(self, host: str) -> str:
        """What TLS said when it failed."""
        return self._faults.get(host, "")

    def __enter__(self) -> DoctorProxy:
        threading.Thread(target=self._accept, name="doctor-proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # A closed descriptor doesn't wake a thread in accept; a shut down socket does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(CONNECTION_SECONDS_MAX)
            threading.Thread(
                target=self._serve, args=(connection,), name="doctor-client", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            head = _read_head(connection)
            line, *fields = head.split(b"\r\n")
            method, target, _ = line.split(b" ", 2)
            host = target.decode("ascii").rpartition(":")[0].lower()
            if method != b"CONNECT" or not host.endswith(PROBE_HOST):
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            if not self._is_known(fields):
                self._note(host, Progress.WITHOUT_CREDENTIALS)
                connection.sendall(_CHALLENGE)
                return
            self._note(host, Progress.WITHOUT_TRUST)
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._serve_tls(connection, host)

    def _serve_tls(self, connection: socket.socket, host: str) -> None:
        context = self._authority.context_for(host)
        try:
            with context.wrap_socket(connection, server_side=True) as tunnel:
                _read_head(tunnel)
                self._note(host, Progress.GOVERNED)
                tunnel.sendall(_ANSWER)
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
            self._faults[host] = str(reason or error).lower().replace("_", " ")

    def _is_known(self, fields: list[bytes]) -> bool:
        for field in fields:
            name, _, value = field.partition(b":")
            if name.strip().lower() == b"proxy-authorization":
                scheme, _, token = value.strip().partition(b" ")
                return scheme.lower() + b" " + token.strip() == self._credentials
        return False

    def _note(self, host: str, progress: Progress) -> None:
        with self._lock:
            self._progress[host] = max(progress, self._progress.get(host, progress))


def _read_head(connection: socket.socket) -> bytes:
    """Everything up to the empty line.

    Raises:
        ValueError: it is longer than a head may be, or ended before.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(4096)
        head += data
        if not data or len(head) > HEAD_BYTES_MAX:
            raise ValueError("no request head")
    return head.partition(b"\r\n\r\n")[0]
