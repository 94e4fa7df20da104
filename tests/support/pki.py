"""A small certificate authority for tests: good server certificates and each kind of bad one.

Names in, PEM files and `ssl.SSLContext`s out. P-256 throughout, since RSA keys cost a test
seconds. Nothing here may ever be trusted outside a test's own folder.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


class TestAuthority:
    """A root with its own folder. `ca_file` is what a client must trust.

    `folder` defaults to a temporary one that lives as long as this object.
    """

    __test__ = False  # not a test class, whatever its name looks like

    def __init__(self, folder: Path | None = None, name: str = "Checkrein Test Root") -> None:
        self._temporary = tempfile.TemporaryDirectory() if folder is None else None
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = self.folder / f"ca-{self._certificate.serial_number:x}.pem"
        self.ca_file.write_bytes(_pem(self._certificate))

    def close(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def issue(
        self,
        names: Sequence[str],
        *,
        expired: bool = False,
        not_yet_valid: bool = False,
        self_signed: bool = False,
        common_name_only: bool = False,
        client_only: bool = False,
        is_ca: bool = False,
    ) -> tuple[Path, Path]:
        """Issue a server certificate for DNS names and addresses; each flag is one fault.

        An unknown root needs no flag: issue from another `TestAuthority`. A wrong host neither:
        issue for other names. Returns the certificate's and the key's PEM file.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        first, last = now - _DAY, now + 10 * _DAY
        if expired:
            first, last = now - 10 * _DAY, now - _DAY
        if not_yet_valid:
            first, last = now + _DAY, now + 10 * _DAY
        subject = _named(names[0])
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client_only else ExtendedKeyUsageOID.SERVER_AUTH
        signer = key if self_signed else self._key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(last)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=is_ca), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        if not common_name_only:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        stem = self.folder / f"server-{certificate.serial_number:x}"
        cert_file, key_file = stem.with_suffix(".pem"), stem.with_suffix(".key")
        cert_file.write_bytes(_pem(certificate))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        key_file.chmod(0o600)
        return cert_file, key_file

    def server_context(
        self,
        names: Sequence[str],
        *,
        tls_versions: tuple[ssl.TLSVersion, ssl.TLSVersion] | None = None,
        alpn: Sequence[str] = ("http/1.1",),
        **faults: bool,
    ) -> ssl.SSLContext:
        """Make the context of a TLS server with a certificate for `names`; faults as `issue`."""
        cert_file, key_file = self.issue(names, **faults)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if tls_versions is not None:
            context.minimum_version, context.maximum_version = tls_versions
        context.load_cert_chain(cert_file, key_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def client_context(self) -> ssl.SSLContext:
        """Make the context of a client that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
