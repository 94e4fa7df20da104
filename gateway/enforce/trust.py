"""Which upstreams are believed: the TLS context of every connection to one.

System roots, and the operator's extra ones. It must never be able to verify less: there is no
switch for that, here or in the settings.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.model.errors import ConfigurationError, Problem


def make_upstream_context(extra_ca: str, *, http2: bool = False) -> ssl.SSLContext:
    """Make the one context for all upstreams; `extra_ca` is a PEM file or empty. `http2` offers
    that protocol too, and is else the same.

    Whole chain, dates, purpose and host name are verified, TLS is 1.2 or newer, OpenSSL's security
    level refuses SHA-1 and short keys, and a name counts only as a subject alternative name. The
    additional RFC 5280 form checks (`VERIFY_X509_STRICT`, Python 3.13's default) stay off on every
    version: they make no forged certificate fail that passes otherwise, and they refuse the
    private CAs that people make with OpenSSL's defaults (no key usage, no key identifier).

    Raises:
        ConfigurationError: the file can't be read.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    if not _has_system_roots(context):
        import certifi  # most systems have roots, and do without it

        context.load_verify_locations(certifi.where())
    if extra_ca:
        try:
            context.load_verify_locations(extra_ca)
        except (OSError, ssl.SSLError) as error:
            problem = Problem(
                extra_ca,
                0,
                0,
                "can't be read as certificates in PEM",
                "check CHECKREIN_UPSTREAM_CA",
            )
            raise ConfigurationError("upstream.ca_unreadable", [problem]) from error
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    return context


def _has_system_roots(context: ssl.SSLContext) -> bool:
    """A folder of roots is read only when it is needed, so it doesn't show in the statistics."""
    if context.cert_store_stats()["x509_ca"]:
        return True
    folder = ssl.get_default_verify_paths().capath
    return folder is not None and any(Path(folder).glob("*.0"))
