"""Frames of a client by hand, well-formed or not; and what a reader makes of bytes."""

from __future__ import annotations

from websockets.frames import Frame
from websockets.frames import Opcode as TheirOpcode
from websockets.protocol import Protocol, Side

from gateway.wire.websocket_frames import FrameError, MessageReader, Opcode

KEY = b"\x01\x02\x03\x04"
BYTES_MAX = 70_000


def frame(
    opcode: int,
    data: bytes = b"",
    *,
    first: int = 0x80,
    key: bytes | None = KEY,
    length_bytes: int | None = None,
) -> bytes:
    """One frame. `first` are the bits beside the opcode; without a key it is not masked;
    `length_bytes` writes the length longer than it needs to be."""
    length, mask = len(data), 0 if key is None else 0x80
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 1 << 16 else 8
    short = {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes((first | opcode, mask | short))
    head += length.to_bytes(length_bytes, "big") if length_bytes else b""
    if key is None:
        return head + data
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(data))


def understood(
    data: bytes, piece_bytes: int, bytes_max: int = BYTES_MAX
) -> tuple[list[tuple[Opcode, bytes]], int]:
    """Every message and control frame that is taken, and the close code of why no more are."""
    reader, found = MessageReader(bytes_max), []
    try:
        for at in range(0, len(data), piece_bytes):
            reader.feed(data[at : at + piece_bytes])
            while (message := reader.next()) is not None:
                found.append((message.opcode, message.data))
    except FrameError as error:
        return found, int(error.close_code)
    return found, 0


def taken_elsewhere(data: bytes) -> list[tuple[Opcode, bytes]]:
    """The same, as the `websockets` library takes them in a server."""
    protocol = Protocol(Side.SERVER)
    protocol.receive_data(data)
    found: list[tuple[Opcode, bytes]] = []
    begun, joined = Opcode.TEXT, b""
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode >= TheirOpcode.CLOSE:
            found.append((Opcode(event.opcode), bytes(event.data)))
            continue
        if event.opcode is not TheirOpcode.CONT:
            begun, joined = Opcode(event.opcode), b""
        joined += bytes(event.data)
        if event.fin:
            found.append((begun, joined))
    return found


def without_close(found: list[tuple[Opcode, bytes]]) -> list[tuple[Opcode, bytes]]:
    """All but the end: a close within a message is passed on by us (section 5.4 lets it stand
    there), and refused by some. Nothing of that message is passed either way."""
    return [one for one in found if one[0] is not Opcode.CLOSE]
