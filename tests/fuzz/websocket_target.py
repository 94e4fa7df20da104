"""Target of the frames that an agent sends in a WebSocket."""

from __future__ import annotations

from tests.fuzz.target import Target, same
from tests.support.websocket_frames import frame, taken_elsewhere, understood, without_close

BYTES_MAX = 300
PIECE_BYTES = 3
"""How the same bytes are cut a second time."""


def check_websocket(data: bytes) -> None:
    """The messages that are decided on are those that another server takes, however they come."""
    ours = understood(data, len(data) or 1, BYTES_MAX)
    same(ours, understood(data, PIECE_BYTES, BYTES_MAX), "the same in pieces")
    messages = without_close(ours[0])
    same(messages, without_close(taken_elsewhere(data))[: len(messages)], "another server")


SEEDS = (
    frame(1, b"{}") + frame(2, b"ab"),
    frame(1, b"a", first=0) + frame(9, b"p") + frame(0, b"b"),
    frame(2, b"a" * 200) + frame(8, b"\x03\xe8over"),
    frame(1, b"a", key=None),
    frame(1, b"a" * 100, length_bytes=2),
)
WORDS = (b"\x81", b"\x01", b"\x00", b"\x80", b"\x88\x80", b"\x89\x80", b"\xfe", b"\xff", b"\xc1")

TARGETS = (Target("websocket", "a message is one to all servers", check_websocket, SEEDS, WORDS),)
