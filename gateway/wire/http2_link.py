"""One HTTP/2 connection without its socket: bytes in, events out; orders in, bytes out. Pure.

Framing, header compression, stream states and windows are the `h2` library's, which is strict. It
gets one frame at a time, so that what came before a fault is told whatever way the bytes were
split. GOAWAY it never sees: it would take the connection for closed, where the streams that were
begun still end in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, StreamReset
from h2.exceptions import H2Error, ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from gateway.model.dataclass import dataclass
from gateway.model.exchange import Header
from gateway.wire.http2_frames import (
    FRAME_BYTES_MAX,
    HEADER_BYTES,
    PREFACE,
    Frame,
    FrameLimits,
    FrameReader,
    Kind,
    LinkError,
)

_DEFAULT_WINDOW_BYTES: Final = 65_535
_CLOSED_STREAMS_MAX: Final = 1_024
"""Streams that ended of which the library remembers how; 65,536 by itself."""


class _Connection(H2Connection):
    MAX_CLOSED_STREAMS = _CLOSED_STREAMS_MAX


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """What this side takes. `stream_window_bytes` of one stream may be on the way, and
    `connection_window_bytes` of all: so much memory, and no more, can the peer fill by itself."""

    frames: FrameLimits
    streams_max: int = 100
    head_list_bytes_max: int = 32_768
    stream_window_bytes: int = 262_144
    connection_window_bytes: int = 1_048_576


@dataclass(frozen=True, slots=True)
class PeerLeaves:
    """GOAWAY: streams above `last_stream_id` were not looked at, and no new ones are taken."""

    last_stream_id: int
    error: int


class Http2Link:
    """`start`, then `feed` what comes and write what `take_output` gives."""

    def __init__(self, limits: LinkLimits, *, is_client: bool) -> None:
        self._is_client = is_client
        self._frames = FrameReader(limits.frames, expects_preface=not is_client)
        config = H2Configuration(
            client_side=is_client, header_encoding=None, validate_inbound_headers=True
        )
        self._h2 = _Connection(config)
        codes = {
            SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.head_list_bytes_max,
            SettingCodes.MAX_CONCURRENT_STREAMS: 0 if is_client else limits.streams_max,
            SettingCodes.ENABLE_PUSH: 0,
        }
        self._h2.local_settings = Settings(client=is_client, initial_values=codes)
        self._h2.decoder.max_header_list_size = limits.head_list_bytes_max
        self._window_bytes = limits.connection_window_bytes
        self._goaway = b""

    @property
    def is_midway(self) -> bool:
        """Whether a frame, a block of headers or the beginning is incomplete."""
        return self._frames.is_midway

    @property
    def last_stream_id(self) -> int:
        """The highest stream that the peer has opened."""
        return self._h2.highest_inbound_stream_id

    def start(self) -> None:
        self._h2.initiate_connection()
        if not self._is_client:
            self._h2.receive_data(PREFACE)  # the reader of frames looks for the peer's own
        self._h2.increment_flow_control_window(self._window_bytes - _DEFAULT_WINDOW_BYTES)

    def feed(self, data: bytes, now: float) -> Iterator[Event | PeerLeaves]:
        """Tell what came, frame by frame. Iterate to the end, unless the link is given up.

        Raises:
            LinkError: the peer broke the protocol; what is to be told it is in the output.
        """
        try:
            self._frames.feed(data)
            while (frame := self._frames.read(now)) is not None:
                if frame.kind == Kind.GOAWAY:
                    yield _parse_goaway(frame)
                    continue
                for event in self._receive(frame):
                    if isinstance(event, StreamReset) and not event.remote_reset:
                        self._frames.note_reset(now)
                    yield event
        except LinkError as error:
            if self._h2.state_machine.state is not ConnectionState.CLOSED:
                self.say_goodbye(error.error)  # else the library has said it
            raise

    def _receive(self, frame: Frame) -> list[Event]:
        try:
            return self._h2.receive_data(frame.data)
        except ProtocolError as error:
            # The library's own words may hold bytes of the peer.
            raise LinkError(
                "http2.malformed", "the peer broke the rules of HTTP/2", error.error_code
            ) from error

    def take_output(self) -> bytes:
        """The bytes to write; the goodbye last."""
        output = self._h2.data_to_send()
        if self._goaway:
            output, self._goaway = output + self._goaway, b""
        return output

    # --- orders -----------------------------------------------------------------------------------

    def open_stream(self, headers: Sequence[Header], *, ends: bool) -> int:
        """Begin a stream of our own; its id.

        Raises:
            LinkError: the peer takes none now, or the headers can't be sent.
        """
        try:
            stream_id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream_id, headers, end_stream=ends)
        except H2Error as error:
            raise LinkError(
                "http2.no_stream", "the peer takes no stream now", ErrorCodes.INTERNAL_ERROR
            ) from error
        return stream_id

    def send_headers(self, stream_id: int, headers: Sequence[Header], *, ends: bool) -> bool:
        """Send headers or trailers; False where the stream takes none (any more)."""
        try:
            self._h2.send_headers(stream_id, headers, end_stream=ends)
        except H2Error:
            return False
        return True

    def room(self, stream_id: int) -> int:
        """How many bytes may be sent on a stream now."""
        try:
            return self._h2.local_flow_control_window(stream_id)
        except H2Error:
            return 0

    def send_data(self, stream_id: int, data: bytes, *, ends: bool) -> bool:
        """Send one frame of a body; `data` fits the room and a frame."""
        try:
            self._h2.send_data(stream_id, data, end_stream=ends)
        except H2Error:
            return False
        self._frames.note_data_sent()
        return True

    def take_in(self, stream_id: int, count: int) -> None:
        """Let the peer send as much again as was taken in; of a stream that is over, too."""
        if not count:
            return
        with suppress(H2Error):
            self._h2.acknowledge_received_data(count, stream_id)

    def reset(self, stream_id: int, error: ErrorCodes) -> None:
        with suppress(H2Error):
            self._h2.reset_stream(stream_id, error)

    def refuse_stream(self, stream_id: int, now: float) -> None:
        """Send a stream back unlooked at. That counts, since the peer is to wait for our SETTINGS.

        Raises:
            LinkError: `http2.reset_flood`.
        """
        self.reset(stream_id, ErrorCodes.REFUSED_STREAM)
        try:
            self._frames.note_reset(now)
        except LinkError as error:
            self.say_goodbye(error.error)
            raise

    def say_goodbye(self, error: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Put GOAWAY last into the output; streams that were begun go on."""
        last = 0 if self._is_client else self.last_stream_id
        self._goaway += GoAwayFrame(0, last_stream_id=last, error_code=int(error)).serialize()


def _parse_goaway(frame: Frame) -> PeerLeaves:
    payload = frame.data[HEADER_BYTES:]
    if frame.stream_id or len(payload) < 8:
        raise LinkError("http2.malformed", "GOAWAY is malformed", ErrorCodes.PROTOCOL_ERROR)
    last = int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF
    return PeerLeaves(last, int.from_bytes(payload[4:8], "big"))


HIGH_BYTES: Final = 262_144
LOW_BYTES: Final = 65_536
"""Kept bytes of one stream at which its source is told to stop, and to go on."""


class Outflow:
    """What is to be sent on one stream, as its window opens."""

    __slots__ = ("_has_end", "_link", "_pieces", "_stream_id", "_trailers", "is_done", "kept_bytes")

    def __init__(self, link: Http2Link, stream_id: int) -> None:
        self.kept_bytes = 0
        self.is_done = False
        self._link = link
        self._stream_id = stream_id
        self._pieces: deque[bytes | memoryview] = deque()
        self._has_end = False
        self._trailers: Sequence[Header] = ()

    def write(self, data: bytes) -> None:
        if data and not self.is_done:
            self._pieces.append(data)
            self.kept_bytes += len(data)

    def end(self, trailers: Sequence[Header] = ()) -> None:
        """End the stream after what is kept, with trailers where there are some."""
        self._has_end, self._trailers = True, trailers

    def drop(self) -> None:
        """Send nothing more."""
        self.is_done = True
        self._pieces.clear()
        self.kept_bytes = 0

    def pump(self) -> bool:
        """Send what the window takes; whether anything moved."""
        moved = False
        while self._pieces and not self.is_done:
            room = min(self._link.room(self._stream_id), FRAME_BYTES_MAX)
            if room <= 0:
                return moved
            piece = self._pieces.popleft()
            if len(piece) > room:
                rest = memoryview(piece)  # a long piece is not copied for each of its frames
                self._pieces.appendleft(rest[room:])
                piece = rest[:room]
            self.kept_bytes -= len(piece)
            ends = self._has_end and not self._pieces and not self._trailers
            moved = True
            if not self._link.send_data(self._stream_id, bytes(piece), ends=ends) or ends:
                self.drop()
        if self._has_end and not self.is_done:
            moved = True
            if self._trailers:
                self._link.send_headers(self._stream_id, self._trailers, ends=True)
            else:
                self._link.send_data(self._stream_id, b"", ends=True)
            self.drop()
        return moved
