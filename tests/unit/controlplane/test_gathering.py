"""What is carried together: in order, each with its own result, and one's fault is not the
others'."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from controlplane.faults import ControlFault, Fault
from controlplane.store.gathering import Gathering


class Carrier:
    """Doubles numbers when it is let go, and remembers its batches. A negative one is at fault."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()
        self.is_away = False

    async def carry(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.go.wait()
        if self.is_away:
            raise ControlFault(Fault.UNAVAILABLE, "away")
        if min(items) < 0:
            raise ValueError("negative")
        return [2 * item for item in items]


async def begin(gathering: Gathering[int, int], *items: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(gathering.add(item)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_one_is_on_its_way_goes_together():
    """In the order of the calls, at most so many at once; nobody waits for company."""
    carrier = Carrier()
    gathering = Gathering(carrier.carry, batch_weight_max=3)
    tasks = await begin(gathering, 1)
    tasks += await begin(gathering, 2, 3, 4, 5)
    carrier.go.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert carrier.batches == [[1], [2, 3, 4], [5]]
    assert await gathering.add(6) == 12


async def test_a_batch_is_as_heavy_as_can_be_carried_in_time():
    """An item that alone is too heavy goes alone."""
    carrier = Carrier()
    gathering = Gathering(carrier.carry, weigh=lambda item: item, batch_weight_max=5)
    tasks = await begin(gathering, 0)
    tasks += await begin(gathering, 2, 3, 1, 9, 1, 4)
    carrier.go.set()
    await asyncio.gather(*tasks)
    assert carrier.batches == [[0], [2, 3], [1], [9], [1, 4]]


async def test_the_fault_of_one_is_its_own():
    """The batch is undone, so that each can be tried alone."""
    carrier = Carrier()
    gathering = Gathering(carrier.carry)
    tasks = await begin(gathering, 0)
    tasks += await begin(gathering, 1, -2, 3)
    carrier.go.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [told[0], told[1], told[3]] == [0, 2, 6]
    assert isinstance(told[2], ValueError)
    assert carrier.batches == [[0], [1, -2, 3], [1], [-2], [3]]


async def test_a_database_that_is_away_is_told_to_all_at_once():
    """Trying each of them alone would only make them wait."""
    carrier = Carrier()
    gathering = Gathering(carrier.carry)
    tasks = await begin(gathering, 0)
    tasks += await begin(gathering, 1, 2)
    carrier.is_away = True
    carrier.go.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in told] == [ControlFault] * 3
    assert carrier.batches == [[0], [1, 2]]
    carrier.is_away = False
    assert await gathering.add(3) == 6


async def test_one_who_leaves_takes_nothing_from_the_others():
    """Their item is carried all the same: half of a batch can't be taken back."""
    carrier = Carrier()
    gathering = Gathering(carrier.carry)
    tasks = await begin(gathering, 0)
    tasks += await begin(gathering, 1, 2)
    tasks[1].cancel()
    carrier.go.set()
    assert await tasks[2] == 4
    assert carrier.batches == [[0], [1, 2]]


async def test_too_many_are_sent_away_at_once():
    """A queue that can only grow helps nobody."""
    carrier = Carrier()
    gathering = Gathering(carrier.carry, waiting_count_max=2)
    tasks = await begin(gathering, 0)
    tasks += await begin(gathering, 1, 2)
    with pytest.raises(ControlFault, match="too many"):
        await gathering.add(3)
    carrier.go.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4]
