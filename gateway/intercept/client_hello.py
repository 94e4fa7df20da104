"""The first bytes in a tunnel -> the names that a TLS client asks for, before any handshake.

Pure. Reads just enough of RFC 8446 section 4.1.2 for SNI and ALPN; OpenSSL judges the rest. Never
reads beyond the bytes that are there, and never more than `HELLO_BYTES_MAX`.
"""

from __future__ import annotations

from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.errors import AgentProtocolError

HELLO_BYTES_MAX: Final = 16_384
"""Real ones are 200 to 2,000 bytes, the larger with post-quantum key shares."""

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_ALPN: Final = 16


@dataclass(frozen=True, slots=True)
class ClientHello:
    """`server_name` is None when the client names none; `protocols` are its ALPN offers."""

    server_name: str | None
    protocols: tuple[bytes, ...]

    @property
    def speaks_http1(self) -> bool:
        """Whether HTTP/1.1 is offered. A client without ALPN speaks it."""
        return not self.protocols or b"http/1.1" in self.protocols

    @property
    def speaks_http2(self) -> bool:
        return b"h2" in self.protocols


class _Cut(Exception):
    """The bytes end inside a length; in a complete hello that makes it malformed."""


class _Reader:
    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise _Cut
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """A vector with a length of `size` bytes before it."""
        return self.take(self.number(size))


def parse_client_hello(data: bytes) -> ClientHello | None:
    """Read a ClientHello from the start of `data`; None while more bytes are needed.

    Raises:
        AgentProtocolError: `tunnel.not_tls`; `tunnel.bad_hello` for one that is malformed, or is
            longer than HELLO_BYTES_MAX.
    """
    if (data and data[0] != _HANDSHAKE) or (len(data) > 1 and data[1] != 3):
        raise AgentProtocolError("tunnel.not_tls", "the tunnel does not carry TLS")
    message = _message(data)
    if message is None:
        if len(data) >= HELLO_BYTES_MAX:
            raise AgentProtocolError("tunnel.bad_hello", "the TLS ClientHello is too long")
        return None
    try:
        return _parse(_Reader(message))
    except (_Cut, UnicodeDecodeError) as error:
        raise _malformed() from error


def _message(data: bytes) -> bytes | None:
    """The handshake message, put together from its records; None while it is incomplete."""
    records = _Reader(data)
    message = b""
    try:
        while len(message) < 4 or len(message) - 4 < int.from_bytes(message[1:4], "big"):
            if records.number(1) != _HANDSHAKE:
                raise _malformed()
            records.take(2)
            fragment = records.vector(2)
            if not fragment:
                raise _malformed()
            message += fragment
            if message[0] != _CLIENT_HELLO:
                raise _malformed()
    except _Cut:
        return None
    return message[4 : 4 + int.from_bytes(message[1:4], "big")]


def _parse(hello: _Reader) -> ClientHello:
    hello.take(2 + 32)  # legacy version, random
    hello.vector(1)  # session
    hello.vector(2)  # cipher suites
    hello.vector(1)  # compression
    server_name: str | None = None
    protocols: tuple[bytes, ...] = ()
    seen: set[int] = set()
    extensions = _Reader(hello.vector(2)) if hello else _Reader(b"")
    while extensions:
        kind, content = extensions.number(2), _Reader(extensions.vector(2))
        if kind in seen:
            raise _malformed()
        seen.add(kind)
        if kind == _SERVER_NAME:
            server_name = _parse_names(_Reader(content.vector(2)))
        elif kind == _ALPN:
            protocols = _parse_protocols(_Reader(content.vector(2)))
    return ClientHello(server_name, protocols)


def _parse_names(names: _Reader) -> str:
    if names.number(1) != 0:  # host_name is the only type there is
        raise _malformed()
    name = names.vector(2)
    if names or not name:  # a second name: which one would be meant?
        raise _malformed()
    return name.decode("ascii")


def _parse_protocols(offers: _Reader) -> tuple[bytes, ...]:
    protocols = []
    while offers:
        protocols.append(offers.vector(1))
    return tuple(protocols)


def _malformed() -> AgentProtocolError:
    return AgentProtocolError("tunnel.bad_hello", "the TLS ClientHello is malformed")
