"""The machine's own clock, and ids that nobody can guess."""

from __future__ import annotations

import os
import time

ID_BYTES = 10
IDS_AT_ONCE = 400
"""4,000 bytes of randomness at a time."""


class SystemClock:
    """`ports.Clock` of the machine."""

    def now(self) -> int:
        return time.time_ns() // 1_000

    monotonic = staticmethod(time.monotonic)


class RandomIds:
    """Makes ids that are unguessable and unique without coordination: 80 random bits each.

    The system is asked for many at once; a call for each request costs more than the rest of it.
    """

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0

    def __call__(self, prefix: str) -> str:
        start = self._used
        if start >= len(self._digits):
            self._digits = os.urandom(ID_BYTES * IDS_AT_ONCE).hex()
            start = 0
        self._used = start + 2 * ID_BYTES
        return f"{prefix}_{self._digits[start : self._used]}"
