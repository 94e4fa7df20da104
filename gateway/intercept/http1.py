"""An agent's bytes -> one strictly parsed HTTP/1 request after another. Pure.

Our own grammar, not a lenient parser with checks around it: every byte of a head is matched, and
what is not written exactly as RFC 9112 says is refused rather than repaired. llhttp and h11 serve
as oracles in the tests: whatever is accepted here, both read in the same way.
It must never hand out a head before its last byte, nor take a byte that belongs to the next one.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final, NoReturn

from gateway.intercept.chunks import ChunkedBody
from gateway.model.dataclass import dataclass
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Header
from gateway.model.line_memory import remember
from gateway.model.quick import quick

_LINE: Final = re.compile(rb"([A-Z][A-Z-]{0,31}) ([!\x22\x24-\x7e]+) HTTP/([0-9])\.([0-9])\r\n")
"""Methods are upper case, as all that are registered; the target has no fragment (`#`)."""

_HEADER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e]*+")
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,14}")
"""Below 2^53, which is the most that a record can say."""
_TOKENS: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*")

_LINE_EXTRA_BYTES: Final = 48
"""What a request line has beside its target: method, version, spaces, CRLF."""

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"content-length",
        b"upgrade", b"http2-settings", b"expect",
        # Servers behind some frameworks take another URL or client from these; an agent has no
        # business naming either.
        b"forwarded", b"x-original-url", b"x-rewrite-url", b"x-original-host",
    }
)  # fmt: skip
_DROPPED_PREFIXES: Final = (b"proxy-", b"checkrein-", b"x-forwarded-")
_NEVER_FOLDED: Final = frozenset(
    {b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"}
)
"""CGI and its heirs (WSGI, PHP, Rack) take `_` in a name for `-`: to them `Content_Length` frames
the body, and nobody sends it for another reason."""
_NEVER_NAMED: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
_BLOCK_BYTES_MAX: Final = 4_096
"""A connection remembers its last head up to this: longer ones carry what changes."""
_NOTHING: Final[frozenset[bytes]] = frozenset()


class State(Enum):
    """Where in a message the reader is."""

    HEAD = auto()
    BODY = auto()
    DONE = auto()
    FAILED = auto()


# Looking up a member on its enum costs as much as a call in Python 3.11.
_HEAD, _BODY, _DONE, _FAILED = State.HEAD, State.BODY, State.DONE, State.FAILED


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Beyond these: 431 for the head and its headers, 414 for the target."""

    head_bytes_max: int = 32_768
    headers_max: int = 100
    target_bytes_max: int = 16_384


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A request's head. `headers`, `fields` and `repeated` are those of `HttpRequest`: end-to-end
    only. `control` holds what was dropped, by lower-case name. `body_bytes` is None for chunks.
    """

    method: str
    target: bytes
    is_http10: bool
    headers: tuple[Header, ...]
    fields: dict[bytes, bytes]
    repeated: frozenset[bytes]
    control: dict[bytes, bytes]
    body_bytes: int | None
    keeps_alive: bool

    @property
    def expects_continue(self) -> bool:
        """Whether the agent waits for `100 Continue` before its body (RFC 9110, 10.1.1)."""
        return b"expect" in self.control and self.body_bytes != 0 and not self.is_http10


class RequestReader:
    """One connection's requests. `feed` bytes, `read_head` until it is there, `read_body` until
    `is_complete`, then `start_next`. After an error the connection can't be used any more."""

    def __init__(self, limits: Limits) -> None:
        self.state = _HEAD
        self._limits = limits
        self._line_bytes_max = limits.target_bytes_max + _LINE_EXTRA_BYTES
        self._buffer = bytearray()
        self._scanned = 0
        self._left = 0
        self._chunks: ChunkedBody | None = None
        self._last_block = b""
        self._last: Fields | None = None

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    @property
    def is_complete(self) -> bool:
        return self.state is _DONE

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def read_head(self) -> Head | None:
        """The next head; None while it is incomplete.

        Raises:
            AgentProtocolError: with the status to answer; see `_HEADER`, `_framing`.
        """
        assert self.state is _HEAD, "a head is read once"
        if not self._buffer:
            return None
        try:
            end = self._find_end()
            if end < 0:
                return None
            head = self._parse(bytes(self._buffer[:end]))
        except AgentProtocolError:
            self.state = _FAILED
            raise
        del self._buffer[:end]
        self._left = head.body_bytes or 0
        self._chunks = ChunkedBody() if head.body_bytes is None else None
        self.state = _DONE if head.body_bytes == 0 else _BODY
        return head

    def read_body(self) -> bytes:
        """Body bytes that have come since; empty when there are none yet.

        Raises:
            AgentProtocolError: `request.bad_chunk`.
        """
        assert self.state is _BODY, "there is a body to read"
        if self._chunks is not None:
            try:
                piece = self._chunks.take(self._buffer)
            except AgentProtocolError:
                self.state = _FAILED
                raise
            if self._chunks.is_done:
                self.state = _DONE
            return piece
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(piece)
        if not self._left:
            self.state = _DONE
        return piece

    def start_next(self) -> None:
        """Go on to the request after a complete one."""
        assert self.state is _DONE, "the request before is complete"
        self.state = _HEAD
        self._scanned = 0

    # --- the head ---------------------------------------------------------------------------------

    def _find_end(self) -> int:
        """Where the head ends, or -1. Refuses as early as it can be known that it never will be
        well-formed, and by rules that give the same answer however the bytes are split."""
        buffer, limits = self._buffer, self._limits
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if 0 <= end <= limits.head_bytes_max - 4:
            return end + 4
        stop = min(len(buffer), limits.head_bytes_max)
        if buffer.find(b"\n", 0, stop) >= 0 or stop >= self._line_bytes_max:
            self._check_line(bytes(buffer[:stop]))
        begin = max(0, self._scanned - 1)
        if buffer.count(b"\n", self._scanned, stop) != buffer.count(b"\r\n", begin, stop):
            _refuse("request.malformed", "a line of the head does not end in CRLF")
        self._scanned = stop
        if end >= 0 or len(buffer) > limits.head_bytes_max:
            _refuse("request.head_too_large", "the request's head is too large", 431)
        return -1

    def _check_line(self, head: bytes) -> re.Match[bytes]:
        match = _LINE.match(head)
        if match is None or match.end() > self._line_bytes_max:
            if head.find(b"\n", 0, self._line_bytes_max) < 0:
                _refuse("request.target_too_long", "the request line is too long", 414)
            _refuse("request.malformed", "the request line is malformed")
        if match[3] != b"1" or match[4] not in b"01":
            _refuse("request.version", "only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
        if len(match[2]) > self._limits.target_bytes_max:
            _refuse("request.target_too_long", "the request's target is too long", 414)
        return match

    def _parse(self, head: bytes) -> Head:
        line = self._check_line(head)
        is_http10 = line[4] == b"0"
        block = head[line.end() :]
        # Clients repeat their headers to the byte from request to request.
        found = self._last if block == self._last_block else None
        if found is None:
            try:
                found = self._last = self._parse_block(block)
            except AgentProtocolError:
                # Where the head comes in pieces this is seen before any of its lines is read.
                if block.count(b"\n") != block.count(b"\r\n"):
                    _refuse("request.malformed", "a line of the head does not end in CRLF")
                raise
            self._last_block = block if len(block) <= _BLOCK_BYTES_MAX else b""
        headers, fields, repeated, control, keeps_alive = found
        return Head(
            line[1].decode("ascii"),
            line[2],
            is_http10,
            headers,
            fields,
            repeated,
            control,
            _framing(control, is_http10),
            keeps_alive and not is_http10,
        )

    def _parse_block(self, block: bytes) -> Fields:
        """The header lines of a head, the empty one included."""
        lines = block[:-4].split(b"\r\n") if len(block) > 2 else []
        if len(lines) > self._limits.headers_max:
            _refuse("request.too_many_headers", "the request has too many headers", 431)
        headers, fields, repeated, control = _sort(lines)
        keeps_alive = True
        connection = control.get(b"connection")
        if connection is not None:
            names = _connection_names(connection)
            keeps_alive = b"close" not in names
            if not names.isdisjoint(fields):
                headers = [header for header in headers if header[0].lower() not in names]
                for name in names:
                    fields.pop(name, None)
        _check_control(control)
        seen = frozenset(repeated) if repeated else _NOTHING
        return tuple(headers), fields, seen, control, keeps_alive


Fields = tuple[tuple[Header, ...], dict[bytes, bytes], frozenset[bytes], dict[bytes, bytes], bool]
"""End-to-end headers, the same by name, names that came twice, what was dropped, and whether the
Connection header lets the connection live. Shared by requests; nobody changes them."""

_lines: dict[bytes, tuple[bytes, bool, Header]] = {}
"""Well-formed header lines, with the name in lower case, whether they are dropped, and what they
say."""


def _line(line: bytes) -> tuple[bytes, bool, Header]:
    """Read a header line; every byte of it is looked at, once."""
    if _HEADER.fullmatch(line) is None:
        _refuse("request.malformed", "a header is malformed")
    name, _, value = line.partition(b":")
    lower, is_dropped = _name(name)
    return remember(_lines, line, len(line), (lower, is_dropped, (name, value.strip(b" \t"))))


def _name(name: bytes) -> tuple[bytes, bool]:
    lower = name.lower()
    folded = lower.replace(b"_", b"-")
    if folded != lower and folded in _NEVER_FOLDED:
        _refuse("request.malformed", "a header is spelled nearly like one that frames the body")
    return lower, folded in _HOP_BY_HOP or folded.startswith(_DROPPED_PREFIXES)


def _sort(
    lines: list[bytes],
) -> tuple[list[Header], dict[bytes, bytes], set[bytes], dict[bytes, bytes]]:
    """Header lines -> end-to-end headers, the same by name, names that came twice, the rest."""
    headers: list[Header] = []
    fields: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    control: dict[bytes, bytes] = {}
    known = _lines
    for line in lines:
        lower, is_dropped, header = known.get(line) or _line(line)
        value = header[1]
        if is_dropped:
            if lower in control:
                if lower not in (b"connection", b"te", b"trailer") and not lower.startswith(
                    (b"x-", b"forwarded")
                ):
                    _refuse("request.repeated_header", "a header that may come once is repeated")
                value = control[lower] + b", " + value
            control[lower] = value
            continue
        headers.append(header)
        if lower in fields:
            repeated.add(lower)
            value = fields[lower] + b", " + value
        fields[lower] = value
    return headers, fields, repeated, control


@lru_cache(maxsize=256)
def _connection_names(value: bytes) -> frozenset[bytes]:
    """The options of a Connection header: names of headers that go no further (RFC 9110, 7.6.1)."""
    names = frozenset(name.strip(b" \t").lower() for name in value.split(b","))
    if not all(map(_TOKENS.fullmatch, names)) or not names.isdisjoint(_NEVER_NAMED):
        _refuse("request.malformed", "the Connection header names what can't be dropped")
    return names


def _framing(control: dict[bytes, bytes], is_http10: bool) -> int | None:
    """How long the body is, 0 for none, None for chunks (RFC 9112, section 6.3)."""
    coding, length = control.get(b"transfer-encoding"), control.get(b"content-length")
    if coding is not None:
        if length is not None:
            _refuse("request.framing", "both a length and a transfer coding are given")
        if is_http10:
            _refuse("request.framing", "HTTP/1.0 has no transfer codings")
        if coding != b"chunked":
            _refuse("request.transfer_coding", "the only transfer coding is `chunked`", 501)
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        _refuse("request.framing", "the content length is not a number")
    return int(length)


def _check_control(control: dict[bytes, bytes]) -> None:
    expectation = control.get(b"expect")
    if expectation is not None and expectation.lower() != b"100-continue":
        _refuse("request.expectation", "the only expectation is `100-continue`", 417)


def _refuse(code: str, message: str, status: int = 400) -> NoReturn:
    raise AgentProtocolError(code, message, status)
