"""How tasks end, and how they wait for an event: with a bound, and no cancellation swallowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any


async def end_tasks(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel those that there are, and wait until they have ended; what they failed on is over.

    Not by `await task`, which could swallow the caller's own cancellation.
    """
    given = {task for task in tasks if task is not None}
    left = {task for task in given if not task.done()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    for task in given:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is told


async def wait_at_most(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
