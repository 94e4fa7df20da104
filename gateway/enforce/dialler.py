"""An origin -> a connection to it that is checked, verified and ready for a request.

Every address is the destination guard's; TLS is never left out where the scheme has it. What an
upstream speaks is agreed in TLS, and HTTP/2 is offered only where the agent speaks it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from gateway.enforce.connection import Connection, Deadlines
from gateway.enforce.destination import DestinationGuard
from gateway.enforce.http1_response import ResponseLimits
from gateway.enforce.pool import Origin
from gateway.enforce.trust import make_upstream_context
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, UpstreamError
from gateway.model.exchange import Authority
from gateway.ports import Clock, Wire, WireReceiver
from gateway.wire.socket_wire import SocketWire, connect
from gateway.wire.tls_wire import start_tls_client

HTTP2_SCHEME: Final = "h2"
"""Of origins whose connections are made for agents that speak HTTP/2."""

Trust = ssl.SSLContext | None
"""What `make_upstream_context` made already; None: still to be made."""


@dataclass(frozen=True, slots=True)
class DialLimits:
    """See `UpstreamSettings` for units and reasons."""

    upstream_ca: str
    connect_seconds_max: float
    tls_seconds_max: float
    response: ResponseLimits
    deadlines: Deadlines


class Dialler:
    """Opens connections; `on_free` and `on_gone` are the pool's, for every one of them.

    Raises:
        ConfigurationError: the extra CA file can't be read.
    """

    def __init__(
        self,
        limits: DialLimits,
        guard: DestinationGuard,
        clock: Clock,
        trust: Trust = None,
    ) -> None:
        self._limits = limits
        self._guard = guard
        self._clock = clock
        self._context = trust or make_upstream_context(limits.upstream_ca)
        self._http2_context: ssl.SSLContext | None = None

    def load_trust(self) -> None:
        """Read the roots again, for connections that are opened from now on.

        Raises:
            ConfigurationError: they can't be read; those that were there stay.
        """
        self._context = make_upstream_context(self._limits.upstream_ca)
        self._http2_context = None

    async def open(
        self,
        origin: Origin,
        agent: str,
        on_free: Callable[[Connection], None],
        on_gone: Callable[[Connection], None],
    ) -> Connection:
        """Connect for the requests of one agent.

        Raises:
            UpstreamError: it can't be connected; nothing was sent.
        """
        limits = self._limits
        kind: type[Connection] = Connection
        unclaimed = Unclaimed()
        wire: Wire
        wire = plain = await self.dial(Authority(origin.host, origin.port), unclaimed)
        if origin.scheme != "http":
            is_offered = origin.scheme == HTTP2_SCHEME
            context = self._offering_http2() if is_offered else self._context
            wire = tls = await start_tls_client(
                plain, context, origin.host, unclaimed, limits.tls_seconds_max
            )
            if is_offered and tls.is_http2:
                # Loaded late: few agents need it.
                from gateway.enforce.http2_connection import Http2Connection

                kind = Http2Connection
        connection = kind(agent, limits.response, limits.deadlines, on_free, on_gone)
        wire.receiver = connection
        connection.attach(wire)
        return connection

    def _offering_http2(self) -> ssl.SSLContext:
        """Made late: reading the roots takes 30 ms, and few agents need it."""
        if self._http2_context is None:
            try:
                self._http2_context = make_upstream_context(self._limits.upstream_ca, http2=True)
            except ConfigurationError as error:
                raise UpstreamError(
                    "upstream.ca_unreadable", "the extra CA file can't be read", sent=False
                ) from error
        return self._http2_context

    async def dial(self, authority: Authority, receiver: WireReceiver) -> SocketWire:
        """Connect to the first checked address that answers, within one deadline for all.

        Raises:
            UpstreamError: as `open`.
        """
        endpoints = await self._guard.resolve(authority)
        deadline = self._clock.monotonic() + self._limits.connect_seconds_max
        failed: UpstreamError | None = None
        for done, endpoint in enumerate(endpoints):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            try:
                # A silent address leaves time for the others.
                return await connect(endpoint, receiver, left / (len(endpoints) - done))
            except UpstreamError as error:
                failed = error
        assert failed is not None, "a name without addresses is unknown"
        raise failed


class Unclaimed:
    """Receives for a wire until its owner takes over, which happens before the loop runs."""

    def wire_data(self, data: bytes) -> None:
        raise AssertionError("bytes arrived before anybody took the wire over")

    def wire_eof(self) -> None: ...

    def wire_full(self) -> None: ...

    def wire_drained(self) -> None: ...

    def wire_lost(self, error: Exception | None) -> None: ...
