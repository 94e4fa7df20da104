"""The chunked coding of one body -> its bytes, and exactly where it ends. Pure.

Stricter than RFC 9112 section 7.1: extensions and trailers are refused, since what is not
forwarded must not be there to be read by another parser. Never looks beyond the last chunk.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final, NoReturn

from gateway.model.errors import AgentProtocolError

_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,8}")
_SIZE_LINE_BYTES_MAX: Final = 10
"""Eight digits and CRLF: chunks below 4 GiB."""

TINY_CHUNKS_MAX: Final = 1_024
TINY_CHUNK_BYTES: Final = 16
"""After so many chunks they must hold this much on average: bodies in one-byte chunks cost us far
more than they cost the sender."""


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    LAST = auto()
    DONE = auto()


class ChunkedBody:
    """Takes bytes off the front of a shared buffer; what follows the body stays in it."""

    __slots__ = ("_chunks", "_left", "_state", "_total")

    def __init__(self) -> None:
        self._state = _State.SIZE
        self._left = 0
        self._chunks = 0
        self._total = 0

    @property
    def is_done(self) -> bool:
        return self._state is _State.DONE

    def take(self, buffer: bytearray) -> bytes:
        """Remove and return the body bytes that `buffer` begins with, unframed.

        Raises:
            AgentProtocolError: `request.bad_chunk`.
        """
        pieces: list[bytes] = []
        at = 0
        while self._state is not _State.DONE:
            moved = self._step(buffer, at, pieces)
            if moved < 0:
                break
            at += moved
        del buffer[:at]
        return b"".join(pieces)

    def _step(self, buffer: bytearray, at: int, pieces: list[bytes]) -> int:
        """One move from offset `at`; how far it got, or -1 when more bytes are needed."""
        match self._state:
            case _State.SIZE:
                return self._size(buffer, at)
            case _State.DATA:
                piece = bytes(buffer[at : at + self._left])
                if not piece:
                    return -1
                pieces.append(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _State.DATA_END
                return len(piece)
            case _State.DATA_END:
                return self._line_end(buffer, at, _State.SIZE)
            case _:
                return self._line_end(buffer, at, _State.DONE)

    def _size(self, buffer: bytearray, at: int) -> int:
        end = buffer.find(b"\r\n", at, at + _SIZE_LINE_BYTES_MAX)
        if end < 0:
            begun = bytes(buffer[at : at + _SIZE_LINE_BYTES_MAX])
            digits = begun.removesuffix(b"\r")
            if len(begun) == _SIZE_LINE_BYTES_MAX or (digits and not _SIZE.fullmatch(digits)):
                _refuse("a chunk size is malformed or has an extension")
            if begun == b"\r":
                _refuse("a chunk has no size")
            return -1
        line = bytes(buffer[at:end])
        if not _SIZE.fullmatch(line):
            _refuse("a chunk size is malformed or has an extension")
        self._left = int(line, 16)
        self._chunks += 1
        self._total += self._left
        if self._left:
            if self._chunks > TINY_CHUNKS_MAX and self._total < self._chunks * TINY_CHUNK_BYTES:
                _refuse("the body comes in too many tiny chunks")
            self._state = _State.DATA
        else:
            self._state = _State.LAST
        return end + 2 - at

    def _line_end(self, buffer: bytearray, at: int, following: _State) -> int:
        end = bytes(buffer[at : at + 2])
        if not b"\r\n".startswith(end):
            _refuse("a chunk does not end where it says, or trailers follow the last")
        if len(end) < 2:
            return -1
        self._state = following
        return 2


def _refuse(message: str) -> NoReturn:
    raise AgentProtocolError("request.bad_chunk", message)
