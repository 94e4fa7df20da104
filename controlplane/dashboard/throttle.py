"""How often somebody may try to sign in: per address, and all together.

A key has 256 random bits, so guessing is hopeless at any speed; this keeps guessers from using up
the database, and logs readable. It counts in this process alone: two replicas allow twice as many.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ADDRESSES_MAX: Final = 10_000
"""Addresses that are remembered; beyond it the oldest is forgotten, and `total_max` still holds."""


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """Tries per `seconds`. `per_address_max` is for a person who mistypes, and for an office behind
    one address; `total_max` for a morning on which everybody signs in."""

    seconds: float = 60.0
    per_address_max: int = 10
    total_max: int = 300


@dataclass(slots=True)
class _Count:
    began_at: float
    tries: int = 0


class Throttle:
    def __init__(
        self, settings: ThrottleSettings | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings or ThrottleSettings()
        self._clock = clock
        self._all = _Count(clock())
        self._by_address: OrderedDict[str, _Count] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """Count a try; 0 when it may go on, else after how many seconds to try again."""
        now, settings = self._clock(), self._settings
        if now - self._all.began_at >= settings.seconds:
            self._all = _Count(now)
        mine = self._by_address.get(address)
        if mine is None or now - mine.began_at >= settings.seconds:
            mine = self._by_address[address] = _Count(now)
            self._by_address.move_to_end(address)
            if len(self._by_address) > ADDRESSES_MAX:
                self._by_address.popitem(last=False)
        # A refused address must not use up what is left for everybody else.
        if mine.tries >= settings.per_address_max:
            return self._left(mine, now)
        if self._all.tries >= settings.total_max:
            return self._left(self._all, now)
        mine.tries += 1
        self._all.tries += 1
        return 0

    def forgive(self, address: str) -> None:
        """Forget the tries of an address from which somebody has just signed in."""
        self._by_address.pop(address, None)

    def _left(self, count: _Count, now: float) -> int:
        return max(1, int(count.began_at + self._settings.seconds - now) + 1)
