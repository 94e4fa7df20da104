"""Errors of sockets and of TLS -> faults with a code. The only file that reads them.

The texts name what failed and never repeat bytes of the peer.
"""

from __future__ import annotations

import ssl
from typing import Final

from gateway.model.errors import AgentProtocolError, CheckreinError, UpstreamError


class WireError(CheckreinError):
    """An open connection broke: `wire.reset`, `wire.truncated`, `wire.tls_broken`,
    `wire.stalled`, `wire.failed`."""


def broken(error: OSError) -> WireError:
    """What ended an open connection. A TLS end without close_notify is `wire.truncated`."""
    if isinstance(error, ssl.SSLEOFError):
        fault = WireError("wire.truncated", "the connection ended in the middle of TLS")
    elif isinstance(error, ssl.SSLError):
        fault = WireError("wire.tls_broken", f"TLS broke: {reason_of(error)}")
    else:
        fault = WireError("wire.reset", "the connection was reset")
    fault.__cause__ = error
    return fault


def stalled() -> WireError:
    return WireError("wire.stalled", "the peer did not read what was sent to it")


def failed() -> WireError:
    """Not the peer's doing."""
    return WireError("wire.failed", "the connection could not be carried on")


def unreachable(error: OSError) -> UpstreamError:
    fault = UpstreamError(
        "upstream.unreachable", f"can't connect: {error.strerror or 'refused'}", sent=False
    )
    fault.__cause__ = error
    return fault


def timed_out(what: str) -> UpstreamError:
    return UpstreamError("upstream.timed_out", f"{what} took too long", sent=False, status=504)


def upstream_tls(error: OSError) -> UpstreamError:
    """Why a handshake with an upstream failed; an untrusted certificate has its own code."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = UpstreamError(
            "upstream.tls_untrusted",
            f"the upstream's certificate is not trusted: {error.verify_message}",
            sent=False,
        )
    elif isinstance(error, ssl.SSLError):
        fault = UpstreamError(
            "upstream.tls_failed", f"TLS with the upstream failed: {reason_of(error)}", sent=False
        )
    else:
        fault = UpstreamError(
            "upstream.tls_failed", "the upstream closed the connection during TLS", sent=False
        )
    fault.__cause__ = error
    return fault


_DISTRUST: Final = frozenset(
    {
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "TLSV1_ALERT_DECRYPT_ERROR",
    }
)


def agent_tls(error: OSError) -> AgentProtocolError:
    """Why a handshake with an agent failed; a client that does not trust our CA has its own
    code, since that is the mistake that people make."""
    if isinstance(error, ssl.SSLError) and error.reason in _DISTRUST:
        fault = AgentProtocolError(
            "tunnel.ca_distrusted", "the client does not trust the gateway's CA certificate"
        )
    elif isinstance(error, ssl.SSLError):
        fault = AgentProtocolError("tunnel.tls_failed", f"TLS failed: {reason_of(error)}")
    else:
        fault = AgentProtocolError(
            "tunnel.tls_failed", "the client closed the connection during TLS"
        )
    fault.__cause__ = error
    return fault


def agent_tls_timed_out() -> AgentProtocolError:
    return AgentProtocolError("tunnel.timed_out", "the TLS handshake took too long", 408)


def reason_of(error: ssl.SSLError) -> str:
    """OpenSSL's own constant for the reason, in lower case; never a text of the peer."""
    return (error.reason or "unknown reason").lower().replace("_", " ")
