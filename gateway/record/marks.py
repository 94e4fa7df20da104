"""What stands in the place of a secret: a mark that tells equal ones from others, and nothing else.

The mark carries the first digits of a keyed digest (HMAC-SHA-256). With the key of an installation
nobody can try out secrets against its record; without one the mark is the same for all. The key is
the process's own: it is set once, by who assembles a gateway, and never leaves. Whole bodies and
queries have a digest of their own, under another key that is made of the same.
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
_content: hmac.HMAC | None = None
"""The HMAC of content, begun: a copy of it is all that a digest needs."""


def use_key(key: bytes | None) -> None:
    """Mark secrets by this key from now on; None: without digits, and without content digests."""
    global _key, _content  # noqa: PLW0603 - redaction is pure but for the key of the process
    _key = _content = None
    if key is not None:
        _key = hashlib.sha256(b"checkrein.redaction.v1\n" + key).digest()
        _content = hmac.new(content_key(key), digestmod="sha256")


def content_key(key: bytes) -> bytes:
    """The key, made of a redaction key, under which bodies and queries have their digests."""
    return hashlib.sha256(b"checkrein.content.v1\n" + key).digest()


def content_digest(content: bytes) -> str | None:
    """HMAC-SHA-256 of a body or a query, in 64 hexadecimal digits; None without a key.

    It tells equal ones from others, and who has the key can hold what was sent against it. Nobody
    else can try what a body may have been: one of which all is known but a PIN has ten thousand.
    """
    if _content is None:
        return None
    begun = _content.copy()
    begun.update(content)
    return begun.hexdigest()


def mark(secret: str) -> str:
    """What is written down in the place of a secret."""
    if _key is None:
        return REDACTED
    digest = hmac.digest(_key, secret.encode("utf-8", "surrogatepass"), "sha256")
    return f"{REDACTED_SIGN}:{digest.hex()[:DIGITS]}]"
