"""Connections that the kernel redirected to us, of programs that know of no proxy.

There are no proxy credentials here, so that the sidecar's configured agent acts. A connection that
was made straight to this listener was redirected by nobody and is refused: it would be a way past
the credentials for whatever else can reach the port.
"""

from __future__ import annotations

import socket

from gateway.intercept.original_destination import original_destination
from gateway.intercept.session import Session, Surroundings
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority
from gateway.wire.socket_wire import SocketWire


class TransparentSession(Session):
    """One redirected connection."""

    looks_first = True

    def __init__(self, surroundings: Surroundings, sock: socket.socket) -> None:
        super().__init__(surroundings)
        self._destination = original_destination(sock)
        self._is_answerable = False

    async def _serve(self, wire: SocketWire) -> None:
        if self._destination is None:
            raise AgentProtocolError(
                "transparent.not_redirected", "the connection was not redirected to us", 403
            )
        # What is recorded of a connection that never says whom it is for.
        self._authority = Authority(*self._destination)
        await self._serve_redirected(wire, self._destination[1])
