"""Frames of WebSocket: whole messages out of any pieces, and nothing out of what is malformed."""

from __future__ import annotations

import pytest
from websockets.frames import Frame
from websockets.frames import Opcode as TheirOpcode
from websockets.protocol import Protocol, Side

from gateway.wire.websocket_frames import (
    CloseCode,
    FrameError,
    MessageReader,
    Opcode,
    client_frame,
    close_data,
    server_frame,
)
from tests.support.websocket_frames import BYTES_MAX, KEY, frame, understood

GOOD = {
    "a text": (frame(1, b"hello"), [(Opcode.TEXT, b"hello")]),
    "an empty one": (frame(1), [(Opcode.TEXT, b"")]),
    "bytes": (frame(2, b"\xff\x00"), [(Opcode.BINARY, b"\xff\x00")]),
    "125 bytes": (frame(1, b"a" * 125), [(Opcode.TEXT, b"a" * 125)]),
    "126 bytes": (frame(1, b"a" * 126), [(Opcode.TEXT, b"a" * 126)]),
    "65,535 bytes": (frame(1, b"a" * 65_535), [(Opcode.TEXT, b"a" * 65_535)]),
    "65,536 bytes": (frame(1, b"a" * 65_536), [(Opcode.TEXT, b"a" * 65_536)]),
    "as long as may be": (frame(2, b"a" * BYTES_MAX), [(Opcode.BINARY, b"a" * BYTES_MAX)]),
    "two, one behind the other": (
        frame(1, b"a") + frame(2, b"b"), [(Opcode.TEXT, b"a"), (Opcode.BINARY, b"b")],
    ),
    "fragments": (
        frame(1, b"a", first=0) + frame(0, b"b", first=0) + frame(0, b"c"),
        [(Opcode.TEXT, b"abc")],
    ),
    "empty fragments": (
        frame(2, first=0) + frame(0, first=0) + frame(0), [(Opcode.BINARY, b"")],
    ),
    "a letter cut in two": (
        frame(1, b"\xc3", first=0) + frame(0, b"\xa4"), [(Opcode.TEXT, b"\xc3\xa4")],
    ),
    "a ping within a message": (
        frame(1, b"a", first=0) + frame(9, b"p") + frame(0, b"b"),
        [(Opcode.PING, b"p"), (Opcode.TEXT, b"ab")],
    ),
    "a ping of 125 bytes": (frame(9, b"p" * 125), [(Opcode.PING, b"p" * 125)]),
    "a pong": (frame(10), [(Opcode.PONG, b"")]),
    "a key of zeros": (frame(1, b"a", key=bytes(4)), [(Opcode.TEXT, b"a")]),
    "a close without a code": (frame(8), [(Opcode.CLOSE, b"")]),
    "a close with a reason": (
        frame(8, close_data(CloseCode.NORMAL, "over")), [(Opcode.CLOSE, b"\x03\xe8over")],
    ),
    "what stands behind a close": (
        frame(8) + frame(1, b"a") + b"\x00\x00", [(Opcode.CLOSE, b"")],
    ),
    "less than a frame": (frame(1, b"hello")[:-1], []),
}  # fmt: skip


@pytest.mark.parametrize("piece_bytes", [1, 3, 1 << 20])
@pytest.mark.parametrize("case", GOOD)
def test_messages_come_out_whole(case: str, piece_bytes: int) -> None:
    """In their order, unmasked, joined; control frames where they stood."""
    data, expected = GOOD[case]
    assert understood(data, piece_bytes) == (expected, 0)


MALFORMED = 1002
BAD = {
    "no mask": (frame(1, b"a", key=None), MALFORMED),
    "the bit of compression": (frame(1, b"a", first=0xC0), MALFORMED),
    "the second reserved bit": (frame(1, b"a", first=0xA0), MALFORMED),
    "the third reserved bit": (frame(9, b"", first=0x90), MALFORMED),
    "an unknown opcode": (frame(3, b"a"), MALFORMED),
    "an unknown control frame": (frame(11), MALFORMED),
    "a continuation of nothing": (frame(0, b"a"), MALFORMED),
    "a message within another": (frame(1, b"a", first=0) + frame(1, b"b"), MALFORMED),
    "bytes within a text": (frame(1, b"a", first=0) + frame(2, b"b"), MALFORMED),
    "a ping in fragments": (frame(9, b"a", first=0), MALFORMED),
    "a ping that is too long": (frame(9, b"a" * 126), MALFORMED),
    "a short length in two bytes": (frame(1, b"a" * 125, length_bytes=2), MALFORMED),
    "a short length in eight bytes": (frame(1, b"a" * 200, length_bytes=8), MALFORMED),
    "a length with its highest bit": (b"\x81\xff\x80" + bytes(7) + KEY, MALFORMED),
    "a close with half a code": (frame(8, b"\x03"), MALFORMED),
    "a close with a code that is never sent": (frame(8, b"\x03\xed"), MALFORMED),
    "a close with a code of nobody": (frame(8, b"\x00\x01"), MALFORMED),
    "a close whose reason is no text": (frame(8, b"\x03\xe8\xff"), 1007),
    "a text that is no UTF-8": (frame(1, b"\xff"), 1007),
    "a text that ends within a letter": (frame(1, b"\xc3", first=0) + frame(0), 1007),
    "a surrogate": (frame(1, b"\xed\xa0\x80"), 1007),
    "one byte too many": (frame(2, b"a" * (BYTES_MAX + 1)), 1009),
    "a length beyond everything": (b"\x82\xff" + (1 << 62).to_bytes(8, "big"), 1009),
    "one byte too many, in fragments": (
        frame(2, b"a" * BYTES_MAX, first=0) + frame(0, b"a"), 1009,
    ),
}  # fmt: skip


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize("case", BAD)
def test_what_is_malformed_ends_it(case: str, piece_bytes: int) -> None:
    """What stood before it is taken, nothing behind it; and it says why."""
    data, code = BAD[case]
    before = frame(1, b"before")
    assert understood(before + data + before, piece_bytes) == ([(Opcode.TEXT, b"before")], code)


def test_a_length_is_refused_before_its_bytes_come() -> None:
    """Nobody fills the memory with a message that is too long anyway."""
    reader = MessageReader(10)
    reader.feed(b"\x82\x8b")
    with pytest.raises(FrameError, match="10 bytes"):
        reader.next()


def test_a_broken_stream_stays_broken() -> None:
    """Good frames behind a bad one are no messages."""
    reader = MessageReader(10)
    reader.feed(frame(3))
    for _ in range(2):
        with pytest.raises(FrameError):
            reader.next()
        reader.feed(frame(1, b"a"))


SIZES = [0, 1, 125, 126, 16_384, 16_385, 16_387, 65_535, 65_536]


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_of_ours_is_read_by_another_server(size: int) -> None:
    """Whole, masked under a key that is never the same, with the same bytes."""
    data = b"\x00ab\xff" * (size // 4) + b"x" * (size % 4)
    protocol = Protocol(Side.SERVER, max_size=None)
    protocol.receive_data(client_frame(Opcode.BINARY, data))
    (event,) = protocol.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, event.fin, bytes(event.data)) == (TheirOpcode.BINARY, True, data)
    keys = {client_frame(Opcode.TEXT, b"")[2:6] for _ in range(20)}
    assert len(keys) == 20


def test_a_close_of_ours_is_read_by_both_sides() -> None:
    """With its code and its reason, which is cut where it is too long."""
    data = close_data(CloseCode.REFUSED, "r" * 300)
    assert len(data) == 125
    for side, sent in (
        (Side.SERVER, client_frame(Opcode.CLOSE, data)),
        (Side.CLIENT, server_frame(Opcode.CLOSE, data)),
    ):
        protocol = Protocol(side)
        protocol.receive_data(sent)
        assert protocol.close_rcvd is not None
        assert protocol.close_rcvd.code == 1008
