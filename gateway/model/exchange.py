"""What was seen on the wire: one request of one agent, parsed once, and the answer to it.

A `HttpRequest` is what goes upstream: the upstream's bytes are written anew from it and from
nothing else. Header names and values, their order and their spelling are the agent's own, so
that signatures stay valid; framing and hop-by-hop headers are already gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from types import MappingProxyType

from gateway.model.dataclass import dataclass
from gateway.model.quick import quick

Header = tuple[bytes, bytes]

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Authority:
    """Host and port, normalised: lower case, IDNA ASCII, no trailing dot, no brackets (IPv6)."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@quick
@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts. Learnt from proxy credentials or configuration, never from inside the tunnel."""

    agent: str
    run: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: _NO_LABELS)


class Message(Enum):
    """What a message of a WebSocket is said to be."""

    TEXT = "text"
    BINARY = "binary"


@quick
@dataclass(frozen=True, slots=True, eq=False)
class HttpRequest:
    """One parsed request.

    `target` is origin-form (`/path?query`), ASCII, exactly as it will be sent. `headers` are the
    end-to-end ones in the agent's order and spelling, Host included. `fields` holds the same by
    lower-case name; where a name came more than once its values are joined by `, ` and the name
    is in `repeated`. `body` is complete, or None when it is longer than the inspection limit and
    streams. `body_bytes` is the declared length, None when the agent declared none. `is_http2`:
    it came as a stream of HTTP/2, and goes on as one where the upstream speaks that.
    `is_websocket`: it is the handshake of a WebSocket, and its `method` says nothing.
    `takes_trailers`: the agent has said that it reads fields behind a body (`TE: trailers`).
    `message`: it is one message within an open WebSocket, which is the `body`; target and headers
    are those of its handshake, and `method` is a stand-in.
    """

    method: str
    scheme: str
    authority: Authority
    target: bytes
    headers: tuple[Header, ...]
    fields: Mapping[bytes, bytes]
    repeated: frozenset[bytes]
    body: bytes | None
    body_bytes: int | None
    is_http2: bool = False
    is_websocket: bool = False
    takes_trailers: bool = False
    message: Message | None = None


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """One request with its sender. `received_at` is microseconds since the Unix epoch, UTC."""

    request_id: str
    principal: Principal
    request: HttpRequest
    received_at: int


@quick
@dataclass(frozen=True, slots=True, eq=False)
class ResponseHead:
    """Status line and end-to-end headers of an upstream's answer.

    `body_bytes` is its declared length, None when it is chunked or ends with the connection.
    `has_body` is False for HEAD, 204 and 304, whatever the headers say (RFC 9112 section 6.3).
    """

    status: int
    reason: bytes
    headers: tuple[Header, ...]
    body_bytes: int | None
    has_body: bool


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """A whole answer of our own. `close` ends the agent's connection after it."""

    status: int
    headers: tuple[Header, ...]
    body: bytes
    close: bool = False
