"""Certificate and key files -> the context that the API is served with: TLS 1.3 and nothing older.

The files can change while it runs (certificates are renewed every few weeks): `load` again, and new
connections get the new one. A pair that can't be used leaves the old one in place.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from controlplane.faults import StartError

_HELP = (
    "CHECKREIN_TLS_CERT_FILE takes a PEM file with the certificate and what leads to its root, "
    "CHECKREIN_TLS_KEY_FILE the key of it without a password"
)


class Certificate:
    """A pair of files, and the context that is made of them."""

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._files = (cert_file, key_file)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3

    def load(self) -> None:
        """Read the pair, for the connections to come.

        Raises:
            StartError: a file can't be read or used, or the key is of another certificate.
        """
        # Tried apart first: half of a pair must not replace the one in use.
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
            self._load_into(context)

    def _load_into(self, context: ssl.SSLContext) -> None:
        cert_file, key_file = self._files
        for file in self._files:
            try:
                file.read_bytes()
            except OSError as error:
                why = error.strerror or str(error)
                raise StartError(
                    "tls.unreadable", f"`{file}` can't be read: {why}", _HELP
                ) from error
        try:
            # An encrypted key would ask on the terminal; it gets an answer that is wrong instead.
            context.load_cert_chain(cert_file, key_file, password=_no_password)
        except (OSError, ValueError) as error:
            why = "the key is not that of the certificate" if _is_mismatch(error) else "no PEM pair"
            raise StartError(
                "tls.unusable", f"`{cert_file}` and `{key_file}` can't be used: {why}", _HELP
            ) from error


def _no_password() -> str:
    return ""


def _is_mismatch(error: Exception) -> bool:
    return "MISMATCH" in (getattr(error, "reason", None) or "")
