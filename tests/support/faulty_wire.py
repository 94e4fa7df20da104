"""A wire between two processes that a test can break: cut, silent, one-way, late, or lying.

A TCP relay on loopback. It understands nothing of what it carries but, when it lies, the end of a
request. What it swallowed is gone: mended, it cuts what was open, as a network that lost packets
for long would.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType
from typing import Self

PIECE_BYTES = 65_536
LIES_SECONDS_MAX = 5.0
_RESET = struct.pack("ii", 1, 0)


class Way(Enum):
    """What the wire does."""

    OPEN = auto()
    CUT = auto()
    """Connections are reset, old and new."""
    SILENT = auto()
    """Neither side hears the other."""
    UNHEARD = auto()
    """What the caller says never arrives; what comes back does."""
    UNANSWERED = auto()
    """What the caller says arrives; nothing comes back."""
    LYING = auto()
    """The wire answers by itself, with `answer`."""
    BROKEN_OFF = auto()
    """Each answer ends after its first `bytes_back` bytes."""


_SWALLOWS_THERE = {Way.SILENT, Way.UNHEARD}
_SWALLOWS_BACK = {Way.SILENT, Way.UNANSWERED}


class FaultyWire:
    """Leads to `port()` as long as nothing else is set."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self._way = Way.OPEN
        self._answer = b""
        self._bytes_back = 0
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._thread = threading.Thread(target=self._accept, name="faulty-wire", daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut_all()
        self._thread.join(5)

    def lead_to(self, port: Callable[[], int]) -> None:
        """Lead there from now on."""
        self._port = port
        self._cut_all()

    def set(self, way: Way, *, answer: bytes = b"", bytes_back: int = 0) -> None:
        """Behave so from now on."""
        was, self._way = self._way, way
        self._answer, self._bytes_back = answer, bytes_back
        if way in {Way.CUT, Way.LYING, Way.BROKEN_OFF} or was is not Way.OPEN:
            self._cut_all()

    def _cut_all(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._lead, args=(near,), daemon=True).start()

    def _lead(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            if self._way is Way.CUT:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            with self._lock:
                self._open.add(near)
            try:
                if self._way is Way.LYING:
                    _lie(near, self._answer)
                    return
                with socket.create_connection(("127.0.0.1", self._port()), 10) as far:
                    far.settimeout(None)
                    with self._lock:
                        self._open.add(far)
                    try:
                        self._carry(near, far)
                    finally:
                        with self._lock:
                            self._open.discard(far)
            finally:
                with self._lock:
                    self._open.discard(near)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=self._pump, args=(far, near, True), daemon=True)
        back.start()
        self._pump(near, far, False)
        back.join()

    def _pump(self, source: socket.socket, goal: socket.socket, is_back: bool) -> None:
        swallows = _SWALLOWS_BACK if is_back else _SWALLOWS_THERE
        passed = 0
        with suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if self._way in swallows:
                    continue
                if is_back and self._way is Way.BROKEN_OFF:
                    goal.sendall(piece[: max(0, self._bytes_back - passed)])
                    passed += len(piece)
                    if passed >= self._bytes_back:
                        break
                    continue
                goal.sendall(piece)
        for each in (source, goal):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _lie(near: socket.socket, answer: bytes) -> None:
    """Read one request and answer it so. An empty answer is never given."""
    near.settimeout(LIES_SECONDS_MAX)
    data = b""
    while b"\r\n\r\n" not in data:
        piece = near.recv(PIECE_BYTES)
        if not piece:
            return
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\ncontent-length: *([0-9]+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += near.recv(PIECE_BYTES)
    near.settimeout(None)
    if answer:
        near.sendall(answer)
        near.shutdown(socket.SHUT_RDWR)
    else:
        while near.recv(PIECE_BYTES):
            pass
