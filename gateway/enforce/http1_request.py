"""A parsed request -> the bytes of its head, written anew. Pure.

Headers keep the agent's order and spelling, so that signatures stay valid; framing is ours alone.
Nothing hop-by-hop, nothing of our own and no credential of the proxy must ever leave here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.enforce.header_kinds import HeaderKind, HeaderKinds
from gateway.enforce.websocket import HANDSHAKE_LINES
from gateway.model.errors import UpstreamError
from gateway.model.exchange import Header, HttpRequest
from gateway.model.line_memory import remember

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Those that change nothing by definition (RFC 9110 section 9.2.1)."""

CHUNKED_END: Final = b"0\r\n\r\n"

_KINDS: Final = HeaderKinds(
    # The gateway has answered it: it holds the body, or asks for it piece by piece.
    (b"expect",)
)
_EXPECT_A_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_TAKES_TRAILERS: Final = (b"TE: trailers\r\n", b"Connection: TE\r\n")


class _Lines(dict[Header, bytes]):
    """`lines[header]` is its line, as it is written; empty for one that isn't just passed on."""

    def __missing__(self, header: Header) -> bytes:
        line = b"%b: %b\r\n" % header if _KINDS[header[0]] is HeaderKind.KEEP else b""
        return remember(self, header, len(header[0]) + len(header[1]), line)


_lines: Final = _Lines()


def request_head(request: HttpRequest) -> bytes:
    """Write request line and headers.

    `Content-Length` stands where the agent's stood and in its spelling (SigV4 may sign it), else
    last. A body that streams without a length is chunked.

    Raises:
        UpstreamError: `upstream.unsafe_request`, a part would break the framing.
    """
    length = request.body_bytes if request.body is None else len(request.body)
    lines = [_lines[header] for header in request.headers]
    has_length = False
    if not all(lines):
        lines, has_length = _with_length(request.headers, length)
    if request.is_websocket:
        lines += HANDSHAKE_LINES
    elif request.takes_trailers:
        lines += _TAKES_TRAILERS
    if length is None:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif not has_length and (length or request.method in _EXPECT_A_BODY):
        lines.append(b"Content-Length: %d\r\n" % length)
    start = request.method.encode("latin-1"), request.target
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (*start, b"".join(lines))
    # Second wall behind the parser: as many line ends as lines, and no other control of lines.
    # (Zero as a number: to look for a byte as bytes takes ten times as long.)
    count = len(lines) + 2
    if head.count(b"\n") != count or head.count(b"\r") != count or 0 in head:
        raise UpstreamError(
            "upstream.unsafe_request", "the request can't be written safely", sent=False, status=400
        )
    return head


def _with_length(headers: Sequence[Header], length: int | None) -> tuple[list[bytes], bool]:
    """The lines of headers among which some aren't passed on, and whether one is the length."""
    lines: list[bytes] = []
    has_length = False
    for header in headers:
        kind = _KINDS[header[0]]
        if kind is HeaderKind.KEEP:
            lines.append(_lines[header])
        elif kind is HeaderKind.CONTENT_LENGTH and length is not None and not has_length:
            has_length = True
            lines.append(b"%b: %d\r\n" % (header[0], length))
    return lines, has_length


def chunk(data: bytes) -> bytes:
    """Frame a piece of a chunked body; `data` is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)
