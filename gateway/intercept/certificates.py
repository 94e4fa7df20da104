"""The CA that governed programs trust, and a certificate under it for every name they call.

The key of the CA stays in its directory (mode 0600 in 0700) and in this process; it is never sent
or logged. Leafs share one key that lives only in memory, so that a new name costs one signature.
"""

from __future__ import annotations

import os
import ssl
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.intercept.ca_files import (
    CaPair,
    alone_in,
    load_pair,
    write_atomically,
    write_pair,
)
from gateway.model.errors import ConfigurationError, Problem

CA_DAYS: Final = 3_650
LEAF_DAYS: Final = 197
"""Clients refuse server certificates of public CAs that live longer than 200 days (since March
2026), and some don't tell public CAs from private ones."""

BACKDATED: Final = timedelta(days=1)
"""Clients with a slow clock accept the certificate all the same."""

RENEW_BEFORE: Final = timedelta(days=7)
CONTEXTS_MAX: Final = 1_024
"""Names kept ready. An agent that asks for more pays a signature again, not memory."""

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class CertificateAuthority:
    """Mints leafs and keeps the TLS contexts made of them. Use `load_or_make`."""

    def __init__(self, pair: CaPair, now: Callable[[], datetime] = _utc_now) -> None:
        self.ca_pem_file = pair.certificate_file
        self._now = now
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key_pem = _key_pem(self._leaf_key)
        self._subject_key = x509.SubjectKeyIdentifier.from_public_key(self._leaf_key.public_key())
        self._use(pair)

    def _use(self, pair: CaPair) -> None:
        self._ca = pair
        self._authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            pair.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        )
        self._contexts: OrderedDict[str, tuple[ssl.SSLContext, datetime]] = OrderedDict()

    @classmethod
    def load_or_make(
        cls, directory: Path, now: Callable[[], datetime] = _utc_now
    ) -> CertificateAuthority:
        """Load `ca.pem` and `ca.key` from `directory`; make both when neither is there.

        Raises:
            ConfigurationError: they can't be read, written or used, with what to do about it.
        """
        with alone_in(directory):
            pair = load_pair(directory, now())
            if pair is None:
                key = ec.generate_private_key(ec.SECP256R1())
                pem = _make_ca(key, now()).public_bytes(serialization.Encoding.PEM)
                write_pair(directory, pem, _key_pem(key))
                pair = load_pair(directory, now())
                assert pair is not None, "what was just written is there"
        return cls(pair, now)

    def reload(self) -> bool:
        """Read the CA's files again; whether it is another one now. Leaves are then minted anew;
        connections that are open live on.

        Raises:
            ConfigurationError: they can't be used; the CA that was there stays.
        """
        pair = load_pair(self.ca_pem_file.parent, self._now())
        if pair is None:
            raise ConfigurationError(
                "ca.missing",
                [Problem(str(self.ca_pem_file), 0, 0, "is gone", "put it back, with its key")],
            )
        if pair.certificate == self._ca.certificate:
            return False
        self._use(pair)
        return True

    def context_for(self, host: str, *, http2: bool = False) -> ssl.SSLContext:
        """The server side of TLS as `host`, which is normalised: a name or an address. With
        `http2` that protocol is preferred; without, it is not offered."""
        now = self._now()
        key = f"{host} h2" if http2 else host
        entry = self._contexts.get(key)
        if entry is not None and now < entry[1]:
            self._contexts.move_to_end(key)
            return entry[0]
        context = self._make_context(self.mint_leaf(host))
        if http2:
            context.set_alpn_protocols(["h2", "http/1.1"])
        expires_at = min(
            now + timedelta(days=LEAF_DAYS - 1), self._ca.certificate.not_valid_after_utc
        )
        self._contexts[key] = (context, expires_at - RENEW_BEFORE)
        self._contexts.move_to_end(key)
        if len(self._contexts) > CONTEXTS_MAX:
            self._contexts.popitem(last=False)
        return context

    def mint_leaf(self, host: str) -> bytes:
        """Sign a certificate for one name or address; PEM."""
        now = self._now()
        names = x509.SubjectAlternativeName([_general_name(host)])
        ca_end = self._ca.certificate.not_valid_after_utc
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._ca.certificate.subject)
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now - BACKDATED + timedelta(days=LEAF_DAYS), ca_end))
            # Critical, since the subject is empty (RFC 5280 section 4.2.1.6).
            .add_extension(names, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(self._authority_key, critical=False)
            .add_extension(self._subject_key, critical=False)
        )
        leaf = builder.sign(self._ca.key, hashes.SHA256())
        return leaf.public_bytes(serialization.Encoding.PEM)

    def write_bundle(self, path: Path) -> None:
        """Write the system's roots and our CA as one PEM file, for clients that take only one. A
        file that is right already stays as it is.

        Raises:
            ConfigurationError: it can't be written.
        """
        bundle = _load_system_roots() + b"\n" + self.ca_pem_file.read_bytes()
        if not _holds(path, bundle):
            write_atomically(path, bundle, mode=0o644)

    def _make_context(self, leaf_pem: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # No session tickets: agents' clients don't resume, and a handshake gets a sixth cheaper.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        with _readable_file(leaf_pem + self._leaf_key_pem) as name:
            context.load_cert_chain(name)
        return context


class _readable_file:
    """A name under which OpenSSL can read bytes, which it takes from files alone.

    Memory only where the system offers it; else a file that nobody else may read.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._fd = -1
        self._name = ""

    def __enter__(self) -> str:
        if hasattr(os, "memfd_create"):
            self._fd = os.memfd_create("leaf", os.MFD_CLOEXEC)
            name = f"/proc/self/fd/{self._fd}"
        else:
            self._fd, self._name = tempfile.mkstemp()
            name = self._name
        os.write(self._fd, self._content)
        return name

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if self._name:
            Path(self._name).unlink()


def _make_ca(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # The name differs for every CA: clients that know two of one name may try the wrong one.
    mark = subject_key.digest.hex()[:8]
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Checkrein"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Checkrein gateway CA {mark}"),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(subject_key, critical=False)
        .sign(key, hashes.SHA256())
    )


def _key_usage(
    *, digital_signature: bool = False, signs_certificates: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file that everybody may read holds just this."""
    try:
        if stat.S_IMODE(path.lstat().st_mode) != 0o644 or path.is_symlink():
            return False
        return path.read_bytes() == data
    except OSError:
        return False


def _load_system_roots() -> bytes:
    default = ssl.get_default_verify_paths().cafile
    for name in (*([default] if default else []), *_BUNDLES):
        path = Path(name)
        if path.is_file():
            return path.read_bytes()
    import certifi

    return Path(certifi.where()).read_bytes()
