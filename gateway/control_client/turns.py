"""Calls that many held requests make at once: some at a time, the others in line, oldest first.

A control plane does its work with a dozen connections to its database, and what waits too long for
one is turned away. So a thousand requests that are held in one second ask one after the other, and
not all at once and then again. It knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.model.errors import ControlPlaneError


class Turns:
    """`count_max` at a time."""

    def __init__(self, count_max: int) -> None:
        self._free = asyncio.Semaphore(count_max)

    @asynccontextmanager
    async def take(self, seconds_max: float) -> AsyncIterator[None]:
        """Wait for a turn, no longer than `seconds_max`, and have it while the block runs.

        Raises:
            ControlPlaneError: `control.busy`; it was too long.
        """
        try:
            async with asyncio.timeout(seconds_max):
                await self._free.acquire()
        except TimeoutError as error:
            raise ControlPlaneError(
                "control.busy", "too many requests ask the control plane at once"
            ) from error
        try:
            yield
        finally:
            self._free.release()
