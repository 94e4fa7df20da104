"""What happened in a tenant, for those who follow it live."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager

from controlplane.notify.bus import Bus, Subscription, Topic
from controlplane.store.events import EventCursor, EventRow, EventStore


class FollowService:
    """Reading is cheap where nothing happened: one look at an index."""

    def __init__(self, store: EventStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    def subscribe(self, tenant_id: uuid.UUID) -> AbstractContextManager[Subscription]:
        """Be woken when something happens. Subscribe before you read."""
        return self._bus.subscribe(Topic.EVENTS, str(tenant_id))

    async def wake(self, tenant_id: uuid.UUID) -> None:
        """Let everybody who follows look again: whether they still may, for one."""
        await self._bus.publish(Topic.EVENTS, str(tenant_id))

    async def newest(self, tenant_id: uuid.UUID) -> EventCursor:
        """Where to begin for what is to come."""
        return await self._store.newest(tenant_id)

    async def after(
        self, tenant_id: uuid.UUID, cursor: EventCursor, count_max: int
    ) -> Sequence[EventRow]:
        """What happened after a cursor, in order. An event is there once every transaction that
        began before it is over, so perhaps a moment after its wake-up."""
        return await self._store.after(tenant_id, cursor, count_max)
