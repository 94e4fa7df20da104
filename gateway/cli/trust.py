"""Turns the gateway's CA into the client folder: what a governed program reads to trust it.

    ca.pem            our CA alone            ca-bundle.pem   system roots and our CA
    truststore.p12    the same for Java       python/         the import hook

It holds nothing secret and may be mounted read-only into any container.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.datadir import DataDir, write_atomically
from gateway.cli.environment import TRUSTSTORE_PASSWORD, Wiring, wiring_in

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)

_HOOK = Path(__file__).with_name("hook") / "sitecustomize.py"

PUBLIC = 0o644


def write_client_dir(data_dir: DataDir, proxy_url: str, ca_file: str, bundle_file: str) -> Wiring:
    """Bring the client folder up to date with the CA; returns the wiring of it.

    Raises:
        OSError: the CA can't be read or the folder not written.
    """
    folder = data_dir.client
    hook_dir = folder / "python"
    hook_dir.mkdir(parents=True, exist_ok=True)
    bundle = Path(bundle_file).read_bytes()
    bundle_is_new = _write(folder / "ca-bundle.pem", bundle)
    _write(folder / "ca.pem", Path(ca_file).read_bytes())
    _write(hook_dir / "sitecustomize.py", _HOOK.read_bytes())
    truststore = folder / "truststore.p12"
    if bundle_is_new or not truststore.exists():
        write_atomically(truststore, _truststore(bundle), PUBLIC)
    return wiring_in(folder, proxy_url)


def _write(file: Path, data: bytes) -> bool:
    """Write unless the same is there; tells whether it was new."""
    if file.is_file() and file.read_bytes() == data:
        return False
    write_atomically(file, data, PUBLIC)
    return True


def _truststore(bundle: bytes) -> bytes:
    """A PKCS12 trust store of every certificate in the bundle, as Java 9 and later read it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

    named = [
        pkcs12.PKCS12Certificate(certificate, f"root-{number}".encode())
        for number, certificate in enumerate(_certificates(bundle))
    ]
    # Few rounds: the password is public, and Java derives the key at every start.
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(1000)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(TRUSTSTORE_PASSWORD.encode())
    )
    return pkcs12.serialize_java_truststore(named, encryption)


def _certificates(bundle: bytes) -> list[Certificate]:
    """The certificates that can be read. Some system roots break rules that newer parsers hold
    them to (a serial number of zero); a program then lacks that root, and nothing else."""
    from cryptography import x509

    found: list[Certificate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in _CERTIFICATE.findall(bundle):
            with contextlib.suppress(ValueError):
                found.append(x509.load_pem_x509_certificate(block))
    return found
