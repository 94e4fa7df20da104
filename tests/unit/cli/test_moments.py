"""Times as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.cli.moments import clock_time, time_left, time_since

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

DISTANCES = {
    "seconds": ("2026-11-21T12:00:40.000001Z", "40 s", "now"),
    "minutes": ("2026-11-21T12:13:30.000000Z", "13 min", "now"),
    "hours": ("2026-11-21T17:00:00.000000Z", "5 h", "now"),
    "days": ("2026-11-25T12:00:00.000000Z", "4 d", "now"),
    "the past": ("2026-11-21T11:58:00.000000Z", "over", "2 min ago"),
    "nothing": (None, "", ""),
    "what is no time": ("soon", "", ""),
    "a time without a zone": ("2026-11-21T12:00:40", "", ""),
}


@pytest.mark.parametrize(("text", "left", "since"), DISTANCES.values(), ids=DISTANCES.keys())
def test_distances(text: object, left: str, since: str) -> None:
    """How long from now, and how long ago, in one unit."""
    assert time_left(text, NOW) == left
    assert time_since(text, NOW) == since


def test_today_needs_no_date() -> None:
    """The clock of today, the date of another day."""
    assert clock_time("2026-11-21T12:00:05.000000Z", NOW).count(":") == 2
    assert "-" not in clock_time("2026-11-21T12:00:05.000000Z", NOW)
    assert clock_time("2026-11-11T12:00:05.000000Z", NOW).startswith("2026-11-11 ")
    assert clock_time(None) == ""
