"""Turns an upstream's bytes into one response: head, body pieces, end. Pure; parsing is llhttp's,
but for the answers that `plain_answer` reads in one step.

llhttp already refuses folded headers, NUL and CR in values, conflicting lengths, and a length
beside chunks. Here is what it leaves out: versions, limits, informational responses, answers to
HEAD, transfer codings that can't be framed anew, and where a response really ended. It must never
call a response complete that the upstream didn't end, nor a connection reusable that is out of
step: the next agent's answer would then be somebody else's.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Protocol

import httptools

from gateway.enforce.header_kinds import ANSWERED, TRAILING, HeaderKind
from gateway.enforce.plain_answer import read_plain
from gateway.enforce.websocket import check_switch
from gateway.model.dataclass import dataclass
from gateway.model.errors import UpstreamError
from gateway.model.exchange import Header, HttpRequest, ResponseHead


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """`head_bytes_max` is twice what the largest common servers send (64 KiB of cookies and
    content policy). `headers_max` is above Google's and Akamai's hundred. `informational_max`
    covers 100, 103 and a few 102 (a WebDAV server sends one every 20 s)."""

    head_bytes_max: int = 131_072
    headers_max: int = 256
    informational_max: int = 32


class ResponseSink(Protocol):
    """Who receives the response. Called in this order, never after `response_end`."""

    def response_head(self, head: ResponseHead) -> None: ...

    def response_body(self, data: bytes) -> None: ...

    def response_trailers(self, trailers: tuple[Header, ...]) -> None: ...

    def response_end(self, is_reusable: bool) -> None: ...

    def response_switch(self, head: ResponseHead, early: bytes) -> None:
        """Instead of all others: the connection is a WebSocket's now. `early` has come of it."""
        ...


class _State(Enum):
    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    DONE = auto()


# Looking up a member on its enum costs as much as a call in Python 3.11, and this is the hot path.
_IDLE, _HEAD, _BODY, _DONE = _State.IDLE, _State.HEAD, _State.BODY, _State.DONE
_KEEP = HeaderKind.KEEP

_PRINTABLE = re.compile(rb"[\t\x20-\x7e]*")
_PLAIN_OPTIONS = frozenset({b"keep-alive", b"close"})
_BODILESS = frozenset({204, 304})
_SWITCHING = 101


class ResponseReader:
    """Reads responses of one connection, one after another.

    `body_bytes` of the head carries the declared length; `Content-Length` is not among its
    headers. Trailers are told apart from headers, and never change what was relayed: those that
    would frame, route, authenticate or control are dropped (RFC 9110 section 6.5.1).
    """

    __slots__ = (
        "_connection",
        "_ends_with_connection",
        "_fed_bytes",
        "_has_extra",
        "_head_bytes_max",
        "_headers",
        "_headers_max",
        "_informational",
        "_informational_max",
        "_is_head",
        "_is_reusable",
        "_length",
        "_parser",
        "_progress",
        "_reason",
        "_silent_bytes",
        "_sink",
        "_state",
        "_switch",
        "_trailers",
        "_transfer",
        "_upgrade",
        "_websocket",
        "has_bytes",
    )

    def __init__(self, sink: ResponseSink, limits: ResponseLimits) -> None:
        self._sink = sink
        self._head_bytes_max = limits.head_bytes_max
        self._headers_max = limits.headers_max
        self._informational_max = limits.informational_max
        self._parser: httptools.HttpResponseParser | None = None
        self._state = _IDLE
        self._length: int | None = None
        self._silent_bytes = 0
        self._progress = 0
        self._ends_with_connection = False
        self.has_bytes = False

    def begin(self, method: str, websocket: HttpRequest | None = None) -> None:
        """Expect the response to one request; to `websocket`, it may be a switch of protocols."""
        state = self._state
        assert state is _IDLE or state is _DONE, "one response at a time"
        self._state = _HEAD
        self._is_head = method == "HEAD"
        self._websocket = websocket
        self.has_bytes = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            UpstreamError: what came is no well-formed response; the connection is spent.
        """
        if not self.has_bytes:
            self.has_bytes = True
            if self._take_plain(data):
                return
            self._start_parsing()
        assert self._parser is not None
        before = self._progress
        self._fed_bytes = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._state is not _DONE:
                self._raise(error)
            self._has_extra = True
        except httptools.HttpParserUpgrade as switched:
            # Behind a whole answer, or a 101 that was checked; others are refused before.
            assert self._state is _DONE, "a switch of protocols is no answer"
            if self._switch is not None:
                self._sink.response_switch(self._switch, data[switched.args[0] :])
                return
            self._has_extra = True
        if self._state is _DONE:
            self._end()
        elif self._progress == before:
            self._silent_bytes += len(data)
            if self._silent_bytes > self._head_bytes_max:
                raise _bad("upstream.head_too_large", "the upstream's headers are too large")
        else:
            self._silent_bytes = 0

    def eof(self) -> None:
        """Take the upstream's proper end (FIN, or close_notify under TLS).

        Raises:
            UpstreamError: `upstream.closed` without a byte of a head, `upstream.truncated` later.
        """
        if self._state is _BODY and self._ends_with_connection:
            self._state = _DONE
            self._end()
        elif self._state is _HEAD and not self.has_bytes:
            raise _bad("upstream.closed", "the upstream closed the connection without an answer")
        elif self._state in (_HEAD, _BODY):
            raise _bad("upstream.truncated", "the upstream ended its answer too early")

    # --- callbacks of the parser ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._state is _DONE:
            self._has_extra = True

    def on_status(self, reason: bytes) -> None:
        # The parser gives the reason in pieces when bytes are split within it.
        if self._state is _HEAD:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes | None) -> None:
        if value is None:
            value = b""
        if self._state is not _HEAD:
            if self._state is _BODY:
                self._keep_trailer(name, value)
            return
        kind = ANSWERED[name]
        if kind is _KEEP:
            self._headers.append((name, value))
        elif kind is HeaderKind.CONTENT_LENGTH:
            # llhttp has seen to it that there is one, and that it is a number of 64 bits.
            self._length = int(value)
        elif kind is HeaderKind.TRANSFER_ENCODING:
            self._transfer.append(value.strip().lower())
        elif kind is HeaderKind.CONNECTION:
            self._connection += [token.strip() for token in value.lower().split(b",")]
        elif self._websocket is not None and name.lower() == b"upgrade":
            self._upgrade.append(value.strip().lower())

    def on_headers_complete(self) -> None:
        if self._state is not _HEAD:
            return
        parser = self._parser
        assert parser is not None
        version = parser.get_http_version()
        status = parser.get_status_code()
        if version not in ("1.1", "1.0") or status < 100:
            raise _bad("upstream.malformed", "the upstream's answer is not HTTP/1.1")
        self._check_size()
        self._check_framing(version, status)
        if status == _SWITCHING and self._websocket is not None:
            self._take_switch(self._websocket)
            return
        if status < 200:
            self._skip_informational(status)
            return
        head = self._make_head(status)
        self._state = _BODY
        self._progress += 1
        if self._is_head:
            # The parser can't be told that no body follows, so it doesn't see the end itself.
            self._is_reusable = version == "1.1" and b"close" not in self._connection
            self._state = _DONE
            self._parser = None
        else:
            self._ends_with_connection = head.has_body and (
                head.body_bytes is None and not self._transfer
            )
        self._sink.response_head(head)

    def on_body(self, data: bytes) -> None:
        if self._state is _BODY:
            self._progress += 1
            self._sink.response_body(data)
        else:
            self._has_extra = True

    def on_message_complete(self) -> None:
        if self._state is not _BODY:
            return
        self._state = _DONE
        # Right only inside this callback.
        assert self._parser is not None
        self._is_reusable = self._parser.should_keep_alive()

    # --- parts ------------------------------------------------------------------------------------

    def _take_plain(self, data: bytes) -> bool:
        """Tell of an answer that has come whole, if it is plain."""
        if self._is_head or self._websocket is not None or len(data) > self._head_bytes_max:
            return False
        plain = read_plain(data, self._headers_max)
        if plain is None:
            return False
        head, body, is_reusable = plain
        sink = self._sink
        self._state = _BODY
        sink.response_head(head)
        if body:
            sink.response_body(body)
        self._state = _IDLE
        sink.response_end(is_reusable)
        return True

    def _start_parsing(self) -> None:
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._informational = 0
        self._silent_bytes = 0
        self._progress = 0
        self._has_extra = False
        self._is_reusable = False
        self._ends_with_connection = False
        self._upgrade: list[bytes] = []
        self._switch: ResponseHead | None = None
        self._trailers: list[Header] = []
        self._start_head()

    def _start_head(self) -> None:
        self._headers: list[Header] = []
        self._connection: list[bytes] = []
        self._transfer: list[bytes] = []
        self._length = None
        self._reason = b""

    def _check_size(self) -> None:
        """A head that came in few bytes can't be too long; only a longer one is added up."""
        if len(self._headers) > self._headers_max:
            raise _bad("upstream.head_too_large", "the upstream sent too many headers")
        if self._silent_bytes + self._fed_bytes <= self._head_bytes_max:
            return
        size = sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size + len(self._reason) > self._head_bytes_max:
            raise _bad("upstream.head_too_large", "the upstream's headers are too large")

    def _check_framing(self, version: str, status: int) -> None:
        if self._transfer:
            if self._transfer != [b"chunked"] or version == "1.0":
                raise _bad("upstream.framing", "the upstream used a transfer coding that is unsafe")
            if self._length is not None or status < 200 or status == 204:
                raise _bad("upstream.framing", "the upstream framed its answer in two ways")
        elif self._length and status < 200:
            raise _bad("upstream.framing", "the upstream announced a body where none may be")

    def _keep_trailer(self, name: bytes, value: bytes) -> None:
        if len(self._trailers) >= self._headers_max:
            raise _bad("upstream.head_too_large", "the upstream sent too many trailers")
        if TRAILING[name] is _KEEP:
            self._trailers.append((name, value))

    def _take_switch(self, request: HttpRequest) -> None:
        headers = tuple(self._headers)
        check_switch(request, headers, self._connection, self._upgrade)
        self._switch = ResponseHead(_SWITCHING, b"Switching Protocols", headers, None, False)
        self._state = _DONE
        self._progress += 1

    def _skip_informational(self, status: int) -> None:
        if status == _SWITCHING:
            raise _bad("upstream.switched", "the upstream switched protocols without being asked")
        self._informational += 1
        self._upgrade.clear()
        if self._informational > self._informational_max:
            raise _bad("upstream.informational", "the upstream sent too many interim answers")
        self._start_head()

    def _make_head(self, status: int) -> ResponseHead:
        headers = self._headers
        if self._connection:
            named = set(self._connection) - _PLAIN_OPTIONS
            if named:
                headers = [header for header in headers if header[0].lower() not in named]
        has_body = not (self._is_head or status in _BODILESS)
        length = None if status == 204 else self._length
        reason = self._reason
        if reason != b"OK" and _PRINTABLE.fullmatch(reason) is None:
            reason = b""
        return ResponseHead(status, reason, tuple(headers), length, has_body)

    def _end(self) -> None:
        """Tell the end once the whole piece was parsed: only then is it known whether more came."""
        self._state = _IDLE
        is_reusable = self._is_reusable and not self._has_extra
        if not is_reusable:
            self._parser = None
        if self._trailers:
            self._sink.response_trailers(tuple(self._trailers))
        self._sink.response_end(is_reusable)

    def _raise(self, error: httptools.HttpParserError) -> None:
        if isinstance(error, httptools.HttpParserCallbackError):
            cause = error.__context__
            if isinstance(cause, UpstreamError):
                raise cause
            raise AssertionError("a response callback failed") from cause
        raise _bad("upstream.malformed", "the upstream's answer is malformed") from error


def _bad(code: str, message: str) -> UpstreamError:
    return UpstreamError(code, message, sent=True)
