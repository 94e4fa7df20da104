"""Tells working hours from the others, by the clock of the decision and an organisation's zone."""

from __future__ import annotations

from typing import Final

from gateway.decide.conditions.values.zones import offset_seconds
from gateway.decide.organisation import WorkingHours
from gateway.decide.risk.scheme import OFF_HOURS, WORKING

MINUTE: Final = 60_000_000
"""In microseconds."""

_DAY_SECONDS: Final = 86_400
_FIRST_DAY: Final = 3
"""The epoch began on a Thursday."""


class WorkingClock:
    """Keeps the answer of the minute that was asked for last, in `last`: calendars cost more than
    the rest of a risk."""

    __slots__ = ("_hours", "last")

    def __init__(self, hours: WorkingHours) -> None:
        self._hours = hours
        self.last = (0, self.look_up(0))

    def look_up(self, now: int) -> int:
        """WORKING or OFF_HOURS at `now`, microseconds since the epoch."""
        hours, minute = self._hours, now // MINUTE
        local = minute * 60 + offset_seconds(hours.zone, minute * 60)
        days, second_of_day = divmod(local, _DAY_SECONDS)
        is_working_day = (days + _FIRST_DAY) % 7 in hours.days
        is_working = hours.from_minute <= second_of_day // 60 < hours.to_minute
        band = WORKING if is_working_day and is_working else OFF_HOURS
        self.last = (minute, band)
        return band
