"""Makes a network namespace in which every address is local, and listens at some of its ports.

Called inside a fresh namespace, with its capabilities. See the package for what it is good for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from typing import Final

BACKLOG: Final = 1_024
RESOLVER_PORT: Final = 53

_IP_PKTINFO: Final = 8
"""Named in Python from 3.12 on."""

_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_IFREQ: Final = struct.Struct("16sh22x")

_RTM_NEWROUTE: Final = 24
_NLM_F_REQUEST_ACK_CREATE: Final = 0x1 | 0x4 | 0x400
_NLMSG_ERROR: Final = 2
_RT_TABLE_LOCAL: Final = 255
_RTPROT_BOOT: Final = 3
_RT_SCOPE_HOST: Final = 254
_RTN_LOCAL: Final = 2
_RTA_OIF: Final = 4

_IPV6_IS_ABSENT: Final = frozenset(
    {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EOPNOTSUPP, errno.EACCES, errno.EINVAL}
)


def make_every_address_local() -> bool:
    """Bring loopback up and route everything to it; whether there is IPv6.

    Without IPv6 nothing of it can leave either.
    """
    _bring_up_loopback()
    _route_to_loopback(socket.AF_INET)
    try:
        _route_to_loopback(socket.AF_INET6)
    except OSError as error:
        if error.errno not in _IPV6_IS_ABSENT:
            raise
        return False
    return True


def listen(ports: Iterable[int], *, has_ipv6: bool) -> tuple[list[socket.socket], ...]:
    """TCP listeners at the ports, and UDP sockets for the resolver, of every address."""
    families = [socket.AF_INET, *([socket.AF_INET6] if has_ipv6 else [])]
    streams, resolvers = [], []
    for family in families:
        streams += [_bound(family, socket.SOCK_STREAM, port) for port in ports]
        resolvers.append(_bound(family, socket.SOCK_DGRAM, RESOLVER_PORT))
    for stream in streams:
        stream.listen(BACKLOG)
    return streams, resolvers


def _bound(family: int, kind: int, port: int) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.bind(("::", port))
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            sock.bind(("0.0.0.0", port))  # noqa: S104 - of a namespace that nobody else is in
    except BaseException:
        sock.close()
        raise
    return sock


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _IFREQ.pack(b"lo", 0))
        flags = _IFREQ.unpack(asked)[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", flags | _IFF_UP))


def _route_to_loopback(family: int) -> None:
    """`ip route add local default dev lo`, as rtnetlink(7) has it."""
    scope = _RT_SCOPE_HOST if family == socket.AF_INET else 0
    route = struct.pack(
        "=8BI", family, 0, 0, 0, _RT_TABLE_LOCAL, _RTPROT_BOOT, scope, _RTN_LOCAL, 0
    )
    route += struct.pack("=HHI", 8, _RTA_OIF, socket.if_nametoindex("lo"))
    header = struct.pack("=IHHII", 16 + len(route), _RTM_NEWROUTE, _NLM_F_REQUEST_ACK_CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(header + route)
        answer = netlink.recv(4_096)
    kind = struct.unpack_from("=H", answer, 4)[0]
    number = -struct.unpack_from("=i", answer, 16)[0] if kind == _NLMSG_ERROR else errno.EPROTO
    if number:
        raise OSError(number, os.strerror(number))


def close_all(sockets: Iterable[socket.socket]) -> None:
    """Close without a word."""
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.close()
