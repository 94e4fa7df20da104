"""What is a handshake of a WebSocket, and what only means to be one."""

from __future__ import annotations

import pytest

from gateway.intercept.http1 import Head, Limits, RequestReader
from gateway.intercept.websocket import asks_for_websocket
from gateway.model.errors import AgentProtocolError

CONNECTION = b"Connection: Upgrade\r\n"
UPGRADE = b"Upgrade: websocket\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
LINES = {"connection": CONNECTION, "upgrade": UPGRADE, "version": VERSION, "key": KEY}


def head(line: bytes = b"GET /live HTTP/1.1\r\n", more: bytes = b"", **changed: bytes) -> Head:
    """A handshake, with lines changed or left out."""
    reader = RequestReader(Limits())
    reader.feed(
        line + b"Host: a.test\r\n" + b"".join({**LINES, **changed}.values()) + more + b"\r\n"
    )
    found = reader.read_head()
    assert found is not None
    return found


HANDSHAKES = {
    "as the RFC has it": head(),
    "in other letters": head(upgrade=b"upgrade: WebSocket\r\n"),
    "kept alive too": head(connection=b"Connection: keep-alive, Upgrade\r\n"),
    "with an extension": head(more=b"Sec-WebSocket-Extensions: permessage-deflate\r\n"),
}


@pytest.mark.parametrize("case", HANDSHAKES)
def test_handshakes(case: str) -> None:
    """Known, and their headers go on."""
    found = HANDSHAKES[case]
    assert asks_for_websocket(found)
    assert b"sec-websocket-key" in found.fields
    assert b"upgrade" not in found.fields


OTHERS = {
    "no upgrade": head(upgrade=b""),
    "h2c": head(upgrade=b"Upgrade: h2c\r\n"),
    "UDP": head(upgrade=b"Upgrade: connect-udp\r\n"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_upgrades_are_no_handshakes(case: str) -> None:
    """They go on as the plain requests that they also are."""
    assert not asks_for_websocket(OTHERS[case])


MALFORMED = {
    "h2c beside it": head(upgrade=b"Upgrade: h2c, websocket\r\n"),
    "a version of the protocol": head(upgrade=b"Upgrade: websocket/13\r\n"),
    "Connection silent": head(connection=b""),
    "Connection of something else": head(connection=b"Connection: close\r\n"),
    "a POST": head(b"POST /live HTTP/1.1\r\n"),
    "HTTP/1.0": head(b"GET /live HTTP/1.0\r\n"),
    "a body": head(more=b"Content-Length: 3\r\n"),
    "chunks": head(more=b"Transfer-Encoding: chunked\r\n"),
    "no version": head(version=b""),
    "an old version": head(version=b"Sec-WebSocket-Version: 8\r\n"),
    "two versions": head(version=VERSION * 2),
    "no key": head(key=b""),
    "two keys": head(key=KEY * 2),
    "a short key": head(key=b"Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n"),
    "a key with bits too many": head(key=b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_only_means_to_be_one_is_refused(case: str) -> None:
    """Servers differ on it, so nobody gets to see it."""
    with pytest.raises(AgentProtocolError) as caught:
        asks_for_websocket(MALFORMED[case])
    assert caught.value.code == "upgrade.malformed"
