"""The keys that sign bundles and logs: read from their files, or made there at the first start.

They are never in the database: who can write there still can't make a gateway run anything, or put
another history in the place of the signed one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from controlplane.faults import StartError
from controlplane.private_file import create_private
from gateway.decide.envelope import key_id_of, public_key_text


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a key is for: the beginning of its faults' codes, its file in the data directory, the
    variable that names another one, and what a lost key means."""

    name: str
    file: str
    variable: str
    loss: str


BUNDLES = KeyUse(
    "bundle",
    "bundle-key.pem",
    "CHECKREIN_BUNDLE_KEY_FILE",
    "put the right file back; a new key makes gateways refuse what it signs",
)
LOGS = KeyUse(
    "log",
    "log-key.pem",
    "CHECKREIN_LOG_KEY_FILE",
    "put the right file back; gateways and auditors that know the old key refuse a new one",
)

KEY_FILE_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key. `key_id` and `public_text` are public."""

    private: Ed25519PrivateKey = field(repr=False)
    key_id: str
    public_text: str

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> SigningKey:
        public = private.public_key()
        return cls(private, key_id_of(public), public_key_text(public))

    @property
    def public(self) -> Ed25519PublicKey:
        return self.private.public_key()


def load_signing_key(
    data_dir: Path | None, key_file: Path | None, use: KeyUse = BUNDLES
) -> SigningKey | None:
    """Read the operator's key file, else the one in the data directory, which is made when it is
    missing; None where there is neither.

    Raises:
        StartError: the file can't be read or holds no Ed25519 key.
    """
    if key_file is not None:
        return _load(key_file, use, "make one with `openssl genpkey -algorithm ed25519`")
    if data_dir is None:
        return None
    file = data_dir / use.file
    try:
        create_private(file, _new_key())
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"{use.name}.key_file",
            f"the key file `{file}` can't be used",
            f"make its folder writable for this user, or set {use.variable}",
        ) from error
    return _load(file, use, use.loss)


def _new_key() -> str:
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _load(file: Path, use: KeyUse, advice: str) -> SigningKey:
    try:
        with file.open("rb") as stream:
            data = stream.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StartError(
            f"{use.name}.key_file", f"the key file `{file}` can't be read: {reason}", advice
        ) from error
    try:
        private = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause may quote the key.
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise StartError(
            f"{use.name}.bad_key", f"`{file}` holds no unencrypted Ed25519 key in PEM", advice
        )
    return SigningKey.of(private)
