"""The cases that wait for a person. What a new stop or new rules would refuse is woken at once, so
that it is told so now and not when the person answers.

It ends nobody's case by itself: whoever is woken asks for the reason and decides.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import Final

from gateway.enforce import gate
from gateway.enforce.hold import HoldRoom, HoldSettings, Place
from gateway.journey.case import Case
from gateway.journey.judge import Judge
from gateway.ports import Clock

FORESEEN_AT_ONCE: Final = 32
"""Cases that are looked at before other work has its turn: about two milliseconds."""


class HeldCases:
    """One per gateway. `close` it before the gateway stops."""

    def __init__(self, settings: HoldSettings, judge: Judge, clock: Clock) -> None:
        self._room: HoldRoom[Case] = HoldRoom(settings, clock)
        self._judge = judge
        self._sweep: asyncio.Task[None] | None = None
        self._is_news = False

    @property
    def total(self) -> int:
        return self._room.total

    def place(self, case: Case) -> AbstractContextManager[Place[Case] | None]:
        """See `HoldRoom.place`."""
        return self._room.place(case.exchange.principal.agent, case)

    def wake_stopped(self) -> None:
        """Wake whoever a stop applies to."""
        self._room.end(lambda case: self._judge.stop_of(case.exchange, case.canonical) is not None)

    def wake_refused(self) -> None:
        """Wake whoever the rules in force don't let wait any longer. Looked at in a task: the
        caller has exchanged the rules and goes on."""
        self._is_news = True
        if self._sweep is None and self._room.places:
            self._sweep = asyncio.create_task(self._look_at_all(), name="held-cases-rules")

    def close(self) -> None:
        """End all waiting, now and from now on."""
        self._room.close()
        if self._sweep is not None:
            self._sweep.cancel()

    async def _look_at_all(self) -> None:
        try:
            while self._is_news:
                self._is_news = False
                for count, place in enumerate(self._room.places, 1):
                    if await self._is_refused(place.held):
                        place.ended.set()
                    if count % FORESEEN_AT_ONCE == 0:
                        await asyncio.sleep(0)
        finally:
            self._sweep = None

    async def _is_refused(self, case: Case) -> bool:
        """Whether its approval would not be let stand. Before it has asked it looks by itself."""
        approval, before = case.approval, case.judgement
        if approval is None or not self._judge.is_outdated(before):
            return False
        seen = await self._judge.foresee(case.exchange, before)
        is_same_act = seen.digest == before.digest
        return gate.decided_again(seen.decision, approval, is_same_act) is not None
