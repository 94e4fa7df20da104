"""TLS over a plain wire, as a `Wire`: a non-blocking `ssl.SSLSocket` on the same reader calls.

Cheaper than memory BIOs by a tenth; in exchange the WANT_READ and WANT_WRITE of both directions
are handled here. Never verifies less than the context that it is given says.
"""

from __future__ import annotations

import ssl

from gateway.ports import Wire, WireReceiver
from gateway.wire.socket_wire import SocketWire


async def start_tls_client(
    wire: SocketWire,
    context: ssl.SSLContext,
    server_name: str,
    receiver: WireReceiver,
    seconds_max: float,
) -> Wire:
    """Be the TLS client on `wire`, whose object is spent. On failure it is closed.

    Raises:
        UpstreamError: `upstream.tls_untrusted`, `upstream.tls_failed`, `upstream.timed_out`.
    """
    raise NotImplementedError


async def start_tls_server(
    wire: SocketWire, context: ssl.SSLContext, receiver: WireReceiver, seconds_max: float
) -> Wire:
    """Be the TLS server on `wire`, whose object is spent. On failure it is closed.

    Raises:
        AgentProtocolError: `tunnel.ca_distrusted`, `tunnel.tls_failed`, `tunnel.timed_out`.
    """
    raise NotImplementedError
