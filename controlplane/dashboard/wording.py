"""Values -> words that people read: times, durations, counts. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.model.moment import rfc3339

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def parse_moment(value: datetime | str | None) -> datetime | None:
    """A moment as it is stored or recorded; None for what is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def exact(value: datetime | str | None) -> str:
    """`2026-11-21 04:05:06 UTC`."""
    moment = parse_moment(value)
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(value: datetime | str | None) -> str:
    """RFC 3339, for `datetime=`."""
    moment = parse_moment(value)
    return "" if moment is None else rfc3339(moment)


def ago(value: datetime | str | None, now: datetime) -> str:
    """`2 min ago`, `in 13 min`, `just now`."""
    moment = parse_moment(value)
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 10:
        return "just now"
    words = duration(abs(seconds))
    return f"{words} ago" if seconds > 0 else f"in {words}"


def duration(seconds: float | timedelta) -> str:
    """One unit is enough to judge by: `45 s`, `13 min`, `3 h`, `2 d`."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def micros(value: float) -> str:
    """A duration in microseconds: `850 µs`, `12 ms`, `1.4 s`."""
    if value < 1_000:
        return f"{value:.0f} µs"
    if value < 1_000_000:
        return f"{value / 1_000:.0f} ms"
    return f"{value / 1_000_000:.1f} s"


def count(value: int) -> str:
    """`12,345`, with a thin gap instead of the comma."""
    return f"{value:,}".replace(",", "\u202f")


def plural(value: int, one: str, many: str = "") -> str:
    """`1 agent`, `2 agents`."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def short_id(value: object) -> str:
    """The first characters of an id, enough to tell it from its neighbours."""
    text = str(value)
    return text if len(text) <= 12 else f"{text[:8]}…"


def initial(text: str) -> str:
    """Only the first character large: `create_refund` -> `Create refund`."""
    words = text.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def initial_sentence(text: object) -> str:
    """A sentence of a log or a fault as one that people read: a large first letter, a full stop."""
    words = str(text).strip()
    if words and words[-1] not in ".!?…:":
        words += "."
    return words[:1].upper() + words[1:]


def pretty(value: object) -> str:
    """A JSON value as indented text."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, default=str)


def shown(value: object) -> str:
    """A JSON value as text: strings as they are, all else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def tally(counts: Mapping[str, int]) -> str:
    """`14 approved, 1 denied`, the most frequent first; empty where nothing was answered yet."""
    answered = [(name, number) for name, number in counts.items() if number and name != "PENDING"]
    answered.sort(key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count(number)} {name.lower()}" for name, number in answered)
