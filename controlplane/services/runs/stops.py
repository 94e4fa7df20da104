"""The kill switch: what is stopped at once, on every gateway, whatever the policies say.

Only people pull it and only people lift it; the table of stops is the record of both.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.auth import Caller, require_person
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.bus import Bus, Topic
from controlplane.services.waiting import WaitingRoom
from controlplane.store.stops import Signature, StopRow, StopStore
from controlplane.telemetry import Metrics
from gateway.model.stop import StopScope

STOP_COUNT_MAX = 1_000
"""Stops in force of one tenant: every gateway holds them all. Where more is wrong than this,
everything has to be stopped, and for that there is always room."""

EVERYTHING_COUNT_MAX = 100
"""Room beyond `STOP_COUNT_MAX` for stops of everything; by then, everything is stopped."""

REREAD_SECONDS = 0.5
"""How late a gateway hears of a stop when its wake-up was lost: below the second that we promise,
the time on the way included."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The stops in force. `revision` is a digest of them: equal means unchanged."""

    stops: tuple[StopRow, ...]
    revision: str


class StopService:
    def __init__(self, store: StopStore, bus: Bus, room: WaitingRoom, metrics: Metrics) -> None:
        self._store = store
        self._bus = bus
        self._room = room
        self._metrics = metrics

    async def stop(
        self, caller: Caller, scope: StopScope, name: str, by: str | None, reason: str
    ) -> StopRow:
        """Stop it. Each stop stands for itself: two of the same thing have both to be lifted.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, STOPS_FULL.
        """
        signature = _signature(caller, by, reason)
        room = EVERYTHING_COUNT_MAX if scope is StopScope.EVERYTHING else 0
        if await self._store.count_in_force(caller.tenant_id) >= STOP_COUNT_MAX + room:
            raise ControlFault(
                Fault.STOPS_FULL, "too many stops are in force; stop everything, or lift some"
            )
        row = await self._store.insert(caller.tenant_id, scope, name, signature)
        self._metrics.stops.labels("pulled").inc()
        # It is an incident too; the database opens that with it.
        await self._tell(caller.tenant_id)
        return row

    async def lift(
        self, caller: Caller, stop_id: uuid.UUID, by: str | None, reason: str
    ) -> StopRow:
        """End a stop, once.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, NOT_FOUND, STOP_LIFTED.
        """
        row = await self._store.lift(caller.tenant_id, stop_id, _signature(caller, by, reason))
        if row is None:
            if await self._store.get(caller.tenant_id, stop_id) is None:
                raise not_found("stop")
            raise ControlFault(Fault.STOP_LIFTED, "this stop is lifted already")
        self._metrics.stops.labels("lifted").inc()
        await self._tell(caller.tenant_id)
        return row

    async def in_force(
        self,
        caller: Caller,
        known_revision: str | None,
        wait_seconds: float,
        is_gone: Callable[[], bool],
    ) -> Standing:
        """The stops in force; with `wait_seconds`, once they differ from `known_revision`."""

        async def read() -> Standing:
            stops = tuple(await self._store.in_force(caller.tenant_id))
            return Standing(stops, _revision(stops))

        return await self._room.read_until(
            (Topic.STOPS, str(caller.tenant_id)),
            read,
            lambda standing: standing.revision != known_revision,
            wait_seconds,
            is_gone,
            REREAD_SECONDS,
        )

    async def get(self, caller: Caller, stop_id: uuid.UUID) -> StopRow:
        """One stop, lifted or not.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = await self._store.get(caller.tenant_id, stop_id)
        if row is None:
            raise not_found("stop")
        return row

    async def history(
        self, caller: Caller, before: int | None, count_max: int
    ) -> Sequence[StopRow]:
        """Every stop there ever was, newest first."""
        return await self._store.history(caller.tenant_id, before, count_max)

    async def _tell(self, tenant_id: uuid.UUID) -> None:
        """Wake the gateways, and those who follow what happens."""
        await self._bus.publish(Topic.STOPS, str(tenant_id))
        await self._bus.publish(Topic.EVENTS, str(tenant_id))


def _signature(caller: Caller, by: str | None, reason: str) -> Signature:
    require_person(caller, "work the kill switch")
    return Signature(caller.person(by), caller.key_id, reason)


def _revision(stops: Sequence[StopRow]) -> str:
    text = "\n".join(str(stop.stop_id) for stop in stops)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
