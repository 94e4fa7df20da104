"""One HTTP/2 connection to an upstream, for one request at a time.

It stands in the pool as any other connection, and answers to the same owner. Streams would go
beside each other on it; here they go one after the other, so that what one request does to a
connection (a full window, a broken frame, a GOAWAY) harms no other request, and the limits of the
pool hold as they are. It must never be given back while the upstream is leaving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from gateway.enforce.connection import REFUSED, Connection, Deadlines, Turn
from gateway.enforce.http1_response import ResponseLimits
from gateway.enforce.http2_head import request_headers, response_head, response_trailers
from gateway.model.errors import CheckreinError, UpstreamError
from gateway.model.exchange import Header, HttpRequest
from gateway.ports import Wire
from gateway.wire.http2_frames import FrameLimits, LinkError
from gateway.wire.http2_link import (
    HIGH_BYTES,
    LOW_BYTES,
    Http2Link,
    LinkLimits,
    Outflow,
    PeerLeaves,
)


def _link_limits(limits: ResponseLimits) -> LinkLimits:
    frames = FrameLimits(head_block_bytes_max=limits.head_bytes_max)
    return LinkLimits(frames, head_list_bytes_max=limits.head_bytes_max)


class Http2Connection(Connection):
    """`attach` after TLS, then `start_request`, and `write` and `end_body` where the body streams.
    The rest is `Connection`'s."""

    __slots__ = (
        "_informational",
        "_is_head",
        "_is_leaving",
        "_limits",
        "_link",
        "_outflow",
        "_stream_id",
        "_wire_is_full",
    )

    is_http2 = True

    def __init__(
        self,
        agent: str,
        limits: ResponseLimits,
        deadlines: Deadlines,
        on_free: Callable[[Connection], None],
        on_gone: Callable[[Connection], None],
    ) -> None:
        super().__init__(agent, limits, deadlines, on_free, on_gone)
        self._limits = limits
        self._link = Http2Link(_link_limits(limits), is_client=True)
        self._link.start()
        self._outflow: Outflow | None = None
        self._stream_id = 0
        self._informational = 0
        self._is_head = False
        self._is_leaving = False
        self._wire_is_full = False

    def attach(self, wire: Wire) -> None:
        super().attach(wire)
        self._flush()

    # --- the owner's side -----------------------------------------------------------------------

    def start_request(self, turn: Turn, request: HttpRequest) -> None:
        """Send a request's head, and its body where that is whole.

        Raises:
            UpstreamError: nothing was sent.
        """
        assert self._turn is None, "one request at a time"
        body = request.body
        try:
            headers = request_headers(request)
            self._stream_id = self._link.open_stream(headers, ends=body == b"")
        except LinkError as error:
            self.retire()
            raise UpstreamError("upstream.no_stream", error.message, sent=False) from error
        except UpstreamError:
            self.retire()
            raise
        self._turn = turn
        self.uses += 1
        self._reader.has_bytes = False
        self._informational = 0
        self._is_head = request.method == "HEAD"
        self._outflow = None if body == b"" else Outflow(self._link, self._stream_id)
        if body and self._outflow is not None:
            self._outflow.write(body)
            self._outflow.end()
        self._pump()

    def write(self, data: bytes) -> None:
        if self._turn is not None and self._outflow is not None:
            self._turn.has_news = True
            self._outflow.write(data)
            self._pump()

    def end_body(self) -> None:
        """The body that streamed is whole."""
        if self._turn is not None and self._outflow is not None:
            self._outflow.end()
            self._pump()

    def fail(self, fault: CheckreinError) -> None:
        if self._turn is not None:
            self._link.reset(self._stream_id, ErrorCodes.CANCEL)
            self._flush()
        self._finish(fault)
        self._leave()

    # --- ports.WireReceiver ---------------------------------------------------------------------

    def wire_data(self, data: bytes) -> None:
        if self._turn is not None:
            self._turn.has_news = True
        try:
            for event in self._link.feed(data, asyncio.get_running_loop().time()):
                self._take(event)
                if self.is_gone:
                    return
        except LinkError as error:
            fault = UpstreamError("upstream.malformed", error.message, sent=True)
            self._flush()
            self._finish(fault)
            self.drop()
        except UpstreamError as error:
            self.fail(error)
        else:
            self._pump()

    def wire_eof(self) -> None:
        if self._turn is None:
            self.retire()
        elif self._turn.began:
            self.fail(
                UpstreamError(
                    "upstream.truncated", "the upstream ended its answer too early", sent=True
                )
            )
        else:
            self.fail(
                UpstreamError(
                    "upstream.closed", "the upstream closed the connection without an answer",
                    sent=True,
                )
            )  # fmt: skip

    def wire_full(self) -> None:
        self._wire_is_full = self._is_full = True

    def wire_drained(self) -> None:
        self._wire_is_full = False
        if self._turn is not None:
            self._turn.has_news = True
        self._pump()

    # --- events ---------------------------------------------------------------------------------

    def _take(self, event: Event | PeerLeaves) -> None:
        if isinstance(event, PeerLeaves):
            self._take_goodbye(event)
            return
        if isinstance(event, WindowUpdated | RemoteSettingsChanged):
            return  # `_pump` follows
        if isinstance(event, DataReceived):
            # The agent's pace is kept by pausing the wire; what is here was read already.
            self._link.take_in(event.stream_id, event.flow_controlled_length)
        if self._turn is None or getattr(event, "stream_id", 0) != self._stream_id:
            return
        self._take_answer(event)

    def _take_answer(self, event: Event) -> None:
        turn = self._turn
        assert turn is not None
        match event:
            case InformationalResponseReceived():
                self._informational += 1
                if self._informational > self._limits.informational_max:
                    raise UpstreamError(
                        "upstream.informational", "the upstream sent too many interim answers",
                        sent=True,
                    )  # fmt: skip
            case ResponseReceived():
                self._reader.has_bytes = True
                headers = _plain(event.headers)
                self.response_head(
                    response_head(headers, is_head=self._is_head, limits=self._limits)
                )
            case DataReceived():
                self.response_body(event.data)
            case TrailersReceived():
                turn.trailers = response_trailers(_plain(event.headers))
            case StreamEnded():
                self._end_answer(turn)
            case StreamReset():
                is_refused = event.error_code == ErrorCodes.REFUSED_STREAM
                self._abandon_stream(is_refused=is_refused and not turn.began)
            case _:
                pass

    def _end_answer(self, turn: Turn) -> None:
        is_unfinished = self._outflow is not None and not self._outflow.is_done
        if turn.is_uploading or is_unfinished:
            # Nobody wants the rest of the body; a piece of it may still be on its way here.
            self._link.reset(self._stream_id, ErrorCodes.CANCEL)
            self._finish(None)
            self._leave()
            return
        if self._is_leaving:
            self._finish(None)
            self._leave()
            return
        self.response_end(True)

    def _abandon_stream(self, *, is_refused: bool) -> None:
        code = REFUSED if is_refused else "upstream.reset"
        self._finish(UpstreamError(code, "the upstream reset the request", sent=True))
        self._leave()

    def _take_goodbye(self, event: PeerLeaves) -> None:
        self._is_leaving = True
        if self._turn is None:
            self.retire()
        elif self._stream_id > event.last_stream_id:
            self._abandon_stream(is_refused=not self._turn.began)

    # --- parts ----------------------------------------------------------------------------------

    def _pump(self) -> None:
        outflow = self._outflow
        if outflow is not None and not self._wire_is_full and outflow.pump() and self._turn:
            self._turn.has_news = True
        self._flush()
        kept = 0 if outflow is None else outflow.kept_bytes
        if self._wire_is_full or kept > HIGH_BYTES:
            self._is_full = True
        elif kept <= LOW_BYTES:
            self._is_full = False
            self._release_writer()

    def _flush(self) -> None:
        output = self._link.take_output()
        if output and self._wire is not None:
            self._wire.write(output)

    def _leave(self) -> None:
        """Close in the proper way: what was said last is still sent."""
        if self._outflow is not None:
            self._outflow.drop()
        self._flush()
        self.retire()


def _plain(headers: object) -> list[Header]:
    """Header tuples of the library -> plain pairs."""
    return [(bytes(name), bytes(value)) for name, value in headers]  # type: ignore[attr-defined]
