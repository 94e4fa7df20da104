"""One counter of a limit: uses over time, in little memory. Pure: time comes in with each call.

What may still be sent, or is being sent, is *open* and always counts; what is settled counts from
the moment at which it was settled, the latest at which it can have happened.
INVARIANT(longer): what is put together or moved counts longer for it, never shorter.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from gateway.model.codec import INTEGER_MAX

AMOUNT_MAX: Final = 2**62
"""Of one entry, so that it fits its 64 bits whatever is put together."""

GAP_MAX: Final = 512
"""Entries that have run out and still lie in front, before they are cut off."""

MICROSECONDS: Final = 1_000_000


Columns = tuple[Sequence[int], Sequence[int]]
"""Times, oldest first, and their amounts."""


class Counter:
    """Uses of one limit for one key. `seconds` is the longest for which they can count."""

    __slots__ = ("_amounts", "_at", "_first", "_settled", "open_amount", "open_count", "seconds")

    def __init__(self, seconds: int, columns: Columns = ((), ())) -> None:
        self._at = array("q", columns[0])
        self._amounts = array("q", columns[1])
        self._first = 0
        self._settled = sum(self._amounts)
        self.open_amount = 0
        self.open_count = 0
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self._at) - self._first

    @property
    def columns(self) -> tuple[array[int], array[int]]:
        """A copy of what is settled: times, oldest first, and their amounts."""
        return self._at[self._first :], self._amounts[self._first :]

    def used(self, now: int, since: int) -> int:
        """What counts after `since`. What lies before it is forgotten: windows only move on."""
        self._come_back_to(now)
        at, first = self._at, self._first
        if first < len(at) and at[first] <= since:
            last = bisect_right(at, since, first)
            self._settled -= sum(self._amounts[first:last])
            self._first = last
            if last > GAP_MAX and 2 * last > len(at):
                del self._at[:last], self._amounts[:last]
                self._first = 0
        return min(self._settled + self.open_amount, INTEGER_MAX)

    def settle(self, now: int, amount: int) -> None:
        """Count an amount from now on."""
        if not amount:
            return
        self._come_back_to(now)
        if len(self) and self._at[-1] == now:
            self._add_to(len(self._at) - 1, amount)
        else:
            self._at.append(now)
            self._amounts.append(amount)
            self._settled += amount

    def is_over(self, now: int) -> bool:
        """Whether nothing in it can ever count again."""
        if self.open_count:
            return False
        return not len(self) or self._at[-1] + self.seconds * MICROSECONDS <= now

    def coarsen(self) -> int:
        """Put the older half together by twos, each two at the later time; how many entries that
        saves."""
        first, before = self._first, len(self)
        pairs = before // 4
        at, amounts = array("q"), array("q")
        for index in range(first, first + 2 * pairs, 2):
            at.append(self._at[index + 1])
            amounts.append(min(self._amounts[index] + self._amounts[index + 1], AMOUNT_MAX))
        rest = first + 2 * pairs
        self._at, self._amounts = at + self._at[rest:], amounts + self._amounts[rest:]
        self._first = 0
        self._settled = sum(self._amounts)
        return before - len(self)

    def _come_back_to(self, now: int) -> None:
        """The clock was wrong and went back: what lies in its future is put at now."""
        if not len(self) or self._at[-1] <= now:
            return
        start = bisect_right(self._at, now, self._first)
        amount = sum(self._amounts[start:])
        del self._at[start:], self._amounts[start:]
        self._settled -= amount
        self._at.append(now)
        self._amounts.append(0)
        self._add_to(len(self._at) - 1, amount)

    def _add_to(self, index: int, amount: int) -> None:
        before = self._amounts[index]
        self._amounts[index] = min(before + amount, AMOUNT_MAX)
        self._settled += self._amounts[index] - before
