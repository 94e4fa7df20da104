"""Microseconds since the epoch and moments of any zone, exact both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.model.moment import micros_of, moment_of, rfc3339

MOMENTS = {
    "the epoch": (datetime(1970, 1, 1, tzinfo=UTC), 0),
    "before it": (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
    "a microsecond that a float would round": (
        datetime(2026, 11, 21, 15, 0, 0, 1, tzinfo=UTC), 1_795_273_200_000_001,
    ),
    "another zone": (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
}  # fmt: skip


@pytest.mark.parametrize(("moment", "micros"), MOMENTS.values(), ids=MOMENTS.keys())
def test_a_moment_and_its_microseconds(moment: datetime, micros: int) -> None:
    """Each names the other."""
    assert micros_of(moment) == micros
    assert moment_of(micros) == moment


def test_a_moment_is_told_in_utc_with_microseconds() -> None:
    """Wherever it was taken, and a whole second too."""
    there = timezone(timedelta(hours=5, minutes=30))

    assert rfc3339(datetime(2026, 11, 21, 9, 40, 16, tzinfo=there)) == "2026-11-21T04:10:16.000000Z"
