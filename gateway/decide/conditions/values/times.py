"""Points in time and spans of it, as CEL has them: whole nanoseconds, proleptic Gregorian calendar.

Years 1 to 9999, spans of 292 years (what 64 bits hold). Texts are read strictly: RFC 3339, and
`1h30m` with a unit behind every number. What leaves these bounds raises `Unresolved`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, tzinfo
from typing import Final

from gateway.decide.conditions.syntax import Function
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.conditions.values.zones import offset_seconds
from gateway.model.dataclass import dataclass

SECOND: Final = 1_000_000_000
_DAY_SECONDS: Final = 86_400
_SECONDS_MIN: Final = -62_135_596_800
_SECONDS_MAX: Final = 253_402_300_799
_SPAN_MAX: Final = 2**63 - 1
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

_UNITS: Final = {
    "h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1,
}  # fmt: skip
_PART: Final = re.compile(r"([0-9]{1,18})?(\.[0-9]{0,18})?(h|ms|m|s|us|ns)")
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    r"(?:\.([0-9]{1,18}))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
TEXT_CHARS_MAX: Final = 128
"""A longer text is no time; RFC 3339 needs some 35 characters."""


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since the Unix epoch, UTC."""

    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanos: int


def timestamp_of(seconds: int, nanos: int = 0) -> Timestamp:
    """A point in time; `nanos` are those of its last second.

    Raises:
        Unresolved: it is not within the years 1 to 9999.
    """
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        raise Unresolved
    return Timestamp(seconds * SECOND + nanos)


def duration_of(nanos: int) -> Duration:
    """A span of time.

    Raises:
        Unresolved: it is longer than 64 bits can say.
    """
    if not -_SPAN_MAX - 1 <= nanos <= _SPAN_MAX:
        raise Unresolved
    return Duration(nanos)


def parse_timestamp(text: str) -> Timestamp:
    """Read an RFC 3339 time. Digits behind the nanoseconds are cut off.

    Raises:
        Unresolved: it is none.
    """
    found = _TIMESTAMP.fullmatch(text) if len(text) <= TEXT_CHARS_MAX else None
    if found is None:
        raise Unresolved
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    try:
        days = date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError as error:
        raise Unresolved from error
    fraction, sign, zone_hour, zone_minute = found.groups()[6:]
    offset = 0 if sign is None else (int(zone_hour) * 60 + int(zone_minute)) * 60
    seconds = days * _DAY_SECONDS + (hour * 60 + minute) * 60 + second
    seconds += offset if sign == "-" else -offset
    return timestamp_of(seconds, int((fraction or "0")[:9].ljust(9, "0")))


def parse_duration(text: str) -> Duration:
    """Read a span such as `1h30m`, `-1.5s` or `0`. What is less than a nanosecond is cut off.

    Raises:
        Unresolved: it is none.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise Unresolved
    rest = text[1:] if text[:1] in ("+", "-") else text
    total, position = 0, 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            break
        whole, fraction, unit = part.groups()
        digits = (fraction or ".")[1:]
        if not whole and not digits:
            break
        size = _UNITS[unit]
        total += int(whole or "0") * size + int(digits or "0") * size // 10 ** len(digits)
        position = part.end()
    if rest != "0" and (not rest or position < len(rest)):
        raise Unresolved
    return duration_of(-total if text.startswith("-") else total)


def timestamp_text(moment: Timestamp) -> str:
    """RFC 3339 in UTC, with no, three, six or nine decimals."""
    seconds, nanos = divmod(moment.nanos, SECOND)
    days, rest = divmod(seconds, _DAY_SECONDS)
    day = date.fromordinal(days + _EPOCH_DAY)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{day.year:04}-{day.month:02}-{day.day:02}T{clock}{_fraction_text(nanos)}Z"


def duration_text(span: Duration) -> str:
    """Seconds, with no, three, six or nine decimals: `5400s`."""
    seconds, nanos = divmod(abs(span.nanos), SECOND)
    return f"{'-' if span.nanos < 0 else ''}{seconds}{_fraction_text(nanos)}s"


def _fraction_text(nanos: int) -> str:
    if nanos == 0:
        return ""
    digits = f"{nanos:09}"
    for kept in (3, 6):
        if not digits[kept:].strip("0"):
            return f".{digits[:kept]}"
    return f".{digits}"


# --- parts ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Civil:
    """What a calendar and a clock on the wall say. Years 0 and 10000 can be met in zones."""

    year: int
    month: int
    day: int
    day_of_week: int
    day_of_year: int
    second_of_day: int


def _civil(moment: Timestamp, zone: tzinfo | None) -> _Civil:
    seconds = moment.nanos // SECOND
    if zone is not None:
        seconds += offset_seconds(zone, seconds)
    days, second_of_day = divmod(seconds, _DAY_SECONDS)
    # Every 400 years have the same days, so the years that `date` lacks are shifted by them.
    shift = 1 if days + _EPOCH_DAY < 1 else -1 if seconds > _SECONDS_MAX else 0
    day = date.fromordinal(days + _EPOCH_DAY + shift * 146_097)
    day_of_year = day.timetuple().tm_yday - 1
    year = day.year - shift * 400
    return _Civil(year, day.month, day.day, (days + 4) % 7, day_of_year, second_of_day)


_PARTS: Final[Mapping[Function, Callable[[_Civil], int]]] = {
    Function.GET_FULL_YEAR: lambda civil: civil.year,
    Function.GET_MONTH: lambda civil: civil.month - 1,
    Function.GET_DATE: lambda civil: civil.day,
    Function.GET_DAY_OF_MONTH: lambda civil: civil.day - 1,
    Function.GET_DAY_OF_WEEK: lambda civil: civil.day_of_week,
    Function.GET_DAY_OF_YEAR: lambda civil: civil.day_of_year,
    Function.GET_HOURS: lambda civil: civil.second_of_day // 3600,
    Function.GET_MINUTES: lambda civil: civil.second_of_day // 60 % 60,
    Function.GET_SECONDS: lambda civil: civil.second_of_day % 60,
}
_SPAN_UNITS: Final[Mapping[Function, int]] = {
    Function.GET_HOURS: 3600 * SECOND,
    Function.GET_MINUTES: 60 * SECOND,
    Function.GET_SECONDS: SECOND,
}
"""Of a span, the whole of it is counted in the unit: `90m` has 5400 seconds."""

PARTS: Final = frozenset({*_PARTS, Function.GET_MILLISECONDS})
CLOCK_PARTS: Final = frozenset({*_SPAN_UNITS, Function.GET_MILLISECONDS})
"""Those that a span has too."""


def part_of(function: Function, value: object, zone: tzinfo | None) -> int:
    """`getHours()` and its kin, of a point in time (in a zone, UTC for None) or of a span.

    Raises:
        Unresolved: of anything else, and of a span what only a point in time has.
    """
    if isinstance(value, Timestamp):
        if function is Function.GET_MILLISECONDS:
            return value.nanos // 1_000_000 % 1_000
        return _PARTS[function](_civil(value, zone))
    if not isinstance(value, Duration) or zone is not None or function not in CLOCK_PARTS:
        raise Unresolved
    size = abs(value.nanos)
    if function is Function.GET_MILLISECONDS:
        part = size // 1_000_000 % 1_000
    else:
        part = size // _SPAN_UNITS[function]
    return -part if value.nanos < 0 else part
