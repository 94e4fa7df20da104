"""A head -> whether it asks for a WebSocket, by RFC 6455 to the letter. Pure.

A handshake is decided on as an act of its own, never as the GET that it is written as: what goes
through afterwards is no answer to a read. What asks for a WebSocket in any other way is refused,
since one server opens what another overlooks.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.intercept.http1 import Head
from gateway.model.errors import AgentProtocolError

_PROTOCOL: Final = b"websocket"
_VERSION: Final = b"13"
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
"""Sixteen bytes in base64 (section 4.1): of its last digit, only two bits are used."""

_ONCE: Final = frozenset({b"sec-websocket-key", b"sec-websocket-version"})


def asks_for_websocket(head: Head) -> bool:
    """Whether a request is the handshake of a WebSocket. Other upgrades are not passed on.

    Raises:
        AgentProtocolError: `upgrade.malformed`: it means to be one.
    """
    upgrade = head.control.get(b"upgrade")
    if upgrade is None or _PROTOCOL not in upgrade.lower():
        return False
    if upgrade.lower() != _PROTOCOL:
        raise _malformed("`Upgrade` names another protocol beside `websocket`")
    options = head.control.get(b"connection", b"").lower().split(b",")
    if b"upgrade" not in [option.strip() for option in options]:
        raise _malformed("`Connection` doesn't name `Upgrade`")
    if head.method != "GET" or head.is_http10 or head.body_bytes != 0:
        raise _malformed("the handshake is no GET of HTTP/1.1 without a body")
    if not _ONCE.isdisjoint(head.repeated):
        raise _malformed("`Sec-WebSocket-Key` or `Sec-WebSocket-Version` is repeated")
    if head.fields.get(b"sec-websocket-version") != _VERSION:
        raise _malformed("the only version of WebSocket is 13")
    if _KEY.fullmatch(head.fields.get(b"sec-websocket-key", b"")) is None:
        raise _malformed("`Sec-WebSocket-Key` is not 16 bytes in base64")
    return True


def _malformed(message: str) -> AgentProtocolError:
    return AgentProtocolError("upgrade.malformed", message)
