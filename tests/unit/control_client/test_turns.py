"""Calls in line: so many at a time, oldest first, and nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from gateway.control_client.turns import Turns
from gateway.model.errors import ControlPlaneError


async def test_so_many_at_a_time_and_the_others_in_line() -> None:
    """Whoever is done lets in the one that has waited longest, also where the call failed."""
    turns = Turns(2)
    begun: list[int] = []
    may_end = [asyncio.Event() for _ in range(4)]

    async def call(number: int) -> None:
        async with turns.take(5):
            begun.append(number)
            await may_end[number].wait()
            if number == 1:
                raise ControlPlaneError("control.unreachable", "gone")

    async with asyncio.timeout(20):
        tasks = [asyncio.create_task(call(number)) for number in range(4)]
        for ended, expected in ((None, [0, 1]), (1, [0, 1, 2]), (0, [0, 1, 2, 3])):
            if ended is not None:
                may_end[ended].set()
                await asyncio.wait([tasks[ended]])
            while len(begun) < len(expected):
                await asyncio.sleep(0)
            assert begun == expected
        for event in may_end:
            event.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [
        type(None), ControlPlaneError, type(None), type(None),
    ]  # fmt: skip


async def test_who_waits_too_long_is_told_so_and_takes_no_turn() -> None:
    """The action stays refused. Whoever gives up in line leaves it to the others."""
    turns = Turns(1)
    async with turns.take(5):
        with pytest.raises(ControlPlaneError) as found:
            async with turns.take(0.01):
                raise AssertionError("somebody else has the only turn")
        assert found.value.code == "control.busy"
    async with turns.take(5):
        pass
