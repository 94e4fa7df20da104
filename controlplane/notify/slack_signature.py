"""Whether a callback is Slack's: the v0 signature over its time and its body. Pure."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

AGE_SECONDS_MAX: Final = 300
"""What Slack's documentation says; what is older or later is refused."""

_DIGITS_MAX: Final = 12


def is_signed(
    signing_secret: str, timestamp: str, body: bytes, signature: str, now_seconds: float
) -> bool:
    """Whether it is signed with the secret, now. Compared in constant time."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _DIGITS_MAX):
        return False
    if abs(now_seconds - int(timestamp)) > AGE_SECONDS_MAX:
        return False
    content = b"v0:" + timestamp.encode() + b":" + body
    wanted = "v0=" + hmac.new(signing_secret.encode(), content, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))
