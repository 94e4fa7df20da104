"""Signatures of webhooks as the Standard Webhooks specification writes them. Pure.

What is signed is `id.timestamp.body`; a secret is `whsec_` and base64; during a rotation a message
carries one signature for each secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

SECRET_START: Final = "whsec_"  # noqa: S105 - the public beginning of every secret
SECRET_BYTES: Final = 32
SECRET_BYTES_MIN: Final = 24
SECRET_BYTES_MAX: Final = 64


def make_secret() -> str:
    """A new secret."""
    return SECRET_START + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether a secret is one as the specification wants it: 24 to 64 bytes."""
    key = _key(text)
    return key is not None and SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX


def sign(
    signing_secrets: Sequence[str], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers of a message."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = []
    for text in signing_secrets:
        key = _key(text)
        assert key is not None, "secrets are checked when they are stored"
        digest = hmac.new(key, content, hashlib.sha256).digest()
        signatures.append("v1," + base64.b64encode(digest).decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _key(text: str) -> bytes | None:
    if not text.startswith(SECRET_START):
        return None
    try:
        return base64.b64decode(text.removeprefix(SECRET_START), validate=True)
    except (binascii.Error, ValueError):
        return None
