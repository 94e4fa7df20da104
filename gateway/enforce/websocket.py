"""An upstream's 101 -> whether it opens the WebSocket that was asked for. Pure.

INVARIANT(switch): bytes are passed unread only where both sides have agreed to speak WebSocket.
An answer that somebody else prepared, or one that merely says 101, opens nothing (RFC 6455,
section 4.1).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from gateway.model.errors import UpstreamError
from gateway.model.exchange import Header, HttpRequest

HANDSHAKE_LINES: Final = (b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n")
"""What makes a GET a handshake, beside the agent's own `Sec-WebSocket-*` headers."""

_PROTOCOL: Final = b"websocket"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def check_switch(
    request: HttpRequest, headers: tuple[Header, ...], options: list[bytes], protocols: list[bytes]
) -> None:
    """Hold a 101 against the handshake that it answers. `options` and `protocols` are the lower
    case values of `Connection` and `Upgrade`.

    Raises:
        UpstreamError: `upstream.bad_websocket`.
    """
    if protocols != [_PROTOCOL] or b"upgrade" not in options:
        raise _bad("it switches to no WebSocket")
    named = _websocket_headers(headers)
    key = request.fields[b"sec-websocket-key"]
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    if named.get(b"sec-websocket-accept") != [base64.b64encode(digest)]:
        raise _bad("its `Sec-WebSocket-Accept` is not made from the agent's key")
    chosen = named.get(b"sec-websocket-protocol", [])
    if len(chosen) > 1 or not set(chosen) <= _listed(request, b"sec-websocket-protocol"):
        raise _bad("it chose a subprotocol that the agent did not offer")
    extensions = b",".join(named.get(b"sec-websocket-extensions", []))
    if not _names(extensions) <= _names(request.fields.get(b"sec-websocket-extensions", b"")):
        raise _bad("it uses an extension that the agent did not offer")


def _websocket_headers(headers: tuple[Header, ...]) -> Mapping[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(b"sec-websocket-"):
            found.setdefault(lower, []).append(value.strip())
    return found


def _listed(request: HttpRequest, name: bytes) -> set[bytes]:
    return {item.strip() for item in request.fields.get(name, b"").split(b",")} - {b""}


def _names(extensions: bytes) -> set[bytes]:
    """The names of extensions, without their parameters, in which no comma stands."""
    items = (item.partition(b";")[0].strip().lower() for item in extensions.split(b","))
    return {item for item in items if item}


def _bad(why: str) -> UpstreamError:
    return UpstreamError(
        "upstream.bad_websocket", f"the upstream's answer opens no WebSocket: {why}", sent=True
    )
