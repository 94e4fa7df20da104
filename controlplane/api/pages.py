"""Pages of lists: `limit`, `cursor`, `nextCursor`.

A page begins after the last thing of the page before, by what the list is ordered by: nothing is
lost or shown twice when things come or go meanwhile. A cursor is a number where the order is one,
else opaque text.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import Field, StringConstraints

from controlplane.api.contract import Query
from controlplane.faults import ControlFault, Fault

LIST_COUNT_MAX = 500
CURSOR_LENGTH_MAX = 1024

Count = Annotated[int, Field(ge=1, le=LIST_COUNT_MAX)]
NumberCursor = Annotated[int, Field(ge=0, le=2**63 - 1)]
TextCursor = Annotated[
    str, StringConstraints(max_length=CURSOR_LENGTH_MAX, pattern="^[A-Za-z0-9_-]+$")
]


Thing = TypeVar("Thing")


class PageQuery(Query):
    """Of lists in the order of texts."""

    limit: Count = 100
    cursor: TextCursor | None = None


def next_cursor(
    page: Sequence[Thing], limit: int, place: Callable[[Thing], int | Sequence[str]]
) -> str | None:
    """`nextCursor`: where the next page begins, after the place of this page's last thing; None
    when this one was not full."""
    if not page or len(page) < limit:
        return None
    last = place(page[-1])
    return str(last) if isinstance(last, int) else _text_cursor(last)


def _text_cursor(place: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(place)).encode()).decode().rstrip("=")


def parse_text_cursor(cursor: str | None, length: int) -> tuple[str, ...] | None:
    """The place of a cursor, `length` texts; None for the beginning.

    Raises:
        ControlFault: INVALID_ARGUMENT.
    """
    if cursor is None:
        return None
    try:
        place = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", True))
    except (ValueError, RecursionError, binascii.Error):
        place = None
    is_place = isinstance(place, list) and len(place) == length
    if not is_place or not all(isinstance(part, str) and "\0" not in part for part in place):
        raise bad_cursor()
    return tuple(place)


def bad_cursor() -> ControlFault:
    return ControlFault(
        Fault.INVALID_ARGUMENT, "`cursor`: give the `nextCursor` of the page before, or none"
    )
