"""A name server on loopback that answers as a test says: an address, an error, late, or never.

It listens on port 53, since no resolver configuration can name another port; on a loopback address
of its own, so that it disturbs nobody. That needs root.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from types import TracebackType
from typing import Self

TYPE_A = 1
_HEADER = struct.Struct("!HHHHHH")
_RESPONSE = 0x8180


class Code(IntEnum):
    """RCODE of RFC 1035, section 4.1.1."""

    FINE = 0
    SERVER_FAILURE = 2
    NAME_ERROR = 3


@dataclass
class NameServer:
    """`code` and `address` are what it answers to everything; `silent_about`, which names it
    leaves without an answer. `asked` holds all names, in lower case."""

    code: Code = Code.FINE
    address: str = "127.0.0.1"
    silent_about: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    ip: str = ""

    def __enter__(self) -> Self:
        dice = random.SystemRandom()
        self.ip = f"127.{dice.randrange(1, 255)}.{dice.randrange(255)}.{dice.randrange(1, 255)}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.ip, 53))
        self._thread = threading.Thread(target=self._serve, name="names", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.ip, 53))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, peer = self._socket.recvfrom(4_096)
            if not query:
                return
            with suppress(OSError, IndexError, struct.error):
                answer = self._answer(query)
                if self.asked[-1] not in self.silent_about:
                    self._socket.sendto(answer, peer)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], _HEADER.size
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
        question = query[_HEADER.size : at + 5]
        self.asked.append(".".join(labels))
        (kind,) = struct.unpack_from("!H", query, at + 1)
        record = b""
        if kind == TYPE_A and self.code is Code.FINE:
            # A pointer to the question's name, class IN, no time to live, four bytes.
            address = socket.inet_aton(self.address)
            record = struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, 0, 4) + address
        (number,) = struct.unpack_from("!H", query)
        head = _HEADER.pack(number, _RESPONSE | self.code, 1, bool(record), 0, 0)
        return head + question + record
