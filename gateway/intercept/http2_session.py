"""One agent's HTTP/2 connection inside an intercepted tunnel: every stream is its own exchange.

One task for each stream, with its own decision, its own record and its own hold. What is wrong
with a request is answered on its stream; what is wrong with the connection ends it with GOAWAY.

Only agents that need HTTP/2 get here, because it is dear: framing and header compression are pure
Python, and beside each other (`python -m tests.benchmarks.http2`) a governed read takes 3.7 times
the CPU that it takes over HTTP/1.1 on both legs (5.1 times with HTTP/2 on both), and a write, whose
intent is synced to disk, 1.7 times (2.2). A client that offers both protocols gets HTTP/1.1, unless
its host is named in `http2_hosts`; one that offers HTTP/2 alone, as clients of gRPC do, gets that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

from gateway import telemetry
from gateway.intercept import answers
from gateway.intercept.http1 import Head, Limits
from gateway.intercept.http2_head import parse_head
from gateway.intercept.http2_stream import Http2Stream
from gateway.intercept.inlet import Gone
from gateway.intercept.request import make_request, tunnelled_target
from gateway.intercept.settings import InterceptSettings
from gateway.model.dataclass import dataclass
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, Exchange, Principal
from gateway.model.grpc import is_grpc_call
from gateway.ports import Clock, Governor, Wire
from gateway.wire.http2_frames import FrameLimits, LinkError
from gateway.wire.http2_link import Http2Link, LinkLimits, PeerLeaves

log = logging.getLogger(__name__)

LOOK_SECONDS_MAX: Final = 1.0
"""How often deadlines are looked at, unless one of them is shorter."""


@dataclass(frozen=True, slots=True, eq=False)
class Http2Surroundings:
    """What the session of the connection gives: who acts, and where refusals are noted."""

    settings: InterceptSettings
    governor: Governor
    clock: Clock
    new_id: Callable[[str], str]
    recognize: Callable[[], Awaitable[Principal]]
    note_refusal: Callable[[AgentProtocolError], None]


class Http2Session:
    """`ports.WireReceiver` of the connection. `serve` is its whole life."""

    def __init__(
        self,
        surroundings: Http2Surroundings,
        wire: Wire,
        authority: Authority,
        refused: AgentProtocolError | None,
    ) -> None:
        """`refused` tells why nothing may be asked here, if so; every stream is told."""
        settings = surroundings.settings
        self._s = surroundings
        self._wire = wire
        self._authority = authority
        self._refused = refused
        self._head_limits = Limits(
            settings.head_bytes_max, settings.headers_max, settings.target_bytes_max
        )
        self._link = Http2Link(link_limits(settings), is_client=False)
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, Http2Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._is_draining = False
        self._is_full = False
        self._is_stirred = False
        self._held_bytes = 0
        self._idle_since: float | None = self._loop.time()
        self._midway_since: float | None = self._loop.time()
        self._full_since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def serve(self) -> None:
        """Serve until either side ends the connection. Never raises but for cancellation."""
        self._link.start()
        self._flush()
        self._look()
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            self._wire.abort()
            for task in self._tasks:
                task.cancel()
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for stream in self._streams.values():
                stream.leave()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def drain(self) -> None:
        """Take no new streams; end after those in flight."""
        if not self._is_draining:
            self._is_draining = True
            self._link.say_goodbye()
            self._flush()
        self._end_if_idle()

    # --- ports.WireReceiver ---------------------------------------------------------------------

    def wire_data(self, data: bytes) -> None:
        now = self._loop.time()
        try:
            for event in self._link.feed(data, now):
                self._take(event, now)
        except LinkError as error:
            self._s.note_refusal(AgentProtocolError(error.code, error.message))
            self._flush()
            self._end()
            return
        if not self._link.is_midway:
            self._midway_since = None
        elif self._midway_since is None:
            self._midway_since = now
        self._pump()

    def wire_eof(self) -> None:
        self._end()

    def wire_full(self) -> None:
        self._is_full = True
        self._full_since = self._loop.time()

    def wire_drained(self) -> None:
        self._is_full = False
        self._pump()

    def wire_lost(self, error: Exception | None) -> None:
        self._end()

    # --- events ---------------------------------------------------------------------------------

    def _take(self, event: Event | PeerLeaves, now: float) -> None:
        match event:
            case RequestReceived():
                self._begin(event, now)
            case DataReceived():
                stream = self._streams.get(event.stream_id)
                if stream is None or stream.is_gone or stream.is_done:
                    self._link.take_in(event.stream_id, event.flow_controlled_length)
                else:
                    stream.take_data(event.data, event.flow_controlled_length)
            case StreamEnded():
                if (stream := self._streams.get(event.stream_id)) is not None:
                    stream.take_end()
            case TrailersReceived():
                # Nothing decides on them, so nobody gets them (as with HTTP/1.1).
                if (stream := self._streams.get(event.stream_id)) is not None and event.headers:
                    stream.refuse(ErrorCodes.PROTOCOL_ERROR)
                    self._s.note_refusal(_TRAILERS)
                    stream.leave()
            case StreamReset():
                if (stream := self._streams.get(event.stream_id)) is not None:
                    stream.leave()
            case PeerLeaves():
                self._is_draining = True
                self._end_if_idle()
            case _:
                pass  # settings, pings and windows: the library has done what is to be done

    def _begin(self, event: RequestReceived, now: float) -> None:
        stream_id = event.stream_id
        settings = self._s.settings
        if self._is_draining or len(self._streams) >= settings.http2_streams_max:
            self._link.refuse_stream(stream_id, now)
            return
        stream = Http2Stream(stream_id, self._link, settings, self._stir, self._hold, now)
        self._streams[stream_id] = stream
        self._idle_since = None
        ends = event.stream_ended is not None
        headers = [(bytes(name), bytes(value)) for name, value in event.headers]
        name = f"stream-{self._wire.peer[1]}-{stream_id}"
        task = asyncio.create_task(self._serve_stream(stream, headers, ends=ends), name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._served, stream))

    def _served(self, stream: Http2Stream, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        stream.is_served = True
        if not task.cancelled() and task.exception() is not None:
            telemetry.BUGS.inc()
            log.error("a stream failed", exc_info=task.exception())
        self._pump()

    # --- one stream -----------------------------------------------------------------------------

    async def _serve_stream(
        self, stream: Http2Stream, headers: list[tuple[bytes, bytes]], *, ends: bool
    ) -> None:
        fields: dict[bytes, bytes] = dict(headers)
        try:
            head = parse_head(headers, self._head_limits, ends=ends)
            target = tunnelled_target(head, self._authority)
            if self._refused is not None:
                raise self._refused
            await self._exchange(stream, head, target)
        except Gone:
            pass
        except AgentProtocolError as error:
            self._s.note_refusal(error)
            if stream.is_fresh:
                stream.respond(answers.refusal(error, is_grpc=is_grpc_call(fields)))
        except asyncio.CancelledError:
            stream.refuse(ErrorCodes.CANCEL)
            raise
        except Exception:
            log.exception("a stream failed")
            telemetry.BUGS.inc()
            if stream.is_fresh:
                stream.respond(answers.fault(is_grpc=is_grpc_call(fields)))
            else:
                stream.cut()
        finally:
            stream.detach()

    async def _exchange(self, stream: Http2Stream, head: Head, target: bytes) -> None:
        prefix, is_whole = await stream.collect(head)
        stream.body = lambda: stream.rest(prefix)
        body = b"".join(prefix) if is_whole else None
        request = make_request(head, "https", self._authority, target, body)
        principal = await self._s.recognize()
        if stream.is_gone:
            raise Gone
        exchange = Exchange(
            self._s.new_id("req"), principal, replace(request, is_http2=True), self._s.clock.now()
        )
        await self._s.governor.govern(exchange, stream)
        if not stream.is_done and not stream.is_gone:
            raise AssertionError("an exchange ended without an answer")

    def _hold(self, count: int) -> None:
        """Count bytes of bodies that are kept whole until they are decided.

        Raises:
            AgentProtocolError: all streams together keep too many.
        """
        self._held_bytes += count
        if count > 0 and self._held_bytes > self._s.settings.http2_held_bytes_max:
            raise AgentProtocolError(
                "http2.bodies_too_large", "the bodies on this connection are too large", 413
            )

    # --- sending --------------------------------------------------------------------------------

    def _stir(self) -> None:
        """Send at the end of this turn of the loop, all streams together."""
        if not self._is_stirred:
            self._is_stirred = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._is_stirred = False
        now = self._loop.time()
        for stream in list(self._streams.values()):
            if not self._is_full:
                stream.pump(now)
                self._flush()
            if stream.is_served and (stream.is_gone or stream.outflow.is_done):
                self._let_go(stream)
        self._flush()
        self._end_if_idle()

    def _let_go(self, stream: Http2Stream) -> None:
        """The answer is sent. What the agent has not sent by now is not wanted (RFC 9113, 8.1)."""
        del self._streams[stream.stream_id]
        if not stream.has_ended and not stream.is_gone:
            self._link.reset(stream.stream_id, ErrorCodes.NO_ERROR)
        if not self._streams:
            self._idle_since = self._loop.time()

    def _flush(self) -> None:
        output = self._link.take_output()
        if output:
            self._wire.write(output)

    # --- ending ---------------------------------------------------------------------------------

    def _end_if_idle(self) -> None:
        if self._is_draining and not self._streams:
            self._end()

    def _end(self) -> None:
        for stream in self._streams.values():
            stream.leave()
        self._ended.set()

    def _look(self) -> None:
        """Enforce the deadlines of the connection: one timer for all of them."""
        settings, now = self._s.settings, self._loop.time()
        stall = settings.write_stall_seconds_max
        if self._midway_since is not None and now - self._midway_since > settings.head_seconds_max:
            self._give_up(AgentProtocolError("request.timed_out", "a frame took too long", 408))
        elif self._idle_since is not None and (
            now - self._idle_since > settings.keep_alive_seconds_max
        ):
            self.drain()
        elif self._is_full and now - self._full_since > stall:
            self._wire.abort()
            self._end()
        for stream in list(self._streams.values()):
            if stream.outflow.kept_bytes and now - stream.moved_at > stall:
                stream.refuse(ErrorCodes.CANCEL)
                stream.leave()
        self._pump()
        if not self._ended.is_set():
            seconds = min(LOOK_SECONDS_MAX, stall / 4, settings.head_seconds_max / 4)
            self._timer = self._loop.call_later(seconds, self._look)

    def _give_up(self, error: AgentProtocolError) -> None:
        self._s.note_refusal(error)
        self._link.say_goodbye(ErrorCodes.ENHANCE_YOUR_CALM)
        self._flush()
        self._end()


_TRAILERS: Final = AgentProtocolError("request.trailers", "a request's trailers are not passed on")


def link_limits(settings: InterceptSettings) -> LinkLimits:
    """The limits of an agent's connection."""
    frames = FrameLimits(
        settings.head_bytes_max,
        settings.http2_resets_per_second_max,
        settings.http2_control_frames_per_second_max,
    )
    return LinkLimits(frames, settings.http2_streams_max, settings.head_bytes_max)
