"""A parsed request -> the bytes of its head, written anew. Pure.

Headers keep the agent's order and spelling, so that signatures stay valid; framing is ours alone.
Nothing hop-by-hop, nothing of our own and no credential of the proxy must ever leave here.
"""

from __future__ import annotations

from typing import Final

from gateway.enforce.header_kinds import HeaderKind, HeaderKinds
from gateway.enforce.websocket import HANDSHAKE_LINES
from gateway.model.errors import UpstreamError
from gateway.model.exchange import HttpRequest

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Those that change nothing by definition (RFC 9110 section 9.2.1)."""

CHUNKED_END: Final = b"0\r\n\r\n"

_KINDS: Final = HeaderKinds(
    # The gateway has answered it: it holds the body, or asks for it piece by piece.
    (b"expect",)
)
# Looking up a member on its enum costs as much as a call in Python 3.11.
_KEEP: Final = HeaderKind.KEEP
_EXPECT_A_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def request_head(request: HttpRequest) -> bytes:
    """Write request line and headers.

    `Content-Length` stands where the agent's stood and in its spelling (SigV4 may sign it), else
    last. A body that streams without a length is chunked.

    Raises:
        UpstreamError: `upstream.unsafe_request`, a part would break the framing.
    """
    length = request.body_bytes if request.body is None else len(request.body)
    parts = [request.method.encode("latin-1"), b" ", request.target, b" HTTP/1.1\r\n"]
    count = 2
    has_length = False
    kinds = _KINDS
    for name, value in request.headers:
        kind = kinds[name]
        if kind is _KEEP:
            parts += (name, b": ", value, b"\r\n")
            count += 1
        elif kind is HeaderKind.CONTENT_LENGTH and length is not None and not has_length:
            has_length = True
            parts += (name, b": %d\r\n" % length)
            count += 1
    if request.is_websocket:
        parts += HANDSHAKE_LINES
        count += len(HANDSHAKE_LINES)
    elif request.takes_trailers:
        parts.append(b"TE: trailers\r\nConnection: TE\r\n")
        count += 2
    if length is None:
        parts.append(b"Transfer-Encoding: chunked\r\n\r\n")
        count += 1
    elif not has_length and (length or request.method in _EXPECT_A_BODY):
        parts.append(b"Content-Length: %d\r\n\r\n" % length)
        count += 1
    else:
        parts.append(b"\r\n")
    head = b"".join(parts)
    # Second wall behind the parser: as many line ends as lines, and no other control of lines.
    if head.count(b"\n") != count or head.count(b"\r") != count or b"\0" in head:
        raise UpstreamError(
            "upstream.unsafe_request", "the request can't be written safely", sent=False, status=400
        )
    return head


def chunk(data: bytes) -> bytes:
    """Frame a piece of a chunked body; `data` is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)
