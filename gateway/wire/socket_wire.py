"""A plain TCP connection as a `Wire`, on `add_reader`/`add_writer` of any event loop.

Writes go to the socket at once; only what it does not take is kept. Never resolves a name.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from gateway.ports import WireReceiver


@dataclass(frozen=True, slots=True)
class WireSettings:
    """Limits of one connection; see each."""

    read_bytes_max: int = 262_144


async def connect(
    address: tuple[str, int], receiver: WireReceiver, seconds_max: float
) -> SocketWire:
    """Connect to a numeric address; the peer is checked to be that address.

    Raises:
        UpstreamError: `upstream.unreachable`, `upstream.timed_out` (nothing was sent).
    """
    raise NotImplementedError


def adopt(sock: socket.socket, receiver: WireReceiver) -> SocketWire:
    """Take over an accepted socket."""
    raise NotImplementedError


class SocketWire:
    """`ports.Wire` without TLS."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, receiver: WireReceiver
    ) -> None:
        self.receiver = receiver
