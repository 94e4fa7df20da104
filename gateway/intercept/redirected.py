"""A connection that its client believes to have made to the server itself -> whom it is for. Pure.

The address to which it was made is advisory: an agent can put any name before any address, and any
address behind any name. So the name is what the agent asks for, in TLS (SNI) or in plain HTTP
(Host); it is decided on, resolved by us and dialled at our own answer. Of the original destination
the port alone counts. Without a name nothing is asked of anybody.
"""

from __future__ import annotations

from typing import Final

from gateway.intercept.client_hello import ClientHello
from gateway.intercept.http1 import Head
from gateway.intercept.request import host_authority
from gateway.model.address import parse_address
from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority

REDIRECTED: Final = b"checkrein-redirected"
"""On a CONNECT: what comes in this tunnel was redirected, and the CONNECT names the address to
which it was made. Its sender presents an agent's credentials, as for any tunnel, and could have
named any host itself; so nobody gains by it."""

_TLS_HANDSHAKE: Final = 22


def is_redirected(connect: Head) -> bool:
    """Whether a CONNECT says that its tunnel carries a redirected connection."""
    return REDIRECTED in connect.control


def is_tls(first_byte: int) -> bool:
    """Whether a connection that begins so speaks TLS; no method of HTTP begins with it."""
    return first_byte == _TLS_HANDSHAKE


def named_authority(hello: ClientHello, port: int) -> Authority:
    """The host that a TLS client names, at the port to which it connected.

    Raises:
        AgentProtocolError: `authority.no_sni`, `authority.malformed`.
    """
    if hello.server_name is None:
        raise AgentProtocolError("authority.no_sni", "the TLS client names no host", 421)
    authority = parse_authority(hello.server_name, port)
    if authority.port != port or parse_address(authority.host) is not None:
        # RFC 6066 section 3: names only.
        raise AgentProtocolError("authority.no_sni", "the TLS client names no host but text", 421)
    return authority


def redirected_target(head: Head, port: int) -> tuple[Authority, bytes]:
    """Authority and target of a plain request to `port`: `GET /path` with a Host.

    Raises:
        AgentProtocolError: `request.target_form`, `request.no_host`, `authority.*`.
    """
    if head.target[:1] != b"/":
        raise AgentProtocolError("request.target_form", "the target does not begin with `/`")
    authority = host_authority(head, 80)
    if authority.port != port:
        raise AgentProtocolError(
            "authority.mismatch", "the Host header names another port than the connection's", 421
        )
    return authority, head.target
