"""A TLS upstream on loopback that remembers every request that it understood.

It turns bytes into `Understood` values with h11, a parser that shares nothing with the gateway's,
and answers as the provider would (`providers.py`). What it understood is the truth of the
end-to-end tests: a request that isn't here was not executed. It must never guess: bytes that
are no request are kept as a fault, and counted against the gateway just the same.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import h11

IDLE_SECONDS_MAX = 30.0
"""How long a connection may stay silent before the oracle closes it."""

HEAD_BYTES_MAX = 256 * 1024
RECEIVE_BYTES = 65_536
KEPT_BYTES_MAX = 1024 * 1024
"""Raw bytes that are kept of one connection, for other readers; of longer ones nothing is."""


@dataclass(frozen=True, slots=True)
class Understood:
    """One request as an upstream reads it. `target` is the request line's, unchanged."""

    connection: int
    method: str
    host: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first value of a header, by lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def mentions(self, text: str) -> bool:
        """Whether target or body carries this text, so that a test knows its own requests."""
        return text in self.target or text.encode() in self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider says. With `cut`, the connection ends before the body is complete."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


Provider = Callable[[Understood], Answer]


class Oracle:
    """The upstream. `requests` grows in order of arrival; `since` reads what a test caused."""

    def __init__(
        self, certificate: Path, key: Path, provider: Provider, *, keeps_bodies: bool = True
    ) -> None:
        """`keeps_bodies` is false where bodies are larger than memory."""
        self.requests: list[Understood] = []
        self.faults: list[str] = []
        self.connections = 0
        self.received: dict[int, bytearray] = {}
        self._provider = provider
        self._keeps_bodies = keeps_bodies
        self._held: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["http/1.1"])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._open: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept, name="oracle", daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for event in self._held.values():
            event.set()
        # A thread blocked in accept() is woken by shutdown, not by close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5)

    # --- what a test asks -------------------------------------------------------------------------

    def mark(self) -> int:
        """A point in the sequence of requests, for `since`."""
        return len(self.requests)

    def since(self, mark: int, text: str = "") -> list[Understood]:
        """The requests after `mark` that mention `text`."""
        return [request for request in self.requests[mark:] if request.mentions(text)]

    def about(self, text: str) -> list[Understood]:
        """All requests that mention `text`."""
        return self.since(0, text)

    def wait_about(self, text: str, seconds: float = 10.0) -> list[Understood]:
        """The requests that mention `text`, once there is one; empty after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self.about(text)), seconds)
        return self.about(text)

    def streams_since(self, connection: int) -> dict[int, bytes]:
        """The raw bytes of later connections, where they were few enough to keep."""
        return {
            number: bytes(data)
            for number, data in list(self.received.items())
            if number > connection and data and len(data) < KEPT_BYTES_MAX
        }

    def hold(self, text: str) -> threading.Event:
        """Keep requests that mention `text` without an answer until the event is set."""
        return self._held.setdefault(text, threading.Event())

    # --- the server -------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            number = self.connections
            threading.Thread(
                target=self._serve, args=(connection, number), name="oracle-peer", daemon=True
            ).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        plain.settimeout(IDLE_SECONDS_MAX)
        try:
            connection = self._context.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        self._open.add(connection)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            try:
                self._converse(connection, number)
            except h11.RemoteProtocolError as error:
                self.faults.append(str(error))
        self._open.discard(connection)

    def _converse(self, connection: ssl.SSLSocket, number: int) -> None:
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        kept = self.received[number] = bytearray()
        while True:
            request = _read_request(connection, protocol, number, kept, self._keeps_bodies)
            if request is None:
                return
            with self._changed:
                self.requests.append(request)
                self._changed.notify_all()
            for text, event in tuple(self._held.items()):
                if request.mentions(text):
                    event.wait(IDLE_SECONDS_MAX)
            if not _send_answer(connection, protocol, request, self._provider(request)):
                return
            if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
                return
            protocol.start_next_cycle()


def _read_request(
    connection: ssl.SSLSocket,
    protocol: h11.Connection,
    number: int,
    kept: bytearray,
    keeps_bodies: bool,
) -> Understood | None:
    """The next request, whole; None when the peer closed between requests."""
    head: h11.Request | None = None
    body: list[bytes] = []
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            if protocol.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                connection.sendall(protocol.send(go_on) or b"")
            data = connection.recv(RECEIVE_BYTES)
            kept += data[: KEPT_BYTES_MAX - len(kept)]
            protocol.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            if keeps_bodies:
                body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return _understood(head, b"".join(body), number)
        else:
            return None


def _understood(head: h11.Request, body: bytes, number: int) -> Understood:
    pairs = head.headers.raw_items()  # h11 lowers names otherwise; signatures need their spelling
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)
    host = next((value for name, value in headers if name.lower() == "host"), "")
    method, target = head.method.decode("ascii"), head.target.decode("latin-1")
    return Understood(number, method, host, target, headers, body)


def _send_answer(
    connection: ssl.SSLSocket, protocol: h11.Connection, request: Understood, answer: Answer
) -> bool:
    """Write the answer; False when the connection ends with it."""
    headers = [
        ("content-length", str(len(answer.body))),
        ("content-type", answer.content_type),
        *answer.headers,
    ]
    if answer.status in (204, 304):
        headers = list(answer.headers)
    head = h11.Response(status_code=answer.status, headers=headers)
    data = protocol.send(head) or b""
    if answer.cut:
        connection.sendall(data + answer.body[: len(answer.body) // 2])
        return False
    if request.method != "HEAD" and answer.body and answer.status not in (204, 304):
        data += protocol.send(h11.Data(data=answer.body)) or b""
    connection.sendall(data + (protocol.send(h11.EndOfMessage()) or b""))
    return True
