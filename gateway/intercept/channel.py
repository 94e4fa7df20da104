"""An answer -> bytes to the agent, framed by us. The agent's side of one exchange.

Heads are written with the first piece of body where both come at once, and alone otherwise, so
that server-sent events arrive one by one. Never writes a body that differs in length from what
its head said: then the connection is cut, and the agent sees the truncation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from gateway.model.exchange import Header, Response, ResponseHead
from gateway.ports import Flow, Switched, Wire

FRAMING: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"content-length", b"transfer-encoding",
        b"upgrade", b"trailer", b"te", b"proxy-authenticate", b"proxy-authentication-info",
    }
)  # fmt: skip
"""Never passed on: we frame anew. An upstream that asks for proxy credentials would get ours."""

_ASKS_FOR_CREDENTIALS: Final = b"proxy-authenticate"

CORKED_BYTES_MAX: Final = 65_536
"""Pieces that come in one turn of the loop are sent together, up to this much."""


_SWITCHES: Final = (b"connection: Upgrade\r\n", b"upgrade: websocket\r\n")

Carry = Callable[[bytes, Switched, Callable[[int, int], None]], Awaitable[None]]
"""Sends the head of a 101 and passes what follows; see `AgentChannel.carry`."""


class _State(Enum):
    FRESH = auto()
    BEGUN = auto()
    DONE = auto()


# Looking up a member on its enum costs as much as a call in Python 3.11.
_FRESH, _BEGUN, _DONE = _State.FRESH, _State.BEGUN, _State.DONE
_NO_CONTENT: Final = 204


class Channel:
    """`ports.AgentChannel`. One exchange; the session makes it and lets it go."""

    def __init__(
        self,
        wire: Wire,
        *,
        is_head: bool,
        is_http10: bool,
        must_close: Callable[[], bool],
        body_rest: Callable[[], AsyncIterator[bytes]],
        rewrite_answer: Callable[[ResponseHead], ResponseHead] | None = None,
        carry: Carry | None = None,
        takes_trailers: bool = False,
    ) -> None:
        self.closes = False
        self._wire = wire
        self._is_head = is_head
        self._is_http10 = is_http10
        self._must_close = must_close
        self._body_rest = body_rest
        self._rewrite_answer = rewrite_answer
        self._carry = carry
        self._takes_trailers = takes_trailers
        self._state = _FRESH
        self._is_gone = False
        self._has_ended = False
        self._gone: asyncio.Event | None = None
        self._flow: Flow | None = None
        self._is_flow_paused = False
        self._left: int | None = None
        self._has_body = False
        self._is_chunked = False
        self._corked: list[bytes] = []
        self._corked_bytes = 0
        self._uncork: asyncio.Handle | None = None

    @property
    def is_gone(self) -> bool:
        return self._is_gone

    @property
    def is_fresh(self) -> bool:
        """Whether no answer was begun."""
        return self._state is _FRESH

    @property
    def is_done(self) -> bool:
        return self._state is _DONE

    async def wait_gone(self) -> None:
        if self._has_ended:
            self.leave()
        if self._is_gone:
            return
        if self._gone is None:
            self._gone = asyncio.Event()
        await self._gone.wait()

    def body_rest(self) -> AsyncIterator[bytes]:
        return self._body_rest()

    # --- the answer -------------------------------------------------------------------------------

    def respond(self, response: Response) -> None:
        if self._is_gone:
            return
        assert self._state is _FRESH, "an exchange is answered once"
        self._state = _DONE
        self.closes = response.close or self._must_close()
        self._wire.write(whole_answer(response, closes=self.closes, is_head=self._is_head))

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        if self._is_gone:
            return
        assert self._state is _FRESH, "an exchange is answered once"
        self._state = _BEGUN
        self._flow = flow
        if self._rewrite_answer is not None:
            head = self._rewrite_answer(head)
        self._has_body = head.has_body and not self._is_head
        framing: list[bytes] = []
        if head.body_bytes is not None and head.status != _NO_CONTENT:
            framing.append(b"content-length: %d\r\n" % head.body_bytes)
        if self._has_body:
            self._left = head.body_bytes
            self._is_chunked = head.body_bytes is None and not self._is_http10
            if self._is_chunked:
                framing.append(b"transfer-encoding: chunked\r\n")
        ends_with_connection = self._has_body and self._left is None and not self._is_chunked
        self.closes = ends_with_connection or self._must_close()
        lines = _head(head.status, head.reason, head.headers, framing, self.closes)
        text = b"".join(lines)
        if not text.count(b"\n") == text.count(b"\r") == len(lines):
            # INVARIANT(one-answer): no upstream can write a header or an answer into ours.
            self.cut()
            return
        self._cork(text)

    def write(self, data: bytes) -> None:
        if self._is_gone or self._state is _DONE or not self._has_body or not data:
            return
        assert self._state is _BEGUN, "a body follows its head"
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.cut()
                return
        self._cork(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def finish(self, trailers: Sequence[Header] = ()) -> None:
        if self._is_gone or self._state is _DONE:
            return
        assert self._state is _BEGUN, "what is finished was begun"
        if self._left:
            self.cut()
            return
        if self._is_chunked:
            self._corked.append(self._end_of_chunks(trailers))
        self._state = _DONE
        self._send_corked()

    def _end_of_chunks(self, trailers: Sequence[Header]) -> bytes:
        """The last chunk, with trailers for an agent that has asked for them (RFC 9110, 6.5.1)."""
        if not trailers or not self._takes_trailers:
            return b"0\r\n\r\n"
        lines = [b"0\r\n", *(b"%b: %b\r\n" % trailer for trailer in trailers), b"\r\n"]
        text = b"".join(lines)
        # INVARIANT(one-answer): as for a head; a trailer that could end it early is left out.
        return text if text.count(b"\n") == text.count(b"\r") == len(lines) else b"0\r\n\r\n"

    async def carry(self, switched: Switched, note_end: Callable[[int, int], None]) -> None:
        if self._is_gone:
            switched.wire.abort()
            note_end(0, 0)
            return
        assert self._state is _FRESH, "an exchange is answered once"
        assert self._carry is not None, "this connection can't be a WebSocket"
        self._state = _DONE
        self.closes = True
        head = switched.head
        if self._rewrite_answer is not None:
            head = self._rewrite_answer(head)
        lines = _head(head.status, head.reason, head.headers, list(_SWITCHES), closes=False)
        text = b"".join(lines)
        if not text.count(b"\n") == text.count(b"\r") == len(lines):
            switched.wire.abort()
            note_end(0, 0)
            self._wire.close()
            return
        await self._carry(text, switched, note_end)

    def cut(self) -> None:
        if self._is_gone or self._state is _DONE:
            return
        self._state = _DONE
        self.closes = True
        self._send_corked()
        if self._is_http10 or (self._left is None and not self._is_chunked):
            # The end of the connection would look like the end of the body.
            self._wire.abort()
        else:
            self._wire.close()

    # --- what the session tells -------------------------------------------------------------------

    def leave(self) -> None:
        """The agent is gone."""
        if self._is_gone:
            return
        self._is_gone = True
        self._corked.clear()
        if self._gone is not None:
            self._gone.set()
        self.drained()

    def end_input(self) -> None:
        """The agent sends nothing more and may still read. Whoever waits for a person is taken to
        have left: most that end their side have, and nothing is released for them."""
        self._has_ended = True
        if self._gone is not None:
            self.leave()

    def full(self) -> None:
        if self._flow is not None and self._state is _BEGUN and not self._is_flow_paused:
            self._is_flow_paused = True
            self._flow.pause_reading()

    def drained(self) -> None:
        if self._is_flow_paused and self._flow is not None:
            self._is_flow_paused = False
            self._flow.resume_reading()

    def detach(self) -> None:
        """The exchange is over: an upstream that still speaks is not heard."""
        self._state = _DONE
        self.drained()
        self._flow = None

    # --- corking ----------------------------------------------------------------------------------

    def _cork(self, data: bytes) -> None:
        self._corked.append(data)
        self._corked_bytes += len(data)
        if self._corked_bytes >= CORKED_BYTES_MAX:
            self._send_corked()
        elif self._uncork is None:
            self._uncork = asyncio.get_running_loop().call_soon(self._send_corked)

    def _send_corked(self) -> None:
        if self._uncork is not None:
            self._uncork.cancel()
            self._uncork = None
        if self._corked and not self._is_gone:
            data = self._corked[0] if len(self._corked) == 1 else b"".join(self._corked)
            self._corked.clear()
            self._corked_bytes = 0
            self._wire.write(data)


def whole_answer(response: Response, *, closes: bool, is_head: bool = False) -> bytes:
    """The bytes of an answer of our own; to HEAD, without the body that its length tells of."""
    framing = [b"content-length: %d\r\n" % len(response.body)]
    if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        framing += [b"%b: %b\r\n" % h for h in response.headers if h[0] == _ASKS_FOR_CREDENTIALS]
    reason = _reason(response.status)
    lines = _head(response.status, reason, response.headers, framing, closes)
    return b"".join(lines if is_head else [*lines, response.body])


def _head(
    status: int, reason: bytes, headers: tuple[Header, ...], framing: list[bytes], closes: bool
) -> list[bytes]:
    """The lines of a head, the empty one included."""
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
    lines += [b"%b: %b\r\n" % header for header in headers if header[0].lower() not in FRAMING]
    lines += framing
    if closes:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    return lines


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""
