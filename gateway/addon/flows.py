"""A flow of mitmproxy -> an `HttpRequest` of ours, by our own strict grammar, and back. Pure.

mitmproxy has parsed the bytes already; what it made of them is written down as HTTP/1.1 once more
and read by `intercept.http1`, so that nothing is accepted here that the gateway itself would
refuse. What is then sent is written from the parsed request alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.intercept.http1 import Head, Limits, RequestReader
from gateway.intercept.request import make_request, tunnelled_target
from gateway.intercept.settings import InterceptSettings
from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, Header, HttpRequest

MitmFlow = Any
"""`mitmproxy.http.HTTPFlow`; not imported, because the gateway does without mitmproxy."""

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


def read_head(flow: MitmFlow, settings: InterceptSettings) -> Head:
    """The head of a flow's request.

    Raises:
        AgentProtocolError: it would not be accepted on a connection of ours either.
    """
    request = flow.request
    fields: Sequence[Header] = request.headers.fields
    lines = [b"%b %b HTTP/1.1" % (request.data.method, request.data.path)]
    hosts = [value for name, value in fields if name.lower() == b"host"]
    named = request.data.authority
    if named and any(_parse(flow, host) != _parse(flow, named) for host in hosts):
        # Which of the two is sent first depends on the upstream's protocol.
        raise AgentProtocolError(
            "authority.mismatch", "the Host header and the target name different hosts", 421
        )
    if not hosts:
        # HTTP/2 and HTTP/3 name it in a pseudo-header (RFC 9113, section 8.3.1).
        lines.append(b"host: " + (named or _authority_bytes(flow)))
    lines += [b"%b: %b" % (name, value) for name, value in fields if name.lower() not in _FRAMING]
    content = request.raw_content
    if content:
        lines.append(b"content-length: %d" % len(content))
    return _read(lines, settings)


def read_connect(flow: MitmFlow, settings: InterceptSettings) -> Head:
    """The head of a CONNECT.

    Raises:
        AgentProtocolError: as `read_head`.
    """
    request = flow.request
    authority = request.data.authority or bracketed(request.host, request.port)
    fields = [b"%b: %b" % field for field in request.headers.fields]
    return _read([b"CONNECT %b HTTP/1.1" % authority, *fields], settings)


def bracketed(host: str, port: int) -> bytes:
    """Host and port as one authority; brackets around IPv6."""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}".encode("ascii", "replace")


def _read(lines: Sequence[bytes], settings: InterceptSettings) -> Head:
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise AgentProtocolError("request.malformed", "a header holds a line break")
    reader = RequestReader(
        Limits(settings.head_bytes_max, settings.headers_max, settings.target_bytes_max)
    )
    reader.feed(b"\r\n".join([*lines, b"", b""]))
    head = reader.read_head()
    if head is None or reader.buffered_bytes:
        raise AgentProtocolError("request.malformed", "the head is malformed")
    return head


def find_authority(flow: MitmFlow) -> Authority:
    """Whom the request is for. In TLS that is the name which the client asked for (SNI): the
    address that it connected to is only advice, and what is dialled is resolved by us.

    Raises:
        AgentProtocolError: `authority.no_sni`, `authority.malformed`.
    """
    request = flow.request
    if request.scheme == "https":
        name = flow.client_conn.sni
        if not name:
            raise AgentProtocolError("authority.no_sni", "the TLS client names no host", 421)
        return parse_authority(name.encode("ascii", "replace"), request.port)
    return parse_authority(_authority_bytes(flow), 80)


def make_exchange_request(
    flow: MitmFlow, head: Head, authority: Authority, body_bytes_max: int
) -> HttpRequest:
    """The request as it is decided on and sent.

    Raises:
        AgentProtocolError: `request.target_form`, `authority.mismatch`, `body.too_large`,
            `upgrade.*`.
    """
    body: bytes = flow.request.raw_content or b""
    if len(body) > body_bytes_max:
        raise AgentProtocolError("body.too_large", "the body is too large to be inspected", 413)
    target = _target(flow, head, authority)
    request = make_request(head, flow.request.scheme, authority, target, body)
    if request.is_websocket:
        raise AgentProtocolError(
            "upgrade.unsupported", "WebSocket is not governed behind mitmproxy", 501
        )
    return request


def rewrite(flow: MitmFlow, request: HttpRequest, make_headers: Callable[..., Any]) -> None:
    """Make the flow exactly what was decided on. `make_headers` is mitmproxy's `Headers`."""
    headers = list(request.headers)
    if request.body:
        headers.append((b"content-length", b"%d" % len(request.body)))
    flow.request.headers = make_headers(headers)
    flow.request.data.path = request.target
    flow.request.data.host = request.authority.host
    flow.request.data.port = request.authority.port


def _target(flow: MitmFlow, head: Head, authority: Authority) -> bytes:
    if flow.request.scheme == "https":
        return tunnelled_target(head, authority)
    host = head.fields.get(b"host", b"")
    if b"host" in head.repeated or parse_authority(host, 80) != authority:
        raise AgentProtocolError("authority.mismatch", "the Host header names another host", 421)
    if head.target[:1] != b"/":
        raise AgentProtocolError("request.target_form", "the target does not begin with `/`")
    return head.target


def _parse(flow: MitmFlow, named: bytes) -> Authority:
    return parse_authority(named, 443 if flow.request.scheme == "https" else 80)


def _authority_bytes(flow: MitmFlow) -> bytes:
    return bracketed(str(flow.request.pretty_host), flow.request.port)
