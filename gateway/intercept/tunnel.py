"""What happens in a tunnel before HTTP: a look at the ClientHello.

A tunnel which is not TLS to the named host is refused.
"""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from typing import Final

from gateway.intercept.client_hello import HELLO_BYTES_MAX, ClientHello, parse_client_hello
from gateway.intercept.inlet import Gone
from gateway.model.address import parse_address
from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority
from gateway.wire.socket_wire import SocketWire

_PAUSE_SECONDS: Final = 0.002
_PAUSE_SECONDS_MAX: Final = 0.1
"""Between looks at a hello that is not all there. Peeked bytes stay readable, so that waiting for
readability would spin."""


async def peek_hello(wire: SocketWire, seconds_max: float) -> ClientHello:
    """Read the ClientHello without taking it from OpenSSL. Reading must be paused.

    Raises:
        AgentProtocolError: `tunnel.not_tls`, `tunnel.bad_hello`, `tunnel.timed_out`,
            `tunnel.no_http`.
        Gone: the agent is.
    """
    try:
        async with asyncio.timeout(seconds_max):
            hello = await _peek_hello(wire)
    except TimeoutError as error:
        raise AgentProtocolError(
            "tunnel.timed_out", "no TLS ClientHello came in the tunnel", 408
        ) from error
    if not hello.speaks_http1 and not hello.speaks_http2:
        raise AgentProtocolError("tunnel.no_http", "the client offers no HTTP that we speak", 501)
    return hello


async def peek_first(wire: SocketWire, seconds_max: float) -> int:
    """The first byte that comes, without taking it. Reading must be paused.

    Raises:
        AgentProtocolError: `tunnel.timed_out`.
        Gone: the agent is.
    """
    try:
        async with asyncio.timeout(seconds_max):
            while (data := wire.peek(1)) is None:
                await wire.wait_readable()
    except TimeoutError as error:
        raise AgentProtocolError("tunnel.timed_out", "no byte came", 408) from error
    if not data:
        raise Gone
    return data[0]


async def _peek_hello(wire: SocketWire) -> ClientHello:
    seen, pause = 0, _PAUSE_SECONDS
    while True:
        await wire.wait_readable()
        data = wire.peek(HELLO_BYTES_MAX)
        if data is None:
            continue
        if not data:
            raise Gone
        hello = parse_client_hello(data)
        if hello is not None:
            return hello
        pause = min(pause * 2, _PAUSE_SECONDS_MAX) if len(data) == seen else _PAUSE_SECONDS
        seen = len(data)
        await asyncio.sleep(pause)


def wants_http2(hello: ClientHello, host: str, http2_hosts: tuple[str, ...]) -> bool:
    """Whether a client gets HTTP/2: it offers nothing else, or its host is named for it."""
    if not hello.speaks_http2:
        return False
    return not hello.speaks_http1 or any(fnmatchcase(host, glob) for glob in http2_hosts)


def served_name(hello: ClientHello, authority: Authority) -> tuple[str, AgentProtocolError | None]:
    """The name to show a certificate for, and why nothing may be asked under it, if so.

    SNI must name the CONNECT's host. It carries no addresses (RFC 6066 section 3), so for an
    address there may be none.
    """
    if hello.server_name is None:
        if parse_address(authority.host) is not None:
            return authority.host, None
        return authority.host, AgentProtocolError(
            "authority.no_sni", "the TLS client names no host", 421
        )
    name = parse_authority(hello.server_name, authority.port)
    if name == authority:
        return authority.host, None
    return name.host, AgentProtocolError(
        "authority.mismatch", "TLS and the CONNECT name different hosts", 421
    )
