"""HTTP/2 frames by hand, well-formed or not, and what is heard in return."""

from __future__ import annotations

from collections.abc import Iterable

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from gateway.model.exchange import Header
from gateway.wire.http2_frames import PREFACE

START = PREFACE + SettingsFrame(0).serialize()
REQUEST: tuple[Header, ...] = (
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"api.test"),
    (b":path", b"/v1/things"),
)


def raw(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Any frame, whatever its type says about what may be in it."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big")
    return head + payload


def block(headers: Iterable[Header]) -> bytes:
    """A header list, compressed without a table, so that blocks can stand in any order."""
    encoder = Encoder()
    encoder.header_table_size = 0
    encoded: bytes = encoder.encode([(name, value, True) for name, value in headers])
    return encoded


def headers(
    stream_id: int, listed: Iterable[Header] = REQUEST, *, ends: bool = True, whole: bool = True
) -> bytes:
    """HEADERS; not `whole`, a CONTINUATION must follow."""
    frame = HeadersFrame(stream_id, block(listed))
    for flag, is_set in (("END_STREAM", ends), ("END_HEADERS", whole)):
        if is_set:
            frame.flags.add(flag)
    serialized: bytes = frame.serialize()
    return serialized


def with_header(*extra: Header) -> tuple[Header, ...]:
    return (*REQUEST, *extra)


def changed(name: bytes, value: bytes | None) -> tuple[Header, ...]:
    """The request with one pseudo-header changed, or left out."""
    return tuple(
        (each, old if each != name else value)
        for each, old in REQUEST
        if each != name or value is not None
    )  # type: ignore[misc]


def data(stream_id: int, body: bytes, *, ends: bool = False) -> bytes:
    frame = DataFrame(stream_id, body)
    if ends:
        frame.flags.add("END_STREAM")
    serialized: bytes = frame.serialize()
    return serialized


def reset(stream_id: int, error: int = 8) -> bytes:
    serialized: bytes = RstStreamFrame(stream_id, error_code=error).serialize()
    return serialized


def window(stream_id: int, increment: int) -> bytes:
    serialized: bytes = WindowUpdateFrame(stream_id, window_increment=increment).serialize()
    return serialized


class Heard:
    """Frames that came from the other side, read one by one."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._buffer = bytearray()
        self._decoder = Decoder()
        self._heads: dict[int, list[dict[bytes, bytes]]] = {}

    def feed(self, received: bytes) -> None:
        self._buffer += received
        while len(self._buffer) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(bytes(self._buffer[:9])))
            if len(self._buffer) < 9 + length:
                return
            frame.parse_body(memoryview(bytes(self._buffer[9 : 9 + length])))
            del self._buffer[: 9 + length]
            self.frames.append(frame)
            if isinstance(frame, HeadersFrame):
                listed = self._decoder.decode(frame.data, raw=True)
                self._heads.setdefault(frame.stream_id, []).append(dict(listed))

    def head(self, stream_id: int) -> dict[bytes, bytes]:
        """The first block of headers of a stream; empty when none came."""
        return self._heads.get(stream_id, [{}])[0]

    def trailers(self, stream_id: int) -> dict[bytes, bytes]:
        heads = self._heads.get(stream_id, [])
        return heads[1] if len(heads) > 1 else {}

    def body(self, stream_id: int) -> bytes:
        pieces = [f for f in self.frames if isinstance(f, DataFrame)]
        return b"".join(f.data for f in pieces if f.stream_id == stream_id)

    def resets(self) -> dict[int, int]:
        """Error codes of streams that were reset."""
        return {f.stream_id: f.error_code for f in self.frames if isinstance(f, RstStreamFrame)}

    def opened(self, stream_id: int) -> int:
        """How much window a stream was given beyond its first."""
        updates = [f for f in self.frames if isinstance(f, WindowUpdateFrame)]
        return sum(f.window_increment for f in updates if f.stream_id == stream_id)

    @property
    def goodbye(self) -> int | None:
        """The error code of the GOAWAY that came, if one did."""
        codes = [f.error_code for f in self.frames if isinstance(f, GoAwayFrame)]
        return codes[0] if codes else None

    def has_ended(self, stream_id: int) -> bool:
        return any(f.stream_id == stream_id and "END_STREAM" in f.flags for f in self.frames)
