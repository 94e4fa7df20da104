"""One connection to an upstream: bytes of a wire -> the answer to one request at a time.

Everything happens in callbacks of the wire; no task and no timer belong to a request. `check`,
called a few times a second by the owner, enforces the deadlines. It must never be given back to
the pool when it is not certain that both sides agree where the next answer starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.enforce.http1_response import ResponseLimits, ResponseReader
from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError, UpstreamError
from gateway.model.exchange import Header, HttpRequest, ResponseHead
from gateway.model.quick import quick
from gateway.ports import AgentChannel, Switched, Wire


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds without progress, by phase; see `UpstreamSettings`."""

    first_byte: float
    quiet: float
    stalled: float
    paused: float


@quick
@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended: complete when `fault` is None. `was_silent`: no byte of an answer came."""

    fault: CheckreinError | None
    was_silent: bool


REFUSED: Final = "upstream.refused_stream"
"""Code of a fault: an upstream of HTTP/2 says that it has not looked at the request (RFC 9113,
section 8.7)."""


class Turn:
    """One request on a connection, and what is known about its answer so far."""

    __slots__ = (
        "began",
        "channel",
        "ended",
        "has_news",
        "is_uploading",
        "on_head",
        "quiet_since",
        "response_bytes",
        "status",
        "switched",
        "trailers",
    )

    def __init__(self, channel: AgentChannel, ended: asyncio.Future[Ending], now: float) -> None:
        self.channel = channel
        self.ended = ended
        self.status: int | None = None
        self.began = False
        self.response_bytes = 0
        self.is_uploading = False
        self.on_head: Callable[[], object] | None = None
        self.trailers: tuple[Header, ...] = ()
        self.switched: Switched | None = None
        # Progress is only noted; `check` reads the clock for it.
        self.has_news = False
        self.quiet_since = now


class Connection:
    """`ports.WireReceiver`, `ports.Flow` and `ResponseSink` in one, to save objects and calls.

    `on_free` is called when it may carry another request, `on_gone` once when it can't any more.
    """

    is_http2 = False

    __slots__ = (
        "_deadlines",
        "_drained",
        "_is_full",
        "_is_paused",
        "_on_free",
        "_on_gone",
        "_reader",
        "_turn",
        "_wire",
        "agent",
        "idle_since",
        "is_gone",
        "uses",
    )

    def __init__(
        self,
        agent: str,
        limits: ResponseLimits,
        deadlines: Deadlines,
        on_free: Callable[[Connection], None],
        on_gone: Callable[[Connection], None],
    ) -> None:
        self.agent = agent
        self.uses = 0
        self.idle_since = 0.0
        self.is_gone = False
        self._reader = ResponseReader(self, limits)
        self._deadlines = deadlines
        self._on_free = on_free
        self._on_gone = on_gone
        self._wire: Wire | None = None
        self._turn: Turn | None = None
        self._is_full = False
        self._drained: asyncio.Future[None] | None = None
        self._is_paused = False

    def attach(self, wire: Wire) -> None:
        """Use a wire that is connected, with TLS done where it belongs."""
        self._wire = wire
        if wire.is_closing:
            self.drop()

    # --- the owner's side -------------------------------------------------------------------------

    def start(self, turn: Turn, method: str, *data: bytes) -> None:
        """Send a request's first bytes and expect its answer."""
        assert self._turn is None, "one request at a time"
        wire = self._wire
        assert wire is not None
        self._turn = turn
        self.uses += 1
        self._reader.begin(method)
        for piece in data:
            wire.write(piece)

    def start_websocket(self, turn: Turn, request: HttpRequest, head: bytes) -> None:
        """Send a handshake. A connection that then switches is its turn's, and no longer ours."""
        assert self._turn is None, "one request at a time"
        wire = self._wire
        assert wire is not None
        self._turn = turn
        self.uses += 1
        self._reader.begin(request.method, request)
        wire.write(head)

    def write(self, data: bytes) -> None:
        """Send more of the body."""
        if self._turn is not None and self._wire is not None:
            self._turn.has_news = True
            self._wire.write(data)

    async def wait_drained(self) -> None:
        """Wait while too much is unsent. Ends by itself when the turn ends."""
        if self._is_full and self._turn is not None:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def check(self, now: float) -> None:
        """Enforce the deadlines, and notice an agent that is gone."""
        turn = self._turn
        if turn is None:
            return
        if turn.channel.is_gone:
            self.fail(UpstreamError("agent_gone", "the agent is gone", sent=True))
            return
        if turn.has_news:
            turn.has_news = False
            turn.quiet_since = now
        quiet = now - turn.quiet_since
        if self._is_paused:
            if quiet > self._deadlines.paused:
                self.fail(_late("agent_stalled", "the agent stopped reading the answer"))
        elif self._is_full:
            if quiet > self._deadlines.stalled:
                self.fail(_late("upstream.stalled", "the upstream stopped reading the request"))
        elif turn.is_uploading and not self._reader.has_bytes:
            return  # the agent's own deadlines hold while its body is awaited
        elif not self._reader.has_bytes:
            if quiet > self._deadlines.first_byte:
                self.fail(_late("upstream.timed_out", "the upstream did not answer in time"))
        elif quiet > self._deadlines.quiet:
            self.fail(_late("upstream.timed_out", "the upstream stopped in its answer"))

    def fail(self, fault: CheckreinError) -> None:
        """End the turn without a complete answer, and drop the connection."""
        self._finish(fault)
        self.drop()

    def abandon(self, turn: Turn) -> None:
        """Close at once if this turn is still on; otherwise the connection is somebody else's."""
        if turn.switched is not None:
            turn.switched.wire.abort()
        elif self._turn is turn:
            self.drop()

    def drop(self) -> None:
        """Close at once. Safe to repeat."""
        if self._turn is not None:
            self._finish(_closed())
        if self._wire is not None:
            self._wire.abort()
        self._be_gone()

    def retire(self) -> None:
        """Close an idle connection in the proper way."""
        if self._wire is not None:
            self._wire.close()
        self._be_gone()

    # --- ports.WireReceiver -----------------------------------------------------------------------

    def wire_data(self, data: bytes) -> None:
        turn = self._turn
        if turn is None:
            # Nobody asked: whatever it is, the next answer could not be trusted.
            self.drop()
            return
        turn.has_news = True
        try:
            self._reader.feed(data)
        except UpstreamError as error:
            self.fail(error)

    def wire_eof(self) -> None:
        if self._turn is None:
            self.retire()
            return
        try:
            self._reader.eof()
        except UpstreamError as error:
            self.fail(error)

    def wire_full(self) -> None:
        self._is_full = True

    def wire_drained(self) -> None:
        self._is_full = False
        if self._turn is not None:
            self._turn.has_news = True
        self._release_writer()

    def wire_lost(self, error: Exception | None) -> None:
        if self._turn is not None:
            self._finish(_closed(error))
        self._wire = None
        self._be_gone()

    # --- ports.Flow: the agent reads too slowly ---------------------------------------------------

    def pause_reading(self) -> None:
        if self._wire is not None and self._turn is not None:
            self._is_paused = True
            self._turn.has_news = True
            self._wire.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused and self._wire is not None:
            self._is_paused = False
            if self._turn is not None:
                self._turn.has_news = True
            self._wire.resume_reading()

    # --- ResponseSink -----------------------------------------------------------------------------

    def response_head(self, head: ResponseHead) -> None:
        turn = self._turn
        assert turn is not None
        turn.status = head.status
        if turn.on_head is not None:
            turn.on_head()
        if not turn.channel.is_gone:
            turn.began = True
            turn.channel.begin(head, self)

    def response_body(self, data: bytes) -> None:
        turn = self._turn
        if turn is not None:
            turn.response_bytes += len(data)
            turn.channel.write(data)

    def response_trailers(self, trailers: tuple[Header, ...]) -> None:
        if self._turn is not None:
            self._turn.trailers = trailers

    def response_end(self, is_reusable: bool) -> None:
        turn = self._turn
        if turn is None:
            return
        is_reusable = is_reusable and not turn.is_uploading
        self._finish(None)
        if not is_reusable or self._wire is None or self._wire.is_closing:
            self.drop()
            return
        self.resume_reading()
        self._on_free(self)

    def response_switch(self, head: ResponseHead, early: bytes) -> None:
        turn, wire = self._turn, self._wire
        assert turn is not None
        assert wire is not None
        turn.status = head.status
        # Nothing is read until somebody takes it over.
        wire.pause_reading()
        turn.switched = Switched(head, wire, early)
        self._wire = None
        self._finish(None)
        self._be_gone()

    # --- parts ------------------------------------------------------------------------------------

    def _finish(self, fault: CheckreinError | None) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if turn.began:
            if fault is None:
                turn.channel.finish(turn.trailers)
            else:
                turn.channel.cut()
        self._release_writer()
        if not turn.ended.done():
            turn.ended.set_result(Ending(fault, not self._reader.has_bytes))

    def _release_writer(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def _be_gone(self) -> None:
        if not self.is_gone:
            self.is_gone = True
            self._on_gone(self)


def _late(code: str, message: str) -> UpstreamError:
    return UpstreamError(code, message, sent=True, status=504)


def _closed(cause: Exception | None = None) -> UpstreamError:
    if isinstance(cause, CheckreinError):
        return UpstreamError("upstream.closed", f"the upstream failed: {cause.message}", sent=True)
    return UpstreamError("upstream.closed", "the upstream closed the connection", sent=True)
