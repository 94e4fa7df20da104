"""The two files of a CA <-> a checked pair of certificate and key.

Everything that can be wrong with the files is said here, with what to do; a CA that clients would
refuse, or that does not fit its key, is never used.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem

log = logging.getLogger(__name__)

CERTIFICATE_NAME: Final = "ca.pem"
KEY_NAME: Final = "ca.key"


@dataclass(frozen=True, slots=True, eq=False)
class CaPair:
    """A certificate that may sign leafs, its key, and the file that clients are given."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certificate_file: Path


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Wait until nobody else looks for a CA in the folder, or makes one: of workers that start for
    the first time together, each would make its own, and clients are given the last one's alone.

    Where the folder can't be locked nobody waits; what is wrong with it is said by who reads it.
    """
    descriptor = -1
    with suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def load_pair(directory: Path, now: datetime) -> CaPair | None:
    """Load and check; None when neither file is there yet.

    Raises:
        ConfigurationError: `ca.unusable`.
    """
    certificate_file, key_file = directory / CERTIFICATE_NAME, directory / KEY_NAME
    certificate_pem, key_pem = _read(certificate_file), _read(key_file)
    if certificate_pem is None and key_pem is None:
        return None
    restore = "restore it, or remove the other file too: then a new CA is made at the next start"
    if certificate_pem is None:
        raise _unusable(certificate_file, "is missing, but its key is there", restore)
    if key_pem is None:
        raise _unusable(key_file, "is missing, but its certificate is there", restore)
    again = "restore it, or remove both files: then a new CA is made at the next start"
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
    except ValueError as error:
        raise _unusable(certificate_file, "is not a PEM certificate", again) from error
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(key_file, "is not an unencrypted PEM key", again) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _unusable(key_file, "is not an elliptic-curve key", "give a P-256 key")
    if key.public_key() != certificate.public_key():
        raise _unusable(key_file, "does not belong to the certificate beside it", again)
    _check_signs(certificate, certificate_file)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        end = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
        raise _unusable(
            certificate_file,
            f"is not valid now (it ends on {end})",
            "check the clock; if it is right, remove both files: then a new CA is made",
        )
    if key_file.stat().st_mode & 0o077:
        log.warning("others can read the CA's key", extra={"path": str(key_file)})
    return CaPair(certificate, key, certificate_file)


def write_pair(directory: Path, certificate_pem: bytes, key_pem: bytes) -> None:
    """Write both files, each whole or not at all, the key first.

    Raises:
        ConfigurationError: `ca.unusable`.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        reason = f"can't be made: {error.strerror}"
        raise _unusable(directory, reason, "name a folder that can be written") from error
    write_atomically(directory / KEY_NAME, key_pem, mode=0o600)
    write_atomically(directory / CERTIFICATE_NAME, certificate_pem, mode=0o644)


def write_atomically(path: Path, content: bytes, *, mode: int) -> None:
    """Put a file in place, so that readers see the old one or the new one.

    Raises:
        ConfigurationError: `ca.unusable`.
    """
    try:
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, mode)
                file.write(content)
                file.flush()
                os.fsync(fd)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = f"can't be written: {error.strerror}"
        raise _unusable(path, reason, "free the disk or make the folder writable") from error


def _check_signs(certificate: x509.Certificate, file: Path) -> None:
    """Strict clients (Python 3.13) want these extensions; a CA of the operator may lack them."""
    extensions = certificate.extensions
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        is_good = constraints.critical and constraints.value.ca and usage.value.key_cert_sign
    except x509.ExtensionNotFound:
        is_good = False
    if not is_good:
        raise _unusable(
            file,
            "may not sign certificates",
            "give a CA with critical basicConstraints, keyCertSign and a subject key identifier",
        )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = f"can't be read: {error.strerror}"
        raise _unusable(path, reason, "make it readable for the gateway's user") from error


def _unusable(path: Path, message: str, help_text: str) -> ConfigurationError:
    return ConfigurationError("ca.unusable", [Problem(str(path), 0, 0, message, help_text)])
