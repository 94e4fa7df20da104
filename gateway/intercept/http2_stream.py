"""One HTTP/2 stream of an agent: its body to wait for, and the way back for the answer.

What `Inlet` and `Channel` are for a connection of HTTP/1.1. Never sends a body that differs in
length from what its head said: then the stream is reset, and the agent sees the truncation.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from h2.errors import ErrorCodes

from gateway.intercept.channel import FRAMING
from gateway.intercept.http1 import Head
from gateway.intercept.inlet import Gone
from gateway.intercept.settings import InterceptSettings
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Header, Response, ResponseHead
from gateway.model.grpc import MessageBorders, is_grpc_call
from gateway.ports import Flow, Switched
from gateway.wire.http2_link import HIGH_BYTES, LOW_BYTES, Http2Link, Outflow


class _State(Enum):
    FRESH = auto()
    BEGUN = auto()
    DONE = auto()


class Http2Stream:
    """`ports.AgentChannel`. The session feeds it; `stir` asks the session to send soon."""

    def __init__(
        self,
        stream_id: int,
        link: Http2Link,
        settings: InterceptSettings,
        stir: Callable[[], None],
        hold: Callable[[int], None],
        now: float,
    ) -> None:
        self.stream_id = stream_id
        self.outflow = Outflow(link, stream_id)
        self.has_ended = False
        self.is_served = False
        self.held_bytes = 0
        self.moved_at = now
        self._link = link
        self._settings = settings
        self._stir = stir
        self._hold = hold
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._state = _State.FRESH
        self._is_head_request = False
        self._is_grpc = False
        self._flow: Flow | None = None
        self._is_flow_paused = False
        self._headers: list[Header] | None = None
        self._left: int | None = None
        self._has_body = False

    # --- what the agent sends -------------------------------------------------------------------

    def take_data(self, data: bytes, flow_bytes: int) -> None:
        """Keep a piece of the body; `flow_bytes` of the windows are its own until it is used."""
        self._pieces.append((data, flow_bytes))
        self._news.set()

    def take_end(self) -> None:
        self.has_ended = True
        self._news.set()

    async def collect(self, head: Head) -> tuple[list[bytes], bool]:
        """Read the body up to the inspection limit; whether that was all of it.

        A gRPC call that says nothing more between two messages is one that streams: it is decided
        on what is there, and the rest is passed on as it comes.
        """
        self._is_head_request = head.method == "HEAD"
        self._is_grpc = is_grpc_call(head.fields)
        settings = self._settings
        if head.body_bytes is not None and head.body_bytes > settings.body_bytes_max:
            return [], False
        if head.expects_continue and not self._pieces and not self.has_ended:
            self._link.send_headers(self.stream_id, [(b":status", b"100")], ends=False)
            self._stir()
        borders = MessageBorders()
        pieces: list[bytes] = []
        left = settings.body_bytes_max
        while True:
            while self._pieces:
                data = self._next_piece()
                if data:
                    pieces.append(data)
                    self.held_bytes += len(data)
                    self._hold(len(data))
                    left -= len(data)
                if self._is_grpc:
                    borders.feed(data)
                    if borders.is_malformed:
                        raise _bad_message("a gRPC message has a malformed prefix")
            if left < 0:
                return pieces, False
            if self.has_ended:
                if not borders.is_between:
                    raise _bad_message("the body ends within a gRPC message")
                return pieces, True
            if self._is_grpc and borders.is_between:
                if not await self._more(settings.grpc_gather_seconds_max):
                    return pieces, False
            elif not await self._more(settings.body_idle_seconds_max):
                raise AgentProtocolError("body.timed_out", "the body stopped coming", 408)

    async def rest(self, prefix: list[bytes]) -> AsyncIterator[bytes]:
        """The whole body in pieces: what was collected, then what comes, no faster than it is
        taken."""
        for piece in prefix:
            yield piece
        prefix.clear()
        self._hold(-self.held_bytes)
        self.held_bytes = 0
        settings = self._settings
        idle = settings.tunnel_idle_seconds_max if self._is_grpc else settings.body_idle_seconds_max
        while True:
            while self._pieces:
                data = self._next_piece()
                if data:
                    yield data
            if self.has_ended and not self.is_gone:
                return
            try:
                if await self._more(idle):
                    continue
            except Gone:
                raise AgentProtocolError("body.cut", "the agent left within its body") from None
            raise AgentProtocolError("body.timed_out", "the body stopped coming", 408)

    def _next_piece(self) -> bytes:
        """Take a piece, and let the agent send as much again."""
        data, flow_bytes = self._pieces.popleft()
        self._link.take_in(self.stream_id, flow_bytes)
        self._stir()
        return data

    async def _more(self, seconds_max: float) -> bool:
        """Wait for news; False when none came in time.

        Raises:
            Gone: the agent is.
        """
        if self.is_gone:
            raise Gone
        self._news.clear()
        try:
            async with asyncio.timeout(seconds_max):
                await self._news.wait()
        except TimeoutError:
            return False
        if self.is_gone:
            raise Gone
        return True

    # --- ports.AgentChannel ---------------------------------------------------------------------

    body: Callable[[], AsyncIterator[bytes]]
    """Set by the session when the head is read."""

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    @property
    def is_fresh(self) -> bool:
        """Whether no answer was begun."""
        return self._state is _State.FRESH

    @property
    def is_done(self) -> bool:
        return self._state is _State.DONE

    async def wait_gone(self) -> None:
        await self._gone.wait()

    async def carry(self, switched: Switched, note_end: Callable[[int, int], None]) -> None:
        raise AssertionError("HTTP/2 has no upgrades (RFC 9113, section 8.6)")

    def body_rest(self) -> AsyncIterator[bytes]:
        return self.body()

    def respond(self, response: Response) -> None:
        if self.is_gone:
            return
        assert self._state is _State.FRESH, "an exchange is answered once"
        self._state = _State.DONE
        length = (b"content-length", b"%d" % len(response.body))
        framing = [length] if response.body or not is_trailers_only(response) else []
        headers = _head(response.status, response.headers, framing)
        if not self._send_head(headers, ends=not response.body):
            return
        if response.body and self._is_head_request:
            self.outflow.end()
        elif response.body:
            self.outflow.write(response.body)
            self.outflow.end()
        self._stir()

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        if self.is_gone:
            return
        assert self._state is _State.FRESH, "an exchange is answered once"
        self._state = _State.BEGUN
        self._flow = flow
        self._has_body = head.has_body and not self._is_head_request
        framing: list[Header] = []
        if head.body_bytes is not None and head.status != HTTPStatus.NO_CONTENT:
            framing.append((b"content-length", b"%d" % head.body_bytes))
        if self._has_body:
            self._left = head.body_bytes
        # Kept until the end of this turn of the loop: it may be all that there is, and clients of
        # gRPC know an answer without a body by its one frame.
        self._headers = _head(head.status, head.headers, framing)
        asyncio.get_running_loop().call_soon(self._flush_head)

    def write(self, data: bytes) -> None:
        if self.is_gone or self._state is _State.DONE or not self._has_body or not data:
            return
        assert self._state is _State.BEGUN, "a body follows its head"
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.cut()
                return
        self._flush_head()
        self.outflow.write(data)
        if self.outflow.kept_bytes > HIGH_BYTES:
            self.full()
        self._stir()

    def finish(self, trailers: Sequence[Header] = ()) -> None:
        if self.is_gone or self._state is _State.DONE:
            return
        assert self._state is _State.BEGUN, "what is finished was begun"
        if self._left:
            self.cut()
            return
        self._state = _State.DONE
        if self._headers is not None and not trailers:
            headers, self._headers = self._headers, None
            self._send_head(headers, ends=True)
        else:
            self._flush_head()
            self.outflow.end(trailers)
        self._stir()

    def cut(self) -> None:
        if self.is_gone or self._state is _State.DONE:
            return
        self._state = _State.DONE
        self._headers = None
        self._give_up(ErrorCodes.INTERNAL_ERROR)

    # --- what the session tells -----------------------------------------------------------------

    def leave(self) -> None:
        """The agent is gone, or has reset the stream."""
        if self.is_gone:
            return
        self._gone.set()
        self._news.set()
        self._headers = None
        self.outflow.drop()
        self.drained()

    def pump(self, now: float) -> None:
        """Send what may be sent now."""
        if self.outflow.kept_bytes == 0 and not self.is_done:
            self.moved_at = now
        if self.outflow.pump():
            self.moved_at = now
        if self.outflow.kept_bytes <= LOW_BYTES:
            self.drained()

    def full(self) -> None:
        if self._flow is not None and self._state is _State.BEGUN and not self._is_flow_paused:
            self._is_flow_paused = True
            self._flow.pause_reading()

    def drained(self) -> None:
        if self._is_flow_paused and self._flow is not None:
            self._is_flow_paused = False
            self._flow.resume_reading()

    def detach(self) -> None:
        """The exchange is over: an upstream that still speaks is not heard, and what the agent
        still sends is not kept."""
        self._state = _State.DONE
        self.drained()
        self._flow = None
        self._hold(-self.held_bytes)
        self.held_bytes = 0
        while self._pieces:
            self._next_piece()

    def refuse(self, error: ErrorCodes) -> None:
        """Reset the stream without an answer."""
        self._state = _State.DONE
        self._give_up(error)

    # --- parts ----------------------------------------------------------------------------------

    def _flush_head(self) -> None:
        headers, self._headers = self._headers, None
        if headers is not None and not self.is_gone:
            self._send_head(headers, ends=False)
            self._stir()

    def _send_head(self, headers: list[Header], *, ends: bool) -> bool:
        """INVARIANT(one-answer): no upstream can write a header or an answer into ours."""
        is_safe = not any(_breaks(name) or _breaks(value) for name, value in headers)
        if is_safe and self._link.send_headers(self.stream_id, headers, ends=ends):
            if ends:
                self.outflow.drop()
            return True
        self._state = _State.DONE
        self._give_up(ErrorCodes.INTERNAL_ERROR)
        return False

    def _give_up(self, error: ErrorCodes) -> None:
        self.outflow.drop()
        self._link.reset(self.stream_id, error)
        self._stir()


def is_trailers_only(response: Response) -> bool:
    """Whether an answer is one of gRPC without a message, which is a single block of headers."""
    return any(name.lower() == b"grpc-status" for name, _ in response.headers)


def _head(status: int, headers: Sequence[Header], framing: list[Header]) -> list[Header]:
    named = [(name.lower(), value.strip(b" \t")) for name, value in headers]
    kept = [header for header in named if header[0] not in FRAMING]
    return [(b":status", b"%d" % status), *kept, *framing]


_LINE_ENDS: Final = (b"\r", b"\n", b"\0")


def _breaks(text: bytes) -> bool:
    return any(end in text for end in _LINE_ENDS)


def _bad_message(message: str) -> AgentProtocolError:
    return AgentProtocolError("grpc.framing", message)
