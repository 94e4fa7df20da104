"""Servers that nobody should believe, after badssl.com's list, made locally: one TLS context each.

Every one of them differs from a good server in one thing. Keys are P-256 but where the key is what
is wrong. What OpenSSL can't be brought to offer is None, and its test is skipped visibly.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_NOW = datetime.now(UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """A certificate to be: a good one, but for what is changed."""

    names: tuple[str, ...]
    first: datetime = _NOW - _DAY
    last: datetime = _NOW + 10 * _DAY
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
    is_ca: bool = False
    path_length: int | None = None
    has_alternatives: bool = True
    extra: tuple[x509.ExtensionType, ...] = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key


def issue(plan: Plan, issuer: Issued | None, key: Key | None = None) -> Issued:
    """Sign a plan; by itself where there is no issuer."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, plan.names[0][:64])])
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(plan.first)
        .not_valid_after(plan.last)
        .add_extension(x509.BasicConstraints(plan.is_ca, plan.path_length), critical=True)
    )
    if plan.has_alternatives and not plan.is_ca:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in plan.names])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([plan.usage]), critical=False)
    for extension in plan.extra:
        builder = builder.add_extension(extension, critical=True)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def _authority(name: str) -> Plan:
    return Plan((name,), is_ca=True)


class BadServers:
    """All of them, for one name. `ca_file` is the root that their client trusts."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory() if folder is None else None
        self._folder = folder or Path(self._temporary.name if self._temporary else "")
        self._folder.mkdir(exist_ok=True)
        self._name = name
        self._root = issue(_authority("The Root"), None)
        self.ca_file = self._folder / "root.pem"
        self.ca_file.write_bytes(_pem(self._root))

    def make(self, name: str) -> ssl.SSLContext | None:
        """The server of a row of `MAKERS`."""
        return MAKERS[name](self)

    def good(self) -> ssl.SSLContext:
        """The one that all others are measured by."""
        return self.context(issue(self._leaf(), self._root))

    def context(self, leaf: Issued, *chain: Issued, versions: str = "") -> ssl.SSLContext:
        """A server that shows this certificate and chain."""
        path = self._folder / f"{leaf.certificate.serial_number:x}.pem"
        path.write_bytes(_private(leaf) + b"".join(map(_pem, (leaf, *chain))))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(versions or "DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(path)
        return context

    def _leaf(self, **changes: object) -> Plan:
        return replace(Plan((self._name,)), **changes)  # type: ignore[arg-type]

    def _by_root(self, **changes: object) -> ssl.SSLContext:
        return self.context(issue(self._leaf(**changes), self._root))

    def _with_key(self, key: Key) -> ssl.SSLContext:
        return self.context(issue(self._leaf(), self._root, key))

    def _between(self, middle: Plan, *, shows_chain: bool = True) -> ssl.SSLContext:
        """Signed by an authority below the root."""
        issuer = issue(middle, self._root)
        leaf = issue(self._leaf(), issuer)
        return self.context(leaf, issuer) if shows_chain else self.context(leaf)

    def _below(self, *middles: Plan) -> ssl.SSLContext:
        """Signed by the last of several authorities, each of which signed the next."""
        chain = [self._root]
        for middle in middles:
            chain.append(issue(middle, chain[-1]))
        return self.context(issue(self._leaf(), chain[-1]), *reversed(chain[1:]))

    def _speaking(
        self, least: ssl.TLSVersion, most: ssl.TLSVersion, ciphers: str
    ) -> ssl.SSLContext | None:
        try:
            context = self.context(issue(self._leaf(), self._root), versions=ciphers)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version, context.maximum_version = least, most
        except (ssl.SSLError, ValueError):
            return None
        return context

    def _old(self, ciphers: str) -> ssl.SSLContext | None:
        return self._speaking(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, ciphers)

    def _by_sha1(self) -> ssl.SSLContext | None:
        """`cryptography` signs nothing with SHA-1 any more; the command still does."""
        command = shutil.which("openssl")
        if command is None:
            return None
        good = issue(self._leaf(), None)
        files = {name: self._folder / f"sha1-{name}" for name in ("leaf", "key", "root", "new")}
        files["leaf"].write_bytes(_pem(good))
        files["key"].write_bytes(_private(good))
        files["root"].write_bytes(_private(self._root) + _pem(self._root))
        done = subprocess.run(
            [
                command, "x509", "-in", files["leaf"], "-sha1", "-days", "5", "-out", files["new"],
                "-CA", files["root"], "-CAkey", files["root"], "-set_serial", "7",
            ],
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            return None
        return self.context(
            Issued(x509.load_pem_x509_certificate(files["new"].read_bytes()), good.key)
        )

    def _small_dh(self) -> ssl.SSLContext | None:
        context = self._old("DHE:@SECLEVEL=0")
        if context is not None:
            path = self._folder / "dh.pem"
            path.write_text(
                ssl.DER_cert_to_PEM_cert(_DH_1024).replace("CERTIFICATE", "DH PARAMETERS")
            )
            context.load_dh_params(path)
        return context

    def _stranger(self) -> ssl.SSLContext:
        return self.context(issue(self._leaf(), issue(_authority("A Stranger"), None)))


_OLD, _OLDEST = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1
_OTHER = (x509.NameConstraints([x509.DNSName("elsewhere.test")], None),)
_EXCLUDED = (x509.NameConstraints(None, [x509.DNSName("example"), x509.DNSName("test")]),)

MAKERS: Mapping[str, Callable[[BadServers], ssl.SSLContext | None]] = {
    "T1 expired": lambda them: them._by_root(first=_NOW - 9 * _DAY, last=_NOW - _DAY),
    "T1 not yet valid": lambda them: them._by_root(first=_NOW + _DAY),
    "T1 for another host": lambda them: them._by_root(names=("elsewhere.test",)),
    "T1 for a wildcard of another level": lambda them: them._by_root(
        names=(f"*.{them._name}", "*.test")
    ),
    "T1 self-signed": lambda them: them.context(issue(them._leaf(), None)),
    "T1 an unknown root": lambda them: them._stranger(),
    "T1 an incomplete chain": lambda them: them._between(_authority("Between"), shows_chain=False),
    "T1 a name in the common name only": lambda them: them._by_root(has_alternatives=False),
    "T1 signed with SHA-1": lambda them: them._by_sha1(),
    "T1 for clients only": lambda them: them._by_root(usage=ExtendedKeyUsageOID.CLIENT_AUTH),
    "T1 outside of its authority's names": lambda them: them._between(
        replace(_authority("Bound"), extra=_OTHER)
    ),
    "T1 among its authority's excluded names": lambda them: them._between(
        replace(_authority("Bound"), extra=_EXCLUDED)
    ),
    "T1 signed by what is no authority": lambda them: them._between(
        replace(_authority("None"), is_ca=False)
    ),
    "T1 below an authority that may have none below": lambda them: them._below(
        replace(_authority("Last"), path_length=0), _authority("Too much")
    ),
    "T1 below an expired authority": lambda them: them._between(
        replace(_authority("Old"), last=_NOW - timedelta(hours=1))
    ),
    "T1 ten thousand names": lambda them: them._by_root(
        names=(*(f"a{number}.elsewhere.test" for number in range(10_000)), them._name)
    ),
    "T1 a key of 1,024 bits": lambda them: them._with_key(rsa.generate_private_key(65_537, 1_024)),
    "T2 TLS 1.1": lambda them: them._speaking(_OLD, _OLD, "ALL:@SECLEVEL=0"),
    "T2 TLS 1.0": lambda them: them._speaking(_OLDEST, _OLDEST, "ALL:@SECLEVEL=0"),
    "T2 no encryption": lambda them: them._old("NULL:@SECLEVEL=0"),
    "T2 no certificate": lambda them: them._old("aNULL:@SECLEVEL=0"),
    "T2 RC4": lambda them: them._old("RC4:@SECLEVEL=0"),
    "T2 3DES": lambda them: them._old("3DES:@SECLEVEL=0"),
    "T2 export ciphers": lambda them: them._old("EXPORT:@SECLEVEL=0"),
    "T2 a Diffie-Hellman group of 1,024 bits": lambda them: them._small_dh(),
}
"""What is wrong -> how its server is made. The keys are the sentences of a test's report."""


def _private(issued: Issued) -> bytes:
    return issued.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pem(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(serialization.Encoding.PEM)


_DH_1024 = bytes.fromhex(
    "308187028181"  # a sequence of two integers: the prime, and two as generator
    "00FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E"
    "3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5C"
    "B6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF020102"
)
"""The second Oakley group (RFC 2409 section 6.2)."""
