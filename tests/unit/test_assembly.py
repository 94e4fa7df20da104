"""Parts that start together: all of them stop, and a fault of one leaves none half started."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack

import pytest

from gateway.assembly import start_parts
from gateway.model.errors import CheckreinError


class Part:
    """Starts when the others have begun to; `fault` is raised then."""

    def __init__(self, begun: asyncio.Barrier, fault: Exception | None = None) -> None:
        self._begun = begun
        self._fault = fault
        self.events: list[str] = []

    def start(self) -> Coroutine[object, object, object]:
        return self._start()

    async def _start(self) -> None:
        try:
            await self._begun.wait()
            if self._fault is not None:
                raise self._fault
            await asyncio.sleep(0)
            self.events.append("started")
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise

    async def stop(self) -> None:
        self.events.append("stopped")


async def test_parts_start_at_the_same_time_and_all_stop() -> None:
    """Each waits for the other to begin, so one after the other would never end."""
    begun = asyncio.Barrier(2)
    one, other = Part(begun), Part(begun)
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        await start_parts(stack, (one.start(), one.stop), (other.start(), other.stop))
        assert one.events == other.events == ["started"]

    assert one.events == other.events == ["started", "stopped"]


async def test_a_fault_is_raised_as_it_is_when_nothing_starts_any_more() -> None:
    """Not in a group, which nobody at the top would know; the part that still starts is ended."""
    never = asyncio.Barrier(2)
    fault = CheckreinError("part.broken", "the part is broken")
    broken, waiting = Part(asyncio.Barrier(1), fault), Part(never)
    with pytest.raises(CheckreinError) as raised:
        async with asyncio.timeout(30), AsyncExitStack() as stack:
            await start_parts(stack, (broken.start(), broken.stop), (waiting.start(), waiting.stop))

    assert raised.value is fault
    assert broken.events == ["stopped"]
    assert waiting.events == ["cancelled", "stopped"]
