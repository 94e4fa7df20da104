"""What gRPC says above HTTP/2: which requests are its calls, and its statuses and messages. Pure.

Both sides of the gateway refuse calls, so the words stand here (grpc.io, PROTOCOL-HTTP2).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final
from urllib.parse import quote

MESSAGE_CHARS_MAX: Final = 1_500
"""Clients take 8 KiB of headers and trailers at most; percent-encoded, this stays below that."""

PREFIX_BYTES: Final = 5
"""Before every message: whether it is compressed, and its length."""

_MESSAGE_SAFE: Final = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""Printable ASCII but for the percent sign."""


class GrpcStatus(IntEnum):
    """Those that the gateway itself answers with."""

    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    PERMISSION_DENIED = 7
    FAILED_PRECONDITION = 9
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


def is_grpc_call(fields: Mapping[bytes, bytes]) -> bool:
    """Whether the headers are those of a gRPC call: `application/grpc`, `application/grpc+proto`.
    gRPC-Web is none: it carries its trailers in the body."""
    media_type = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return media_type == b"application/grpc" or media_type.startswith(b"application/grpc+")


def grpc_message(text: str) -> bytes:
    """Percent-encode a sentence for the `grpc-message` header."""
    return quote(text[:MESSAGE_CHARS_MAX].encode("utf-8", "replace"), safe=_MESSAGE_SAFE).encode()


class MessageBorders:
    """Follows the length-prefixed messages of one call through pieces of any size."""

    __slots__ = ("_left", "_prefix", "is_malformed")

    def __init__(self) -> None:
        self.is_malformed = False
        self._left = 0
        self._prefix = b""

    @property
    def is_between(self) -> bool:
        """Whether all that came is whole messages."""
        return not self._left and not self._prefix

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self.is_malformed:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            step = PREFIX_BYTES - len(self._prefix)
            self._prefix += data[at : at + step]
            at += step
            if len(self._prefix) == PREFIX_BYTES:
                self.is_malformed = self._prefix[0] > 1
                self._left = int.from_bytes(self._prefix[1:], "big")
                self._prefix = b""
