"""Parks a request until a person answers, the limit passes, the agent leaves, or it is told that
it needn't wait any longer.

It never sends anything and never decides: it returns what happened, and `gate` says what that
means.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from gateway.model.approval import Approval, ApprovalState
from gateway.model.dataclass import dataclass
from gateway.ports import AgentChannel, ApprovalDesk, Clock
from gateway.process.tasks import end_tasks


@dataclass(frozen=True, slots=True)
class HoldSettings:
    """Limits of holding. `hold_seconds_max`, in which the question is asked too, stays below the
    60 s at which most SDKs and load balancers give up, so that the agent reads `approval_pending`
    instead of a broken connection.
    """

    hold_seconds_max: float = 50.0
    hold_count_max: int = 2_000
    hold_count_max_per_agent: int = 50


Held = TypeVar("Held")


@dataclass(frozen=True, slots=True, eq=False)
class Place(Generic[Held]):
    """Where one request is parked, at most until `until` of the monotonic clock. Once `ended` is
    set it waits no longer; whoever set it knows why."""

    held: Held
    until: float
    ended: asyncio.Event


class HoldRoom(Generic[Held]):
    """The parked requests, counted, so that an agent can't fill the gateway with them."""

    def __init__(self, settings: HoldSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._places: set[Place[Held]] = set()
        self._is_closed = False

    @property
    def total(self) -> int:
        return len(self._places)

    @property
    def places(self) -> tuple[Place[Held], ...]:
        """Those that are taken now."""
        return tuple(self._places)

    @contextmanager
    def place(self, agent: str, held: Held) -> Iterator[Place[Held] | None]:
        """Take a place while the block runs; yields None when there is none."""
        settings = self._settings
        free = (
            len(self._places) < settings.hold_count_max
            and self._held[agent] < settings.hold_count_max_per_agent
        )
        if not free:
            yield None
            return
        until = self._clock.monotonic() + settings.hold_seconds_max
        place = Place(held, until, asyncio.Event())
        if self._is_closed:
            place.ended.set()
        self._places.add(place)
        self._held[agent] += 1
        try:
            yield place
        finally:
            self._places.remove(place)
            self._held[agent] -= 1
            if not self._held[agent]:
                del self._held[agent]

    def end(self, is_meant: Callable[[Held], bool]) -> None:
        """Let the parked requests that are meant wait no longer."""
        for place in self._places:
            if is_meant(place.held):
                place.ended.set()

    def close(self) -> None:
        """End all waiting, now and from now on: the gateway stops, and whoever is parked is told
        to ask again instead of being cut off."""
        self._is_closed = True
        self.end(lambda _: True)


async def wait_for_answer(
    desk: ApprovalDesk,
    approval: Approval,
    channel: AgentChannel,
    clock: Clock,
    place: Place[Held],
) -> Approval:
    """Wait until the approval is answered, the time of the place is over, the agent is gone or
    waiting was ended.

    Returns the newest state seen; the caller looks at `channel.is_gone` itself.

    Raises:
        ApprovalError: the desk could not be asked.
    """
    ended = place.ended
    enders: set[asyncio.Task[object]] = {
        asyncio.create_task(channel.wait_gone(), name="hold-agent-gone"),
        asyncio.create_task(ended.wait(), name="hold-ended"),
    }
    try:
        while approval.state is ApprovalState.PENDING and not (channel.is_gone or ended.is_set()):
            left = place.until - clock.monotonic()
            if left <= 0:
                break
            waiting = asyncio.create_task(
                desk.wait(approval.approval_id, left), name="hold-wait-answer"
            )
            try:
                await asyncio.wait({waiting, *enders}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    break
                approval = waiting.result()
            finally:
                await end_tasks([waiting])
    finally:
        await end_tasks(enders)
    return approval
