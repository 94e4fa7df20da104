"""The CA and its leafs, judged by a strict client; and what is said when the files are bad."""

from __future__ import annotations

import ssl
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.intercept import certificates
from gateway.intercept.certificates import CertificateAuthority
from gateway.model.errors import ConfigurationError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """One CA for the tests that only read it."""
    return CertificateAuthority.load_or_make(tmp_path_factory.mktemp("ca") / "new")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A handshake in memory; raises what the client's judgement is."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ends[0].getpeercert()
    return ends[0]


def strict_client(ca: CertificateAuthority) -> ssl.SSLContext:
    client = ssl.create_default_context(cafile=str(ca.ca_pem_file))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    return client


@pytest.mark.parametrize(
    "host", ["api.test", "a" * 60 + "." + "b" * 60 + ".test", "192.0.2.1", "2001:db8::1"]
)
def test_a_strict_client_accepts(ca: CertificateAuthority, host: str) -> None:
    """Names, long names and addresses, with HTTP/1.1 agreed and TLS 1.3."""
    client = strict_client(ca)
    client.set_alpn_protocols(["h2", "http/1.1"])
    tls = shake_hands(client, ca.context_for(host), host)
    assert (tls.selected_alpn_protocol(), tls.version()) == ("http/1.1", "TLSv1.3")


def test_another_name_is_not_accepted(ca: CertificateAuthority) -> None:
    """The certificate names one host."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(strict_client(ca), ca.context_for("api.test"), "other.test")


def test_old_tls_is_refused(ca: CertificateAuthority) -> None:
    """TLS 1.2 is the oldest."""
    assert ca.context_for("api.test").minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_files(ca: CertificateAuthority) -> None:
    """The key is for its owner alone; the certificate may sign leafs and nothing below them."""
    folder = ca.ca_pem_file.parent
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["ca.key", "ca.pem"]
    certificate = x509.load_pem_x509_certificate(ca.ca_pem_file.read_bytes())
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.path_length) == (True, 0)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign) == (True, True, True)
    assert not usage.value.digital_signature


def test_the_leaf(ca: CertificateAuthority) -> None:
    """Backdated, short-lived, for servers only, with a name only where it belongs."""
    leaf = x509.load_pem_x509_certificate(ca.mint_leaf("api.test"))
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert life <= timedelta(days=197)
    assert leaf.not_valid_before_utc < datetime.now(UTC) - timedelta(hours=23)
    assert list(leaf.subject) == []
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (names.critical, names.value.get_values_for_type(x509.DNSName)) == (True, ["api.test"])
    oids = {extension.oid._name for extension in leaf.extensions}
    assert oids == {
        "subjectAltName", "basicConstraints", "keyUsage", "extendedKeyUsage",
        "authorityKeyIdentifier", "subjectKeyIdentifier",
    }  # fmt: skip


def test_it_is_loaded_again(ca: CertificateAuthority) -> None:
    """A second start uses the same CA, and clients that trust it stay content."""
    again = CertificateAuthority.load_or_make(ca.ca_pem_file.parent)
    shake_hands(strict_client(ca), again.context_for("api.test"), "api.test")


def test_who_starts_first_makes_it_for_all(tmp_path: Path) -> None:
    """Workers of one gateway look for it at the same moment, and find nothing."""
    folder, together = tmp_path / "new" / "ca", threading.Barrier(6)

    def start(_number: int) -> bytes:
        together.wait(30)
        return CertificateAuthority.load_or_make(folder)._ca.certificate.fingerprint(
            hashes.SHA256()
        )

    with ThreadPoolExecutor(6) as pool:
        made = set(pool.map(start, range(6)))
    on_disk = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    assert made == {on_disk.fingerprint(hashes.SHA256())}


def test_contexts_are_kept_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same until it nears its end; the least recently used goes first."""
    monkeypatch.setattr(certificates, "CONTEXTS_MAX", 2)
    now = [NOW]
    ca = CertificateAuthority.load_or_make(tmp_path, lambda: now[0])
    first = ca.context_for("a.test")
    ca.context_for("b.test")
    assert ca.context_for("a.test") is first
    ca.context_for("c.test")
    assert ca.context_for("a.test") is first
    assert len(ca._contexts) == 2
    now[0] += timedelta(days=190)
    assert ca.context_for("a.test") is not first


def test_the_bundle(ca: CertificateAuthority, tmp_path: Path) -> None:
    """The system's roots and ours in one file that OpenSSL reads."""
    bundle = tmp_path / "bundle.pem"
    ca.write_bundle(bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bundle)
    assert context.cert_store_stats()["x509_ca"] > 50
    assert bundle.read_bytes().endswith(ca.ca_pem_file.read_bytes())


def test_a_bundle_that_is_right_stays(ca: CertificateAuthority, tmp_path: Path) -> None:
    """A start writes no hundred kilobytes for nothing; what is not right is written anew."""
    bundle = tmp_path / "bundle.pem"
    ca.write_bundle(bundle)
    right = bundle.read_bytes()
    changed_at = bundle.stat().st_mtime_ns
    ca.write_bundle(bundle)
    assert bundle.stat().st_mtime_ns == changed_at
    elsewhere = tmp_path / "elsewhere.pem"
    elsewhere.write_bytes(right)
    for spoil in (
        lambda: bundle.write_bytes(right[:-1]),
        lambda: bundle.chmod(0o600),
        lambda: (bundle.unlink(), bundle.symlink_to(elsewhere)),
        bundle.unlink,
    ):
        spoil()
        ca.write_bundle(bundle)
        assert bundle.read_bytes() == right
        assert bundle.stat().st_mode & 0o777 == 0o644
        assert not bundle.is_symlink()
    assert elsewhere.read_bytes() == right


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def no_ca(folder: Path) -> None:
    """Put a leaf's certificate, with its own key, where the CA should be."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    leaf = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9)).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "ca.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.key").write_bytes(pem_of(key))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no certificate": (lambda d: (d / "ca.pem").unlink(), "ca.pem: is missing"),
    "no key": (lambda d: (d / "ca.key").unlink(), "ca.key: is missing"),
    "no PEM": (lambda d: (d / "ca.pem").write_bytes(b"x"), "ca.pem: is not a PEM certificate"),
    "an empty key": (lambda d: (d / "ca.key").write_bytes(b""), "is not an unencrypted PEM key"),
    "another key": (
        lambda d: (d / "ca.key").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1()))),
        "does not belong to the certificate",
    ),
    "an RSA key": (
        lambda d: (d / "ca.key").write_bytes(pem_of(rsa.generate_private_key(65_537, 2_048))),
        "is not an elliptic-curve key",
    ),
    "a certificate that may not sign": (no_ca, "may not sign certificates"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(tmp_path: Path, case: str) -> None:
    """Each says which file, what is wrong and what to do; no key is ever shown."""
    spoil, message = BAD[case]
    CertificateAuthority.load_or_make(tmp_path, lambda: NOW)
    spoil(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        CertificateAuthority.load_or_make(tmp_path, lambda: NOW)
    assert message in str(caught.value)
    assert "help: " in str(caught.value)
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize("days", [-2, 4_000])
def test_a_ca_out_of_its_time(tmp_path: Path, days: int) -> None:
    """Expired, or not yet valid for a clock that is wrong."""
    CertificateAuthority.load_or_make(tmp_path, lambda: NOW)
    with pytest.raises(ConfigurationError, match="is not valid now"):
        CertificateAuthority.load_or_make(tmp_path, lambda: NOW + timedelta(days=days))


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """What can't be made is said."""
    (tmp_path / "ca").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"can't be"):
        CertificateAuthority.load_or_make(tmp_path / "ca" / "deeper")
