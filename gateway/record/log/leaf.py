"""What the tenant's log keeps of a record: its place in its gateway's chain and its hash. Pure.

A leaf commits to a line's hash and not to the line, so that a line can be erased and everything
still verifies. A line can't be guessed from its hash: each has a random id of 80 bits.
"""

from __future__ import annotations

import re
from typing import Final

_GATEWAY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")

LEAF_PREFIX: Final = b"checkrein/record\n"


def leaf_data(gateway: str, seq: int, line_hash: str) -> bytes:
    """The bytes of the leaf of record `seq` of a gateway, whose line has this hash.

    Raises ValueError: a part of another form, with which two records could make one leaf.
    """
    if not _GATEWAY.fullmatch(gateway) or not _HASH.fullmatch(line_hash) or seq < 1:
        raise ValueError("a leaf needs a gateway's id, a seq from 1 and a SHA-256 in hexadecimal")
    return b"%s%s\n%d\n%s\n" % (LEAF_PREFIX, gateway.encode(), seq, line_hash.encode())
