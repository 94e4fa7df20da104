"""The spelling of a header's name -> what to do with that header, looked up in one step. Pure.

Names come in few spellings and many times, so the answer is remembered; strangers can't make the
memory grow beyond a bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

OURS: Final = b"checkrein-"
"""Prefix of the headers in which the gateway itself speaks; nobody else's may imitate it."""

SPELLINGS_MAX: Final = 2_048
"""Remembered spellings: some hundred names in a few spellings each; 200 KB at most."""

_NAME_BYTES_MAX: Final = 64
"""Longer names are looked at anew each time."""


class HeaderKind(IntEnum):
    KEEP = 0
    DROP = 1
    CONTENT_LENGTH = 2
    TRANSFER_ENCODING = 3
    CONNECTION = 4


HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-authentication-info",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
"""RFC 9110 section 7.6.1, and those that only ever mean the next hop."""


class HeaderKinds(dict[bytes, HeaderKind]):
    """`kinds[name]` for a name in any spelling."""

    def __init__(self, also_dropped: Iterable[bytes]) -> None:
        super().__init__()
        self._kinds = dict.fromkeys((*HOP_BY_HOP, *also_dropped), HeaderKind.DROP)
        self._kinds[b"content-length"] = HeaderKind.CONTENT_LENGTH

    def tell_framing_apart(self) -> HeaderKinds:
        """Give the headers that frame an answer a kind of their own; a reader needs them."""
        self._kinds[b"transfer-encoding"] = HeaderKind.TRANSFER_ENCODING
        self._kinds[b"connection"] = HeaderKind.CONNECTION
        return self

    def __missing__(self, name: bytes) -> HeaderKind:
        lower = name.lower()
        kind = self._kinds.get(lower, HeaderKind.KEEP)
        if lower.startswith(OURS):
            kind = HeaderKind.DROP
        if len(self) < SPELLINGS_MAX and len(name) <= _NAME_BYTES_MAX:
            self[name] = kind
        return kind


ANSWERED: Final = HeaderKinds(
    # Would invite the client to another port or to QUIC, past the gateway (RFC 7838).
    (b"alt-svc",)
).tell_framing_apart()
"""For the head of an upstream's answer."""

TRAILING: Final = HeaderKinds(
    # What a head says can't be taken back by what comes after the body (RFC 9110, 6.5.1).
    (
        b"alt-svc", b"host", b"authorization", b"set-cookie", b"content-encoding", b"content-type",
        b"content-range", b"content-language", b"content-location", b"content-disposition",
        b"content-security-policy", b"access-control-allow-origin", b"cache-control", b"age",
        b"date", b"expires", b"location", b"pragma", b"refresh", b"retry-after", b"vary",
        b"strict-transport-security", b"www-authenticate",
    )
)  # fmt: skip
"""For what stands behind a body."""
