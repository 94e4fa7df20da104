"""A parsed request -> the bytes of its head, written anew. Pure.

Headers keep the agent's order and spelling, so that signatures stay valid; framing is ours alone.
Nothing hop-by-hop, nothing of our own and no credential of the proxy must ever leave here.
"""

from __future__ import annotations

from typing import Final

from gateway.model.errors import UpstreamError
from gateway.model.exchange import HttpRequest

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Those that change nothing by definition (RFC 9110 section 9.2.1)."""

CHUNKED_END: Final = b"0\r\n\r\n"

_DROPPED: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        # The gateway has answered it: it holds the body, or asks for it piece by piece.
        b"expect",
    }
)
_OURS: Final = b"checkrein-"
_CONTENT_LENGTH: Final = b"content-length"
_EXPECT_A_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def request_head(request: HttpRequest) -> bytes:
    """Write request line and headers.

    `Content-Length` stands where the agent's stood and in its spelling (SigV4 may sign it), else
    last. A body that streams without a length is chunked.

    Raises:
        UpstreamError: `upstream.unsafe_request`, a part would break the framing.
    """
    length = request.body_bytes if request.body is None else len(request.body)
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("latin-1"), request.target)]
    has_length = False
    for name, value in request.headers:
        lower = name.lower()
        if lower in _DROPPED or lower.startswith(_OURS):
            continue
        if lower == _CONTENT_LENGTH:
            if has_length or length is None:
                continue
            has_length = True
            lines.append(b"%b: %d" % (name, length))
        else:
            lines.append(b"%b: %b" % (name, value))
    if length is None:
        lines.append(b"Transfer-Encoding: chunked")
    elif not has_length and (length or request.method in _EXPECT_A_BODY):
        lines.append(b"Content-Length: %d" % length)
    count = len(lines) + 1
    lines.append(b"\r\n")
    head = b"\r\n".join(lines)
    # Second wall behind the parser: as many line ends as lines, and no other control of lines.
    if head.count(b"\n") != count or head.count(b"\r") != count or b"\0" in head:
        raise UpstreamError(
            "upstream.unsafe_request", "the request can't be written safely", sent=False, status=400
        )
    return head


def chunk(data: bytes) -> bytes:
    """Frame a piece of a chunked body; `data` is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)
