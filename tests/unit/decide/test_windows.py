"""When windows begin: by the wall clock of their zone, also on days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.decide.conditions.values.zones import load_zone
from gateway.decide.limits.window import Window, _begins_at
from gateway.model.limit import WindowKind

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


BEGINNINGS = {
    "a day begins at midnight": ("day", "UTC", "2026-11-21T15:10:00Z", "2026-11-21T00:00:00Z"),
    "midnight itself is of the new day": (
        "day", "UTC", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z",
    ),
    "the moment before is of the old day": (
        "day", "UTC", "2026-11-20T23:59:59.999999Z", "2026-11-20T00:00:00Z",
    ),
    "midnight of the zone": (
        "day", "Europe/Berlin", "2026-11-21T22:59:59Z", "2026-11-20T23:00:00Z",
    ),
    "the zone's next day": ("day", "Europe/Berlin", "2026-11-21T23:00:00Z", "2026-11-21T23:00:00Z"),
    "a day of 23 hours": ("day", "Europe/Berlin", "2026-03-29T21:59:59Z", "2026-03-28T23:00:00Z"),
    "the day after it": ("day", "Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-29T22:00:00Z"),
    "a day of 25 hours": ("day", "Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z"),
    "a midnight that there isn't": (
        "day", "America/Havana", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z",
    ),
    "of two midnights the first": (
        "day", "America/Havana", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z",
    ),
    "an hour": ("hour", "UTC", "2026-11-21T15:10:00Z", "2026-11-21T15:00:00Z"),
    "an hour of a zone with half hours": (
        "hour", "Asia/Kolkata", "2026-11-21T15:10:00Z", "2026-11-21T14:30:00Z",
    ),
    "the first of an hour that comes twice": (
        "hour", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z",
    ),
    "the second of it": (
        "hour", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z",
    ),
    "a week begins on Monday": ("week", "UTC", "2026-11-22T23:00:00Z", "2026-11-16T00:00:00Z"),
    "Monday is of the new week": ("week", "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z"),
    "a week with a change of clocks": (
        "week", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-18T22:00:00Z",
    ),
    "a week over New Year": ("week", "UTC", "2027-01-01T12:00:00Z", "2026-12-28T00:00:00Z"),
    "a month": ("month", "UTC", "2026-11-21T15:10:00Z", "2026-11-01T00:00:00Z"),
    "a month of a zone": (
        "month", "America/New_York", "2026-12-01T04:59:59Z", "2026-11-01T04:00:00Z",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "zone", "now", "begins"), BEGINNINGS.values(), ids=BEGINNINGS)
def test_where_a_calendar_window_begins(kind: str, zone: str, now: str, begins: str) -> None:
    """The beginning itself counts, what lies before it does not."""
    loaded = load_zone(zone)
    assert loaded is not None
    window = Window(WindowKind(kind), 0, loaded, zone)
    assert window.since(micros(now)) == micros(begins) - 1


def test_a_sliding_window_is_as_long_as_it_says() -> None:
    """What happened exactly `seconds` ago no longer counts."""
    window = Window(WindowKind.SLIDING, 90)
    assert window.since(100_000_000) == 10_000_000
    assert window.longest_seconds == 90


@pytest.mark.parametrize("kind", [kind for kind in WindowKind if kind is not WindowKind.SLIDING])
@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Gaza"]
)
def test_windows_follow_one_another(kind: WindowKind, zone: str) -> None:
    """All through a year: never later than now, never backwards, never longer than the
    longest."""
    loaded = load_zone(zone)
    assert loaded is not None
    window = Window(kind, 0, loaded, zone)
    before = 0
    start = micros("2026-01-01T00:00:00Z")
    for half_hour in range(0, 366 * 48, 31):
        now = start + half_hour * 1_800_000_000
        since = window.since(now)
        assert before <= since < now
        assert now - since <= window.longest_seconds * 1_000_000
        before = since


@pytest.mark.parametrize("kind", [kind for kind in WindowKind if kind is not WindowKind.SLIDING])
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham"])
def test_no_window_begins_within_a_quarter_of_an_hour(kind: WindowKind, zone: str) -> None:
    """A beginning that is kept for a quarter of an hour is that of every moment in it."""
    loaded = load_zone(zone)
    assert loaded is not None
    window = Window(kind, 0, loaded, zone)
    start = micros("2026-01-01T00:00:00Z")
    for number in range(300):
        now = start + number * 105_773_456_789
        assert window.since(now) == _begins_at.__wrapped__(kind, loaded, now) - 1
