"""What one agent sends -> heads and bodies to wait for, each phase with its own deadline.

The receiving half of a session: it feeds the reader, wakes the session's task, bounds what is kept,
and notices that the agent left, also while its request waits for a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from gateway.intercept import answers
from gateway.intercept.channel import Channel
from gateway.intercept.deadline import Deadline
from gateway.intercept.http1 import Head, Limits, RequestReader
from gateway.intercept.settings import InterceptSettings
from gateway.model.errors import AgentProtocolError
from gateway.ports import Wire

READ_AHEAD_BYTES_MAX: Final = 262_144
"""What is kept of a body that nobody waits for just now: one read of the wire."""


FRESH_SECONDS_MAX: Final = 1.0
"""How long a connection that has carried nothing yet may take to ask, once the gateway drains:
its client was told that it is connected, and its request may be on the way."""


class Gone(Exception):
    """The agent is; there is nobody to answer."""


class Inlet:
    """The `WireReceiver` of an agent's connection. `wire` may be exchanged, for TLS."""

    def __init__(self, settings: InterceptSettings) -> None:
        self.wire: Wire
        self.is_gone = False
        self.is_draining = False
        self.may_half_close = True
        self._has_ended = False
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(
            Limits(settings.head_bytes_max, settings.headers_max, settings.target_bytes_max)
        )
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = Deadline(self._loop, self._expire)
        self._stall = Deadline(self._loop, self._cut_off)
        self._is_late = False
        self._is_full = False
        self._is_idle = True
        self._has_served = False
        self._is_paused = False
        self._in_flight: Channel | None = None
        self._streams = False

    @property
    def buffered_bytes(self) -> int:
        return self._reader.buffered_bytes

    @property
    def is_complete(self) -> bool:
        """Whether the request was read to its end."""
        return self._reader.is_complete

    @property
    def is_spent(self) -> bool:
        """Whether no other request can come."""
        return self.is_draining or (self._has_ended and not self._reader.buffered_bytes)

    def drain(self) -> None:
        """End after the request in flight; at once when there is none."""
        self.is_draining = True
        if not self._has_served:
            self._loop.call_later(FRESH_SECONDS_MAX, self._leave_if_idle)
        else:
            self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._is_idle:
            self.leave()

    def end(self) -> None:
        """Leave nothing in the loop."""
        self.leave()
        self._deadline.end()
        self._stall.end()

    # --- what the wire tells ----------------------------------------------------------------------

    def wire_data(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._waiter is not None:
            self._wake()
        elif self._in_flight is not None and not self._streams:
            self._check_flood()
        elif self._reader.buffered_bytes > READ_AHEAD_BYTES_MAX:
            self._is_paused = True
            self.wire.pause_reading()

    def wire_eof(self) -> None:
        """In plain HTTP an agent may end its side behind its request and still read the answer
        (RFC 9112, section 9.6). In TLS, libraries say so only when they close."""
        if not self.may_half_close:
            self.leave()
            return
        self._has_ended = True
        if self._in_flight is not None:
            self._in_flight.end_input()
        self._wake()

    def wire_full(self) -> None:
        self._is_full = True
        self._stall.set(self._loop.time() + self._settings.write_stall_seconds_max)
        if self._in_flight is not None:
            self._in_flight.full()

    def wire_drained(self) -> None:
        self._is_full = False
        self._stall.clear()
        if self._in_flight is not None:
            self._in_flight.drained()
        self._wake()

    def wire_lost(self, error: Exception | None) -> None:
        self.leave()

    def leave(self) -> None:
        """The agent is gone, or we are done with it."""
        self.is_gone = True
        if self._in_flight is not None:
            self._in_flight.leave()
        self._wake()

    def _check_flood(self) -> None:
        """Reading goes on while a request is in flight, so that a leaving agent is noticed
        (nothing may be sent for it then). What it pipelines is bounded by cutting it off."""
        if self._reader.buffered_bytes > self._settings.pipelined_bytes_max:
            self._cut_off()

    def _cut_off(self) -> None:
        self.wire.abort()
        self.leave()

    def _expire(self) -> None:
        self._is_late = True
        self._wake()

    # --- waiting ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.wire.resume_reading()

    async def _more(self, due_at: float) -> bool:
        """Wait until something happened; False when `due_at` has passed.

        Raises:
            Gone: the agent is.
        """
        if self.is_gone or self._has_ended:
            raise Gone
        self._is_late = False
        self._deadline.set(due_at)
        self._waiter = self._loop.create_future()
        self._resume()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline.clear()
        if self.is_gone:
            raise Gone
        # What came before the end is still looked at; nothing can be awaited behind it.
        return self._has_ended or not self._is_late

    async def read_head(self, idle_seconds_max: float) -> Head:
        """The next head. Silence before it ends the connection without a word.

        Raises:
            AgentProtocolError: it is refused, or `request.timed_out`.
            Gone: the agent is, or nothing came.
        """
        reader, began = self._reader, self._reader.buffered_bytes > 0
        self._is_idle = not began
        head_seconds_max = self._settings.head_seconds_max
        due_at = self._loop.time() + (head_seconds_max if began else idle_seconds_max)
        try:
            while (head := reader.read_head()) is None:
                if self.is_draining and not began and self._has_served:
                    raise Gone
                if not await self._more(due_at):
                    if not began:
                        raise Gone
                    raise AgentProtocolError("request.timed_out", "the head took too long", 408)
                if not began and reader.buffered_bytes:
                    began, self._is_idle = True, False
                    due_at = self._loop.time() + head_seconds_max
        finally:
            self._is_idle = False
        if self.is_gone:
            raise Gone
        return head

    async def collect(self, head: Head) -> tuple[list[bytes], bool]:
        """Read the body up to the inspection limit; whether that was all of it."""
        reader, settings = self._reader, self._settings
        if reader.is_complete:
            return [], True
        if head.body_bytes is not None and head.body_bytes > settings.body_bytes_max:
            return [], False
        if head.expects_continue and not reader.buffered_bytes:
            self.wire.write(answers.CONTINUE)
        pieces: list[bytes] = []
        left = settings.body_bytes_max
        while True:
            piece = reader.read_body()
            if piece:
                pieces.append(piece)
                left -= len(piece)
            if left < 0 or reader.is_complete:
                return pieces, left >= 0
            await self._more_body()

    async def body_rest(self, head: Head, prefix: list[bytes]) -> AsyncIterator[bytes]:
        """The whole body in pieces: what was collected, then what comes, no faster than it is
        taken."""
        reader = self._reader
        for piece in prefix:
            yield piece
        if not prefix and head.expects_continue and not reader.buffered_bytes:
            self.wire.write(answers.CONTINUE)
        prefix.clear()
        is_over = reader.is_complete
        while not is_over:
            piece = reader.read_body()
            is_over = reader.is_complete
            if piece:
                yield piece
            elif not is_over:
                await self._more_body()

    async def _more_body(self) -> None:
        due_at = self._loop.time() + self._settings.body_idle_seconds_max
        try:
            if await self._more(due_at):
                return
        except Gone:
            raise AgentProtocolError("body.cut", "the agent left within its body") from None
        raise AgentProtocolError("body.timed_out", "the body stopped coming", 408)

    async def start_next(self) -> None:
        """Go on to the next request, once the agent has read enough of the last answer."""
        while self._is_full:
            await self._more(self._loop.time() + self._settings.write_stall_seconds_max)
        self._reader.start_next()

    def begin_exchange(self, channel: Channel, *, streams: bool) -> None:
        """From now until `end_exchange` the channel is told of what happens to the agent."""
        self._in_flight, self._streams, self._has_served = channel, streams, True
        if not streams:
            self._resume()
            self._check_flood()
        if self.is_gone:
            channel.leave()
        elif self._has_ended:
            channel.end_input()

    def end_exchange(self) -> None:
        self._in_flight, self._streams = None, False
