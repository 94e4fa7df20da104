"""Points in time: microseconds since the Unix epoch, UTC <-> aware `datetime`s, exactly; and the
text by which messages, answers and pages tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros_of(moment: datetime) -> int:
    """Microseconds of an aware moment in any zone. In whole numbers: a float would round them."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(micros: int) -> datetime:
    """The moment, in UTC.

    Raises:
        OverflowError: it lies outside the years 1 to 9999.
    """
    return _EPOCH + micros * _MICROSECOND


def rfc3339(moment: datetime) -> str:
    """An aware moment in UTC with microseconds and `Z` (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
