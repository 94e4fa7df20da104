"""Requests on their way at the same time go through one stage after another together."""

from __future__ import annotations

import asyncio

from gateway.journey.stages import in_step


async def test_nobody_begins_a_stage_before_all_are_there() -> None:
    """However many they are; and who is alone waits for nobody."""
    done: list[str] = []

    async def request(name: str) -> None:
        done.append(f"{name} is read")
        await in_step()
        done.append(f"{name} is decided")

    await asyncio.gather(*(request(name) for name in "abc"))
    assert done == [f"{name} is {what}" for what in ("read", "decided") for name in "abc"]
    async with asyncio.timeout(5):
        await request("d")
    assert done[-1] == "d is decided"
