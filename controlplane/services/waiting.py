"""Reads something again and again until it is as wanted, woken by the bus in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from controlplane.notify.bus import REREAD_SECONDS, Bus, Topic
from controlplane.telemetry import Metrics

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class WaitingSettings:
    """`wait_seconds_max` stays below the 60 s at which proxies cut a silent connection.
    `waiting_count_max` bounds the parked requests; beyond it an answer comes at once instead."""

    wait_seconds_max: float = 30.0
    waiting_count_max: int = 4_000
    reread_seconds: float = REREAD_SECONDS


class WaitingRoom:
    """Where long polls wait. `end` sends everybody home with what there is."""

    def __init__(self, bus: Bus, metrics: Metrics, settings: WaitingSettings) -> None:
        self._bus = bus
        self._metrics = metrics
        self._settings = settings
        self._count = 0
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Let nobody wait any more; the bus's `wake_all` then ends those who do."""
        self._ending.set()

    async def read_until(
        self,
        place: tuple[Topic, str],
        read: Callable[[], Awaitable[Value]],
        is_enough: Callable[[Value], bool],
        seconds: float,
        is_gone: Callable[[], bool] = lambda: False,
        reread_seconds: float | None = None,
    ) -> Value:
        """Return what `read` gives once that is enough, or at the end of the time, or when the
        asker `is_gone`. Subscribes before it reads, so that no change falls in between.
        `reread_seconds` is for what may not wait as long as the settings say."""
        settings = self._settings
        reread = settings.reread_seconds if reread_seconds is None else reread_seconds
        deadline = time.monotonic() + min(seconds, settings.wait_seconds_max)
        if seconds <= 0 or self._count >= settings.waiting_count_max:
            return await read()
        self._count += 1
        with self._bus.subscribe(*place) as subscription, self._metrics.waiting.track_inprogress():
            try:
                while True:
                    value = await read()
                    left = deadline - time.monotonic()
                    if is_enough(value) or left <= 0 or self._ending.is_set() or is_gone():
                        return value
                    await subscription.wait(min(left, reread))
            finally:
                self._count -= 1
