"""Tells working hours from the others, by the clock of the decision and an organisation's zone."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.decide.organisation import WorkingHours
from gateway.decide.risk.scheme import OFF_HOURS, WORKING

_MINUTE: Final = 60_000_000
_MINUTES_END: Final = 253_402_128_000 // 60
"""Two days before the year 10000, where calendars of this sort end in any zone."""


class WorkingClock:
    """Remembers the answer of the last minute: calendars cost more than the rest of a risk."""

    __slots__ = ("_hours", "_last")

    def __init__(self, hours: WorkingHours) -> None:
        self._hours = hours
        self._last = (-1, OFF_HOURS)

    def band(self, now: int) -> int:
        """WORKING or OFF_HOURS at `now`; a time outside all calendars is off."""
        minute, band = self._last
        wanted = now // _MINUTE
        if minute != wanted:
            band = self._look_up(wanted)
            self._last = (wanted, band)
        return band

    def _look_up(self, minute: int) -> int:
        if not 0 <= minute < _MINUTES_END:
            return OFF_HOURS
        hours = self._hours
        local = datetime.fromtimestamp(minute * 60, hours.zone)
        of_day = local.hour * 60 + local.minute
        is_working = local.weekday() in hours.days and hours.from_minute <= of_day < hours.to_minute
        return WORKING if is_working else OFF_HOURS
