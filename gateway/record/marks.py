"""What stands in the place of a secret: a mark that tells equal ones from others, and nothing else.

The mark carries the first digits of a keyed digest (HMAC-SHA-256). With the key of an installation
nobody can try out secrets against its record; without one the mark is the same for all. The key is
the process's own: it is set once, by who assembles a gateway, and never leaves.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

REDACTED: Final = "[redacted]"
"""Stands for a secret where there is no key, or for what has no text."""

REDACTED_SIGN: Final = "[redacted"
"""Every mark begins with it."""

DIGITS: Final = 12
"""48 bits: enough to tell the secrets of one installation apart, of no use to guess one."""

_key: bytes | None = None


def use_key(key: bytes | None) -> None:
    """Mark secrets by this key from now on; None: without digits."""
    global _key  # noqa: PLW0603 - redaction is pure but for the key, which a process has one of
    _key = None if key is None else hashlib.sha256(b"checkrein.redaction.v1\n" + key).digest()


def mark(secret: str) -> str:
    """What is written down in the place of a secret."""
    if _key is None:
        return REDACTED
    digest = hmac.digest(_key, secret.encode("utf-8", "surrogatepass"), "sha256")
    return f"{REDACTED_SIGN}:{digest.hex()[:DIGITS]}]"
