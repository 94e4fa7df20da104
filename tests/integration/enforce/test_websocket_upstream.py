"""Which answers to a WebSocket's handshake open one, from a real TLS upstream."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model.exchange import Header
from gateway.model.record import Outcome
from tests.integration.enforce.conftest import MakeWayOut
from tests.support.raw_upstream import RawPeer, Script

KEY: Header = (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")
ASKED = (
    KEY,
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Protocol", b"chat, ops"),
    (b"Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits"),
)
LINE = b"HTTP/1.1 101 Switching Protocols\r\n"
UPGRADE = b"Upgrade: websocket\r\n"
CONNECTION = b"Connection: Upgrade\r\n"
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
"""The RFC's own example (section 1.3)."""
PLAIN = LINE + UPGRADE + CONNECTION + ACCEPT
END = b"\r\n"


def answering(data: bytes) -> Script:
    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(data)
        await peer.wait_end()

    return script


OPENED = {
    "plainly": (PLAIN + END, b""),
    "with a first frame at once": (PLAIN + END + b"\x81\x02hi", b"\x81\x02hi"),
    "after a hint": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN + END, b""),
    "with what was offered": (
        PLAIN + b"Sec-WebSocket-Protocol: ops\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
        + END, b"",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OPENED)
async def test_a_right_answer_opens(make_way_out: MakeWayOut, case: str) -> None:
    """The handshake is written anew, and the connection is handed on, unread from there."""
    data, early = OPENED[case]
    way = await make_way_out(answering(data))
    sent, channel = await way.send("GET", b"", headers=ASKED, is_websocket=True)
    assert (sent.outcome, sent.status, sent.code) == (Outcome.EXECUTED, 101, None)
    assert sent.switched is not None
    assert sent.switched.early == early
    assert channel.head is None
    (head,) = way.upstream.heads
    lines = head.split(b"\r\n")
    assert lines.count(b"Connection: Upgrade") == lines.count(b"Upgrade: websocket") == 1
    sent.switched.wire.abort()


WRONG = {
    "F9 a key that is not ours": PLAIN.replace(b"s3pP", b"s3pQ") + END,
    "F9 no accept": LINE + UPGRADE + CONNECTION + END,
    "F9 two accepts": PLAIN + ACCEPT + END,
    "F9 another protocol": LINE + b"Upgrade: h2c\r\n" + CONNECTION + ACCEPT + END,
    "F9 two protocols": LINE + UPGRADE + b"Upgrade: h2c\r\n" + CONNECTION + ACCEPT + END,
    "F9 no upgrade": LINE + ACCEPT + END,
    "F9 a subprotocol not offered": PLAIN + b"Sec-WebSocket-Protocol: admin\r\n" + END,
    "F9 an extension not offered": PLAIN + b"Sec-WebSocket-Extensions: x-mux\r\n" + END,
    "F9 a length": PLAIN + b"Content-Length: 3\r\n" + END + b"abc",
    "F9 chunks": PLAIN + b"Transfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n",
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_answer_opens_nothing(make_way_out: MakeWayOut, case: str) -> None:
    """502, the connection is closed, and what became of it is not known."""
    way = await make_way_out(answering(WRONG[case]))
    sent, channel = await way.send("GET", b"", headers=ASKED, is_websocket=True)
    assert (sent.outcome, sent.error_status, sent.switched) == (Outcome.UNKNOWN, 502, None)
    assert not sent.began
    assert channel.head is None
    async with asyncio.timeout(5):
        await way.upstream.ended.wait()


async def test_f9_nobody_asked(make_way_out: MakeWayOut) -> None:
    """F9: the most proper 101 to a plain request is 502."""
    way = await make_way_out(answering(PLAIN + END + b"\x81\x02hi"))
    sent, channel = await way.send("GET", b"", headers=ASKED)
    assert (sent.outcome, sent.code, sent.switched) == (Outcome.UNKNOWN, "upstream.switched", None)
    assert channel.head is None


async def test_a_refusal_is_an_ordinary_answer(make_way_out: MakeWayOut) -> None:
    """Relayed as it is; the next handshake has a connection of its own."""
    data = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"
    way = await make_way_out(answering(data))
    for _ in range(2):
        sent, channel = await way.send("GET", b"", headers=ASKED, is_websocket=True)
        assert (sent.outcome, sent.status, sent.switched) == (Outcome.EXECUTED, 401, None)
        assert bytes(channel.body) == b"no"
    assert way.upstream.connections == 2
