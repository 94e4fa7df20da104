"""Ending tasks and waiting for events."""

from __future__ import annotations

import asyncio

import pytest

from gateway.process.tasks import end_tasks, wait_at_most


async def _fail() -> None:
    raise ValueError("over")


async def _linger(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append("lingered")


async def test_all_have_ended_when_it_returns() -> None:
    """Running, failed, done and missing ones; what one failed on is raised to nobody."""
    ended: list[str] = []
    failed, done = asyncio.create_task(_fail()), asyncio.create_task(asyncio.sleep(0))
    running = asyncio.create_task(_linger(ended))
    await asyncio.sleep(0)
    await end_tasks([failed, done, running, None])
    assert ended == ["lingered"]
    assert failed.done() and done.done() and running.cancelled()  # noqa: PT018 - one question


def test_a_task_of_a_loop_that_is_closed_has_ended() -> None:
    """What one loop began and ended may be asked to end in another."""

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(_linger([]))

    asyncio.run(end_tasks([asyncio.run(begin())]))


async def test_its_own_cancellation_is_not_swallowed() -> None:
    """Whoever is told to end while it waits for others ends too."""
    held = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await held.wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    ending = asyncio.create_task(end_tasks([task]))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    held.set()
    await asyncio.wait({task})


async def test_an_event_is_waited_for_at_most_so_long() -> None:
    """It says whether the event came."""
    event = asyncio.Event()
    assert not await wait_at_most(event, 0)
    asyncio.get_running_loop().call_soon(event.set)
    assert await wait_at_most(event, 60)
