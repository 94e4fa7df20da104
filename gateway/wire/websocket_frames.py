"""Bytes of a WebSocket -> the whole messages that a client sends, and frames of our own. Pure.

RFC 6455 to the letter, without extensions: what two servers could join differently is an error,
and nothing is read behind one. A message is given out when its last byte is there, never before.
"""

from __future__ import annotations

import os
import struct
from enum import IntEnum
from typing import Final, NamedTuple

from gateway.model.errors import CheckreinError


class Opcode(IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """Those that we send, of section 7.4.1 and of the registry of section 11.7."""

    NORMAL = 1000
    MALFORMED = 1002
    NOT_UTF8 = 1007
    REFUSED = 1008
    TOO_LONG = 1009
    TRY_AGAIN_LATER = 1013


_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}
_FINAL, _RESERVED, _OPCODE, _CONTROL = 0x80, 0x70, 0x0F, 0x8
_MASKED, _LENGTH = 0x80, 0x7F
_TWO_BYTES, _EIGHT_BYTES = 126, 127
CONTROL_BYTES_MAX: Final = 125
_KEY_BYTES: Final = 4
_PIECE_BYTES: Final = 4_096 * _KEY_BYTES
"""Masked at once: numbers that the caches hold cost half as much as one of megabytes."""

_CODE_BYTES: Final = 2
_CODES_SENT: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""What may stand in a frame; 1005, 1006 and 1015 never do (section 7.4)."""


class FrameError(CheckreinError):
    """A peer broke the protocol or a limit; its side is spent. `close_code` tells it why."""

    def __init__(self, code: str, message: str, close_code: CloseCode) -> None:
        super().__init__(code, message)
        self.close_code = close_code


class Message(NamedTuple):
    """One whole message, or one control frame, unmasked. Never a CONTINUATION."""

    opcode: Opcode
    data: bytes


class _Head(NamedTuple):
    opcode: Opcode
    is_final: bool
    begin: int
    length: int


class MessageReader:
    """What one client sends. `feed` it any pieces; `next` until it gives None."""

    def __init__(self, message_bytes_max: int) -> None:
        self._bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._begun: Opcode | None = None
        self._joined = bytearray()
        self._is_closed = False
        self._error: FrameError | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes; those behind a close frame or an error mean nothing."""
        if not self._is_closed and self._error is None:
            self._buffer += data

    def next(self) -> Message | None:
        """The next message or control frame; None where more bytes are needed.

        Raises:
            FrameError: `websocket.malformed`, `websocket.too_long`; again at every further call.
        """
        if self._error is not None:
            raise self._error
        try:
            return self._next()
        except FrameError as error:
            self._error = error
            self._buffer.clear()
            self._joined.clear()
            raise

    def _next(self) -> Message | None:
        while not self._is_closed:
            head = self._head()
            if head is None:
                return None
            opcode, is_final, begin, length = head
            end = begin + _KEY_BYTES + length
            if len(self._buffer) < end:
                return None
            key = bytes(self._buffer[begin : begin + _KEY_BYTES])
            data = _masked(bytes(self._buffer[begin + _KEY_BYTES : end]), key)
            del self._buffer[:end]
            message = self._take(opcode, data, is_final=is_final)
            if message is not None:
                return message
        return None

    def _head(self) -> _Head | None:
        """The head of the next frame, held against all that is known before its payload comes."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        opcode = _OPCODES.get(first & _OPCODE)
        is_final = bool(first & _FINAL)
        if first & _RESERVED:
            raise _malformed("a reserved bit is set, and no extension was agreed on")
        if opcode is None:
            raise _malformed("a frame has an unknown opcode")
        if not second & _MASKED:
            raise _malformed("a frame of the client is not masked")
        if opcode & _CONTROL and (not is_final or second & _LENGTH > CONTROL_BYTES_MAX):
            raise _malformed("a control frame is fragmented, or longer than 125 bytes")
        if not opcode & _CONTROL and (opcode is Opcode.CONTINUATION) != (self._begun is not None):
            raise _malformed("a fragment continues nothing, or a message begins within another")
        found = _length(buffer)
        if found is None:
            return None
        begin, length = found
        if not opcode & _CONTROL and len(self._joined) + length > self._bytes_max:
            raise FrameError(
                "websocket.too_long",
                f"a message is longer than the {self._bytes_max} bytes that are inspected",
                CloseCode.TOO_LONG,
            )
        return _Head(opcode, is_final, begin, length)

    def _take(self, opcode: Opcode, data: bytes, *, is_final: bool) -> Message | None:
        if opcode & _CONTROL:
            if opcode is Opcode.CLOSE:
                _check_close(data)
                self._is_closed = True
                self._buffer.clear()
            return Message(opcode, data)
        if self._begun is None and is_final:
            return _whole(opcode, data)
        self._begun = self._begun or opcode
        self._joined += data
        if not is_final:
            return None
        message = _whole(self._begun, bytes(self._joined))
        self._begun = None
        self._joined = bytearray()
        return message


def _length(buffer: bytearray) -> tuple[int, int] | None:
    """Where the masking key begins, and the payload's length, written in the shortest way."""
    length = buffer[1] & _LENGTH
    if length == _TWO_BYTES:
        if len(buffer) < 4:
            return None
        (length,) = struct.unpack_from(">H", buffer, 2)
        if length < _TWO_BYTES:
            raise _malformed("a length is written longer than it needs to be")
        return 4, length
    if length == _EIGHT_BYTES:
        if len(buffer) < 10:
            return None
        (length,) = struct.unpack_from(">Q", buffer, 2)
        if length < 1 << 16 or length >= 1 << 63:
            raise _malformed("a length is longer than it may be, or written so")
        return 10, length
    return 2, length


def _whole(opcode: Opcode, data: bytes) -> Message:
    if opcode is Opcode.TEXT:
        _check_text(data)
    return Message(opcode, data)


def _check_text(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise FrameError("websocket.malformed", "a text is not UTF-8", CloseCode.NOT_UTF8) from None


def _check_close(data: bytes) -> None:
    if not data:
        return
    if len(data) < _CODE_BYTES or int.from_bytes(data[:_CODE_BYTES], "big") not in _CODES_SENT:
        raise _malformed("a close frame has no code that may be sent")
    _check_text(data[_CODE_BYTES:])


def _malformed(message: str) -> FrameError:
    return FrameError("websocket.malformed", message, CloseCode.MALFORMED)


def _masked(data: bytes, key: bytes) -> bytes:
    """Data with the key laid over it, which also takes it off again (section 5.3)."""
    if len(data) <= _PIECE_BYTES:
        return _masked_piece(data, key)
    begins = range(0, len(data), _PIECE_BYTES)
    return b"".join(_masked_piece(data[at : at + _PIECE_BYTES], key) for at in begins)


def _masked_piece(data: bytes, key: bytes) -> bytes:
    length = len(data)
    laid = (key * (length // _KEY_BYTES + 1))[:length]
    return (int.from_bytes(data, "big") ^ int.from_bytes(laid, "big")).to_bytes(length, "big")


# --- frames of our own ----------------------------------------------------------------------------


def client_frame(opcode: Opcode, data: bytes) -> bytes:
    """One whole frame to a server, under a key that nobody can foresee (section 10.3)."""
    key = os.urandom(_KEY_BYTES)
    return _frame_head(opcode, len(data), _MASKED) + key + _masked(data, key)


def server_frame(opcode: Opcode, data: bytes) -> bytes:
    """One whole frame to a client."""
    return _frame_head(opcode, len(data), 0) + data


def close_data(code: CloseCode, reason: str) -> bytes:
    """What a close frame carries; the reason is cut where it doesn't fit."""
    text = reason.encode("ascii", "replace")[: CONTROL_BYTES_MAX - _CODE_BYTES]
    return int(code).to_bytes(_CODE_BYTES, "big") + text


def _frame_head(opcode: Opcode, length: int, mask: int) -> bytes:
    first = _FINAL | opcode
    if length < _TWO_BYTES:
        return bytes((first, mask | length))
    if length < 1 << 16:
        return struct.pack(">BBH", first, mask | _TWO_BYTES, length)
    return struct.pack(">BBQ", first, mask | _EIGHT_BYTES, length)


class FrameEnds:
    """Follows the frames of a stream that is passed on unread, so that one of our own can be put
    between two of them, and never into one."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0

    @property
    def is_between(self) -> bool:
        """Whether all that was followed ends with a frame."""
        return not self._head and not self._left

    def follow(self, data: bytes, *, to_end: bool = False) -> int:
        """How many of these bytes were followed: all, or, `to_end`, those up to the end of the
        frame that has begun."""
        at = 0
        while at < len(data) and not (to_end and self.is_between):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            self._head.append(data[at])
            at += 1
            if len(self._head) >= 2 and len(self._head) == _head_bytes(self._head[1]):
                self._left = _payload_bytes(self._head)
                self._head.clear()
        return at


def _head_bytes(second: int) -> int:
    longer = {_TWO_BYTES: 2, _EIGHT_BYTES: 8}.get(second & _LENGTH, 0)
    return 2 + longer + (_KEY_BYTES if second & _MASKED else 0)


def _payload_bytes(head: bytearray) -> int:
    length = head[1] & _LENGTH
    if length == _TWO_BYTES:
        return int.from_bytes(head[2:4], "big")
    return int.from_bytes(head[2:10], "big") if length == _EIGHT_BYTES else length
