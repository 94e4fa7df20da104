"""A socket that netfilter redirected -> the address to which its client had connected.

Linux only (`SO_ORIGINAL_DST`). Never guesses: a connection that was made straight to the listener
has no other destination, and is not served as if it had one.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

_SO_ORIGINAL_DST: Final = 80
"""From linux/netfilter_ipv4.h; netfilter_ipv6/ip6_tables.h gives IP6T_SO_ORIGINAL_DST the same."""

_SOCKADDR_IN: Final = struct.Struct("!2xH4s8x")
_SOCKADDR_IN6: Final = struct.Struct("!2xH4x16s4x")


def original_destination(sock: socket.socket) -> tuple[str, int] | None:
    """Numeric address and port, None when the connection was not redirected."""
    try:
        found = _ask(sock)
        own = sock.getsockname()[:2]
    except OSError:  # not tracked, so not redirected; or gone
        return None
    return None if found == own else found


def _ask(sock: socket.socket) -> tuple[str, int]:
    if sock.family == socket.AF_INET6:
        data = sock.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, _SOCKADDR_IN6.size)
        port, address = _SOCKADDR_IN6.unpack(data)
        return socket.inet_ntop(socket.AF_INET6, address), port
    data = sock.getsockopt(socket.IPPROTO_IP, _SO_ORIGINAL_DST, _SOCKADDR_IN.size)
    port, address = _SOCKADDR_IN.unpack(data)
    return socket.inet_ntop(socket.AF_INET, address), port
