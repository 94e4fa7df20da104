"""Turns the API's times into what a person reads: the clock here, and how long from now."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_moment(text: object) -> datetime | None:
    """The moment that RFC 3339 text names; None where there is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def clock_time(text: object, now: datetime | None = None) -> str:
    """The time in the reader's zone, to the second, with its date unless that is today's; empty
    where there is none."""
    moment = parse_moment(text)
    if moment is None:
        return ""
    here = moment.astimezone()
    is_today = here.date() == (now or datetime.now(UTC)).astimezone().date()
    return here.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def time_left(text: object, now: datetime | None = None) -> str:
    """How long until then: `13 min`, `40 s`, or `over`."""
    moment = parse_moment(text)
    if moment is None:
        return ""
    seconds = int((moment - (now or datetime.now(UTC))).total_seconds())
    return _in_words(seconds) if seconds > 0 else "over"


def time_since(text: object, now: datetime | None = None) -> str:
    """How long ago that was: `2 min ago`."""
    moment = parse_moment(text)
    if moment is None:
        return ""
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    return f"{_in_words(seconds)} ago" if seconds > 0 else "now"


def duration(seconds: int) -> str:
    """A length of time: `13 min`."""
    return _in_words(seconds)


def _in_words(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} d"
