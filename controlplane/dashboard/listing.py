"""Lists page by page: the cursor is in the address, so that a page can be shared and bookmarked."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.dashboard.visit import Visit


def cursor_number(visit: Visit) -> int | None:
    """The number that `next_cursor` gave to the page before; None for the first page."""
    return visit.number("cursor")


def next_cursor(seen: Sequence[int], count_max: int) -> int | None:
    """Where the next page begins; None when this one was not full."""
    return seen[-1] if len(seen) >= count_max else None
