"""Time zones by name, out of the IANA database that comes with the package `tzdata`.

Never the system's own files: two gateways must give one answer, and a slim image has none. Names
are looked up in the database's own list, so no text becomes a path.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from gateway.decide.nearest import nearest_help

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET: Final = re.compile(r"([+-]?)([01][0-9]|2[0-3]):([0-5][0-9])")
_SECONDS_MIN: Final = -62_135_596_800 + 2 * 86_400
_SECONDS_MAX: Final = 253_402_300_799 - 2 * 86_400
"""Two days inside of what a `datetime` can hold, so that no zone's offset leaves it."""


@cache
def load_zone_names() -> frozenset[str]:
    """All names of the database, read once."""
    text = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return frozenset(text.split())


@cache
def load_zone(name: str) -> tzinfo | None:
    """The zone `Europe/Berlin` or `+05:30`; None where there is none of this name."""
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        span = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-span if sign == "-" else span)
    if name not in load_zone_names():
        return None
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def unknown_zone(name: str) -> tuple[str, str]:
    """What is wrong with a name that no zone has, and the way out."""
    help_text = nearest_help(name, load_zone_names())
    message = f"there is no time zone `{name[:60]}`"
    return message, help_text or "write `Europe/Berlin`, `UTC` or `+05:30`"


def offset_seconds(zone: tzinfo, seconds: int) -> int:
    """How far the zone's clocks are ahead of UTC at a moment, in seconds since the epoch.

    In the first and last days of the calendar it is the offset of the days beside them.
    """
    held = max(_SECONDS_MIN, min(_SECONDS_MAX, seconds))
    offset = (_EPOCH + timedelta(seconds=held)).astimezone(zone).utcoffset()
    assert offset is not None
    return offset.days * 86_400 + offset.seconds
