"""Carries what many callers ask at the same time to the database together.

A commit waits for the disk, and whoever waits for a lock waits for that commit too. While one batch
is on its way the next one gathers, so a busy moment costs one commit instead of fifty, and a quiet
one costs nothing extra. Nothing is delayed to make a batch larger.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from controlplane.faults import ControlFault, Fault
from controlplane.store.tenancy import acting_for_everybody

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """`carry` brings a batch to the database, all of it or nothing, and gives one result for each
    item, in order. A batch weighs at most `batch_weight_max`, so that it is through in time, or is
    one item. At most `waiting_count_max` items wait; there is no hope for more of them."""

    def __init__(
        self,
        carry: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        weigh: Callable[[Item], int] = lambda _: 1,
        batch_weight_max: int = 64,
        waiting_count_max: int = 2_000,
    ) -> None:
        self._carry = carry
        self._weigh = weigh
        self._batch_weight_max = batch_weight_max
        self._waiting_count_max = waiting_count_max
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Carry it with whatever else there is.

        Raises:
            ControlFault: UNAVAILABLE when too many wait already; and whatever `carry` raises.
        """
        if len(self._waiting) >= self._waiting_count_max:
            raise ControlFault(Fault.UNAVAILABLE, "too many wait for the database; try again")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="gathering")
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            if not await self._settle(batch):
                # One of them is at fault, and the others must not suffer from it.
                for one in batch:
                    await self._settle([one])

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch = [self._waiting.popleft()]
        weight = self._weigh(batch[0][0])
        while self._waiting:
            weight += self._weigh(self._waiting[0][0])
            if weight > self._batch_weight_max:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _settle(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> bool:
        """Give everybody of the batch their result or fault; False when each is to be tried alone.
        A caller who has left meanwhile gets nothing; what they asked for is done."""
        try:
            with acting_for_everybody():
                results = await self._carry([item for item, _ in batch])
        except Exception as error:
            is_general = isinstance(error, ControlFault) and error.fault is Fault.UNAVAILABLE
            if len(batch) > 1 and not is_general:
                return False
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return True
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
        return True
