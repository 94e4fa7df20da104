"""When the window of a limit begins: a point in time in, the beginning out. Pure arithmetic.

Calendar windows begin by the clock on the wall of their time zone, so that a day on which clocks
change has 23 or 25 hours.
"""

from __future__ import annotations

from datetime import UTC, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.limit import WindowKind
from gateway.model.moment import micros_of, moment_of

MICROSECONDS: Final = 1_000_000
QUANTUM: Final = 15 * 60 * MICROSECONDS
"""No window begins within one: clocks are set, and differ from UTC, by multiples of a quarter of an
hour, everywhere since 1972."""

_LONGEST_SECONDS: Final = {
    WindowKind.HOUR: 2 * 3_600,
    WindowKind.DAY: 26 * 3_600,
    WindowKind.WEEK: 7 * 86_400 + 7_200,
    WindowKind.MONTH: 31 * 86_400 + 7_200,
}
"""With the hours by which a change of clocks can make each longer."""


@dataclass(frozen=True, slots=True)
class Window:
    """`seconds` is the length of a sliding window, 0 for the calendar's. `zone` is what calendar
    days are counted in, named `zone_name`."""

    kind: WindowKind
    seconds: int = 0
    zone: tzinfo = UTC
    zone_name: str = "UTC"

    @property
    def longest_seconds(self) -> int:
        return self.seconds or _LONGEST_SECONDS[self.kind]

    def since(self, now: int) -> int:
        """The last moment that no longer counts at `now`. Both are microseconds since the epoch,
        UTC."""
        if self.kind is WindowKind.SLIDING:
            return now - self.seconds * MICROSECONDS
        return _begins_at(self.kind, self.zone, now - now % QUANTUM) - 1

    def __str__(self) -> str:
        if self.kind is WindowKind.SLIDING:
            return f"{self.seconds}s"
        return f"{self.kind.value} {self.zone_name}"


@lru_cache(maxsize=256)
def _begins_at(kind: WindowKind, zone: tzinfo, now: int) -> int:
    local = moment_of(now).astimezone(zone)
    start = local.replace(minute=0, second=0, microsecond=0)
    if kind is not WindowKind.HOUR:
        # The first of two midnights; in a gap, `fold=0` is the moment of the change itself.
        start = start.replace(hour=0, fold=0)
    if kind is WindowKind.WEEK:
        start -= timedelta(days=start.weekday())
    elif kind is WindowKind.MONTH:
        start = start.replace(day=1)
    # Where half an hour comes twice, an hour's beginning can lie in what follows.
    return min(micros_of(start), now)
