"""Bytes of an HTTP/2 connection -> whole frames, one after another, at a bearable rate. Pure.

Stands before the `h2` library and bounds what that does not: how many frames that carry nothing a
peer may send, how long a block of headers may be, how much of a frame is kept. It must never let
a frame pass whose length was not there, nor look into what a frame means.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from h2.errors import ErrorCodes

from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9
FRAME_BYTES_MAX: Final = 16_384
"""The default of the protocol, which nobody is told to exceed."""

TINY_DATA_BYTES: Final = 16
"""A smaller piece of a body costs us a hundred times what it costs its sender."""


class Kind(IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


_END_STREAM: Final = 0x1
_ACK: Final = 0x1
_END_HEADERS: Final = 0x4


class LinkError(CheckreinError):
    """A peer broke the protocol or a limit; the connection is spent. `error` goes into GOAWAY."""

    def __init__(self, code: str, message: str, error: ErrorCodes) -> None:
        super().__init__(code, message)
        self.error = error


class Frame(NamedTuple):
    """`data` is the whole frame as it came, its nine bytes of header included."""

    kind: int
    flags: int
    stream_id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """`head_block_bytes_max`: compressed, HEADERS and CONTINUATION together. The rates allow a
    burst of one second's worth. `control_frames_per_second_max` counts what carries nothing:
    PING, SETTINGS, PRIORITY, CONTINUATION, unknown frames, empty and tiny DATA, and
    WINDOW_UPDATE beyond two for each DATA frame that was sent to the peer."""

    head_block_bytes_max: int = 32_768
    resets_per_second_max: int = 100
    control_frames_per_second_max: int = 1_000


class _Rate:
    """So many a second, in a burst of one second at most."""

    __slots__ = ("_at", "_left", "_per_second")

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        if self._at is not None and now > self._at:
            earned = (now - self._at) * self._per_second
            self._left = min(float(self._per_second), self._left + earned)
        self._at = now
        self._left -= 1.0
        return self._left >= 0.0


class FrameReader:
    """`feed`, then `read` until it gives None. After an error it can't be used any more."""

    def __init__(self, limits: FrameLimits, *, expects_preface: bool) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._at = 0
        self._preface_left = PREFACE if expects_preface else b""
        self._is_first = True
        self._block_bytes: int | None = None
        self._resets = _Rate(limits.resets_per_second_max)
        self._controls = _Rate(limits.control_frames_per_second_max)
        self._updates_earned = 0

    @property
    def is_midway(self) -> bool:
        """Whether a frame, a block of headers or the beginning is incomplete."""
        return bool(self._buffer) or self._block_bytes is not None or self._is_first

    def feed(self, data: bytes) -> None:
        if self._preface_left:
            size = min(len(self._preface_left), len(data))
            if data[:size] != self._preface_left[:size]:
                raise _refused("http2.preface", "the connection does not begin as HTTP/2 does")
            self._preface_left = self._preface_left[size:]
            data = data[size:]
        self._buffer += data

    def note_data_sent(self) -> None:
        """The peer has a reason to send window updates."""
        self._updates_earned += 2

    def note_reset(self, now: float) -> None:
        """Count a stream that ended in RST_STREAM, whichever side sent it.

        Raises:
            LinkError: `http2.reset_flood`.
        """
        if not self._resets.take(now):
            raise _calm("http2.reset_flood", "the peer has too many streams reset")

    def read(self, now: float) -> Frame | None:
        """The next whole frame.

        Raises:
            LinkError: it breaks a limit.
        """
        buffer, at = self._buffer, self._at
        if len(buffer) - at < HEADER_BYTES:
            self._trim()
            return None
        length = int.from_bytes(buffer[at : at + 3], "big")
        kind, flags = buffer[at + 3], buffer[at + 4]
        if length > FRAME_BYTES_MAX:
            raise LinkError(
                "http2.frame_too_large", "a frame is too large", ErrorCodes.FRAME_SIZE_ERROR
            )
        if self._is_first and (kind != Kind.SETTINGS or flags & _ACK):
            raise _refused("http2.preface", "the first frame is not SETTINGS")
        if self._block_bytes is not None and kind != Kind.CONTINUATION:
            raise _refused("http2.malformed", "a frame stands inside a block of headers")
        end = at + HEADER_BYTES + length
        if len(buffer) < end:
            self._trim()
            return None
        self._is_first = False
        stream_id = int.from_bytes(buffer[at + 5 : at + 9], "big") & 0x7FFF_FFFF
        self._count(kind, flags, length, now)
        frame = Frame(kind, flags, stream_id, bytes(buffer[at:end]))
        self._at = end
        return frame

    def _trim(self) -> None:
        del self._buffer[: self._at]
        self._at = 0

    def _count(self, kind: int, flags: int, length: int, now: float) -> None:
        """Hold a frame against the limits."""
        if kind in (Kind.HEADERS, Kind.CONTINUATION, Kind.PUSH_PROMISE):
            block = (self._block_bytes or 0) + length
            if block > self._limits.head_block_bytes_max:
                raise _calm("http2.head_too_large", "a block of headers is too large")
            self._block_bytes = None if flags & _END_HEADERS else block
            is_costly = kind == Kind.CONTINUATION
        elif kind == Kind.DATA:
            is_costly = length < TINY_DATA_BYTES and not flags & _END_STREAM
        elif kind == Kind.RST_STREAM:
            self.note_reset(now)
            is_costly = False
        elif kind == Kind.WINDOW_UPDATE and self._updates_earned:
            self._updates_earned -= 1
            is_costly = False
        else:
            is_costly = True
        if is_costly and not self._controls.take(now):
            raise _calm("http2.control_flood", "the peer sends too many frames that carry nothing")


def _refused(code: str, message: str) -> LinkError:
    return LinkError(code, message, ErrorCodes.PROTOCOL_ERROR)


def _calm(code: str, message: str) -> LinkError:
    return LinkError(code, message, ErrorCodes.ENHANCE_YOUR_CALM)
