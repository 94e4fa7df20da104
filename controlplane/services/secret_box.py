"""Seals the secrets of channels with a key that is not in the database: AES-256-GCM, bound to the
place where they are stored.

Who reads the database, or a dump of it, reads no secret; who can write there can't give one
channel the secrets of another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controlplane.faults import ControlFault, Fault, StartError
from controlplane.private_file import create_private
from gateway.model.codec import JsonValue

FILE: Final = "secrets.key"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEY_FILE_BYTES_MAX: Final = 1024

_VERSION: Final = b"\x01"


class SecretBox:
    """Seals and opens with one key; without a key it does neither."""

    def __init__(self, key: bytes | None) -> None:
        assert key is None or len(key) == KEY_BYTES
        self._sealing = None if key is None else AESGCM(key)
        self._tokens = None if key is None else hmac.digest(key, b"page tokens", "sha256")

    def seal(self, channel_id: uuid.UUID, secrets: Mapping[str, JsonValue]) -> bytes:
        """Seal what belongs to one channel.

        Raises:
            ControlFault: CHANNEL_NO_KEY.
        """
        if self._sealing is None:
            raise _no_key()
        nonce = os.urandom(NONCE_BYTES)
        text = json.dumps(secrets).encode()
        return _VERSION + nonce + self._sealing.encrypt(nonce, text, _place(channel_id))

    def open(self, channel_id: uuid.UUID, sealed: bytes | None) -> Mapping[str, Any]:
        """Read it again.

        Raises:
            ControlFault: CHANNEL_NO_KEY, CHANNEL_SEALED where another key sealed it.
        """
        if sealed is None:
            return {}
        if self._sealing is None:
            raise _no_key()
        nonce, text = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            opened = self._sealing.decrypt(nonce, text, _place(channel_id))
        except (InvalidTag, ValueError):
            raise ControlFault(
                Fault.CHANNEL_SEALED,
                "this channel's secrets were sealed with another key; put that key back, or set "
                "them again",
            ) from None
        found: dict[str, Any] = json.loads(opened)
        return found

    def page_token(self, link: bytes) -> str:
        """What a confirmation page of a mailed link carries, so that only a person who saw the page
        can send it.

        Raises:
            ControlFault: CHANNEL_NO_KEY.
        """
        if self._tokens is None:
            raise _no_key()
        return hmac.new(self._tokens, link, hashlib.sha256).hexdigest()


def load_secret_box(data_dir: Path | None, key_file: Path | None) -> SecretBox:
    """Read the operator's key file, else the one in the data directory, which is made when it is
    missing; a box without a key where there is neither.

    Raises:
        StartError: the file can't be read or holds no key.
    """
    file = key_file or (None if data_dir is None else data_dir / FILE)
    if file is None:
        return SecretBox(None)
    try:
        if key_file is None:
            create_private(file, base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
        with file.open("rb") as stream:
            data = stream.read(KEY_FILE_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            "channel.key_file",
            f"the key file `{file}` can't be used",
            "make it readable for this user, or set CHECKREIN_SECRETS_KEY_FILE to another one",
        ) from error
    try:
        key = base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise StartError(
            "channel.bad_key",
            f"`{file}` holds no key",
            "put the right file back, or make one with `openssl rand -base64 32`",
        )
    return SecretBox(key)


def _place(channel_id: uuid.UUID) -> bytes:
    return b"checkrein channel secrets 1 " + channel_id.bytes


def _no_key() -> ControlFault:
    return ControlFault(
        Fault.CHANNEL_NO_KEY,
        "this control plane has no key to seal secrets with; start it with a data directory, or "
        "set CHECKREIN_SECRETS_KEY_FILE",
    )
