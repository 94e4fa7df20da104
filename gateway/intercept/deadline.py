"""One deadline of one connection, moved many times a second at nearly no cost.

The timer of the loop is left where it is and looked at when it fires; only a deadline that comes
nearer needs a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `expired` once when `due_at`, of the loop's clock, passes without being moved."""

    __slots__ = ("_due_at", "_expired", "_fires_at", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._due_at: float | None = None
        self._fires_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, due_at: float) -> None:
        self._due_at = due_at
        if self._timer is None or due_at < self._fires_at:
            self._start(due_at)

    def clear(self) -> None:
        self._due_at = None

    def end(self) -> None:
        """Leave nothing in the loop."""
        self._due_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, fires_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = fires_at
        self._timer = self._loop.call_at(fires_at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        due_at = self._due_at
        if due_at is None:
            return
        # The loop may fire a little early, by the resolution of its clock.
        if due_at > self._loop.time() + 0.001:
            self._start(due_at)
            return
        self._due_at = None
        self._expired()
