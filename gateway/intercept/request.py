"""A parsed head and where it came in -> whom it is for, who sends it, and the `HttpRequest`. Pure.

INVARIANT(one-authority): what is decided on, dialled, verified and sent as Host is one authority;
a request that names two is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Final

from gateway.intercept.http1 import Head
from gateway.intercept.websocket import asks_for_websocket
from gateway.model.authority import parse_authority
from gateway.model.dataclass import dataclass
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, HttpRequest

_AGENT: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}(?:\+[A-Za-z0-9][A-Za-z0-9._@-]{0,127})?"
)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,512}")
_CREDENTIALS_BYTES_MAX: Final = 2_048
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an agent presents. `agent` may be `AGENT+RUN`. The key is never shown."""

    agent: str
    key: str

    def __repr__(self) -> str:
        return f"Credentials({self.agent!r})"


def parse_credentials(head: Head) -> Credentials | None:
    """The proxy credentials of a head, None when there are none (RFC 7617).

    Raises:
        AgentProtocolError: `agent.bad_credentials`, status 407.
    """
    value = head.control.get(b"proxy-authorization")
    if value is None:
        return None
    scheme, _, token = value.partition(b" ")
    try:
        if scheme.lower() != b"basic" or len(token) > _CREDENTIALS_BYTES_MAX:
            raise ValueError
        credentials = read_credentials(base64.b64decode(token.strip(), validate=True))
    except (ValueError, binascii.Error):
        credentials = None
    if credentials is None:
        raise AgentProtocolError(
            "agent.bad_credentials",
            "the proxy credentials are not `AGENT:KEY` or `AGENT+RUN:KEY`",
            407,
        )
    return credentials


def read_credentials(text: bytes) -> Credentials | None:
    """`AGENT:KEY` or `AGENT+RUN:KEY`; None when it is neither."""
    try:
        user, colon, key = text.decode().partition(":")
    except UnicodeDecodeError:
        return None
    if not colon or not _AGENT.fullmatch(user) or not _KEY.fullmatch(key):
        return None
    return Credentials(user, key)


def connect_authority(head: Head) -> Authority:
    """Where a CONNECT leads. Its Host header, if any, must name the same.

    Raises:
        AgentProtocolError: `authority.malformed`, `authority.mismatch`, `request.framing`.
    """
    if head.body_bytes != 0:
        raise AgentProtocolError("request.framing", "a CONNECT has no body")
    authority = parse_authority(head.target, None)
    if b"host" in head.fields and host_authority(head, authority.port) != authority:
        raise _mismatch("the Host header and the CONNECT name different hosts")
    return authority


def proxied_target(head: Head) -> tuple[Authority, bytes]:
    """Authority and origin-form target of a plain proxy request, `GET http://host/path`.

    Raises:
        AgentProtocolError: `request.target_form`, `authority.*`.
    """
    scheme, separator, rest = head.target.partition(b"://")
    if not separator or scheme.lower() != b"http":
        raise AgentProtocolError(
            "request.target_form",
            "this is a proxy: send `CONNECT host:443`, or `http://host/path` as the target",
        )
    authority, target = _split_absolute(rest, "http")
    if host_authority(head, 80) != authority:
        raise _mismatch("the Host header and the target name different hosts", 400)
    return authority, target


def tunnelled_target(head: Head, authority: Authority) -> bytes:
    """The origin-form target of a request inside a tunnel to `authority`.

    Raises:
        AgentProtocolError: `request.target_form`; `authority.mismatch`, status 421.
    """
    if host_authority(head, 443) != authority:
        raise _mismatch("the Host header and the CONNECT name different hosts")
    target = head.target
    if target[:1] == b"/":
        return target
    if target[:8].lower() == b"https://":
        named, target = _split_absolute(target[8:], "https")
        if named != authority:
            raise _mismatch("the target and the CONNECT name different hosts")
        return target
    raise AgentProtocolError("request.target_form", "the target does not begin with `/`")


def make_request(
    head: Head, scheme: str, authority: Authority, target: bytes, body: bytes | None
) -> HttpRequest:
    """Put the request together once its body is known, or known to be too long.

    Raises:
        AgentProtocolError: `upgrade.malformed`.
    """
    return HttpRequest(
        head.method,
        scheme,
        authority,
        target,
        head.headers,
        head.fields,
        head.repeated,
        body,
        head.body_bytes,
        is_websocket=b"upgrade" in head.control and asks_for_websocket(head),
        takes_trailers=b"te" in head.control and _takes_trailers(head),
    )


def _takes_trailers(head: Head) -> bool:
    """HTTP/1.0 has no chunks, and so nothing that trailers could stand behind."""
    items = head.control[b"te"].lower().split(b",")
    return not head.is_http10 and b"trailers" in [item.strip() for item in items]


def _split_absolute(rest: bytes, scheme: str) -> tuple[Authority, bytes]:
    """`host:port/path?query` without its scheme -> authority and origin form."""
    end = next((i for i, byte in enumerate(rest) if byte in b"/?"), len(rest))
    authority = parse_authority(rest[:end], _DEFAULT_PORTS[scheme])
    target = rest[end:]
    return authority, target if target[:1] == b"/" else b"/" + target


def host_authority(head: Head, default_port: int) -> Authority:
    """What the one Host header names.

    Raises:
        AgentProtocolError: `request.no_host`, `request.repeated_header`, `authority.malformed`.
    """
    host = head.fields.get(b"host")
    if host is None:
        raise AgentProtocolError("request.no_host", "the request has no Host header")
    if b"host" in head.repeated:
        raise AgentProtocolError("request.repeated_header", "the request has two Host headers")
    return _parse_host(host, default_port)


@lru_cache(maxsize=1_024)
def _parse_host(host: bytes, default_port: int) -> Authority:
    return parse_authority(host, default_port)


def _mismatch(message: str, status: int = 421) -> AgentProtocolError:
    return AgentProtocolError("authority.mismatch", message, status)
