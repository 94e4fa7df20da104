"""Tells working hours from the others, by the clock of the decision and an organisation's zone."""

from __future__ import annotations

from typing import Final

from gateway.decide.conditions.zones import offset_seconds
from gateway.decide.organisation import WorkingHours
from gateway.decide.risk.scheme import OFF_HOURS, WORKING

MINUTE: Final = 60_000_000
"""In microseconds."""

_DAY_SECONDS: Final = 86_400
_FIRST_DAY: Final = 3
"""The epoch began on a Thursday."""


class WorkingClock:
    """Remembers the answer of the last minute, in `last`: calendars cost more than the rest of a
    risk."""

    __slots__ = ("_hours", "last")

    def __init__(self, hours: WorkingHours) -> None:
        self._hours = hours
        self.last = (0, self._look_up(0))

    def band(self, now: int) -> int:
        """WORKING or OFF_HOURS at `now`, microseconds since the epoch."""
        minute, band = self.last
        wanted = now // MINUTE
        if minute != wanted:
            band = self._look_up(wanted)
            self.last = (wanted, band)
        return band

    def _look_up(self, minute: int) -> int:
        hours = self._hours
        local = minute * 60 + offset_seconds(hours.zone, minute * 60)
        days, second_of_day = divmod(local, _DAY_SECONDS)
        is_working_day = (days + _FIRST_DAY) % 7 in hours.days
        is_working = hours.from_minute <= second_of_day // 60 < hours.to_minute
        return WORKING if is_working_day and is_working else OFF_HOURS
