"""A parsed request -> the header list of an HTTP/2 stream, and a header list -> an answer's head.
Pure.

Names are lower case, as HTTP/2 has them; values and order are the agent's own. Nothing hop-by-hop,
nothing of our own and no credential of the proxy must ever leave here, either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.enforce.header_kinds import TRAILING, HeaderKind, HeaderKinds
from gateway.enforce.http1_response import ResponseLimits
from gateway.model.errors import UpstreamError
from gateway.model.exchange import Header, HttpRequest, ResponseHead
from gateway.model.grpc import is_grpc_call

_OUTWARD: Final = HeaderKinds((b"expect", b"host"))
_INWARD: Final = HeaderKinds((b"alt-svc",))
_BODILESS: Final = frozenset({204, 304})
_BREAKS: Final = (b"\r", b"\n", b"\0")


def request_headers(request: HttpRequest) -> list[Header]:
    """Write the header list. A length is given where the agent gave one; `te` tells a gRPC server
    that its trailers will be passed on.

    Raises:
        UpstreamError: `upstream.unsafe_request`, a part would break the framing.
    """
    authority = request.fields.get(b"host", b"")
    headers: list[Header] = [
        (b":method", request.method.encode("latin-1")),
        (b":scheme", b"https"),
        (b":authority", authority),
        (b":path", request.target),
    ]
    headers += [
        (name.lower(), value)
        for name, value in request.headers
        if _OUTWARD[name] is HeaderKind.KEEP
    ]
    if request.body_bytes:
        headers.append((b"content-length", b"%d" % request.body_bytes))
    if is_grpc_call(request.fields):
        headers.append((b"te", b"trailers"))
    # Second wall behind the parser: no value can be read as two headers by a server that goes on
    # in HTTP/1.1.
    if not authority or any(end in part for pair in headers for part in pair for end in _BREAKS):
        raise UpstreamError(
            "upstream.unsafe_request", "the request can't be written safely", sent=False, status=400
        )
    return headers


def response_head(
    headers: Sequence[Header], *, is_head: bool, limits: ResponseLimits
) -> ResponseHead:
    """Read a header list; `is_head` tells that the request was a HEAD.

    Raises:
        UpstreamError: `upstream.malformed`, `upstream.head_too_large`.
    """
    if len(headers) > limits.headers_max:
        raise UpstreamError(
            "upstream.head_too_large", "the upstream sent too many headers", sent=True
        )
    status, length = 0, None
    kept: list[Header] = []
    for name, value in headers:
        if name == b":status":
            status = int(value) if len(value) == 3 and value.isdigit() else 0
            continue
        kind = _INWARD[name]
        if kind is HeaderKind.KEEP:
            kept.append((name, value))
        elif kind is HeaderKind.CONTENT_LENGTH:
            length = int(value) if value.isdigit() and len(value) < 16 else -1
    if not 200 <= status <= 599 or length == -1:
        raise UpstreamError("upstream.malformed", "the upstream's answer is malformed", sent=True)
    has_body = not (is_head or status in _BODILESS)
    return ResponseHead(status, b"", tuple(kept), None if status == 204 else length, has_body)


def response_trailers(headers: Sequence[Header]) -> tuple[Header, ...]:
    """What may follow a body: `grpc-status` and whatever else changes nothing that a head said."""
    return tuple(header for header in headers if TRAILING[header[0]] is HeaderKind.KEEP)
