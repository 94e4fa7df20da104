"""Which approvals are no longer open to an answer, for gateways that wait for many of them.

One question of a gateway instead of one for each request that it holds: it keeps a cursor, so that
nothing falls in between, and looks at those that it waits for.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controlplane.auth import Caller
from controlplane.notify.bus import Topic
from controlplane.services.waiting import WaitingRoom
from controlplane.store.events import EventCursor, EventStore
from gateway.model.approval import ApprovalState

EVENTS_READ_MAX: Final = 1_000
"""At once; a gateway that has more before it asks again."""

REREAD_SECONDS: Final = 0.1
"""An event can be read once every transaction that began before it is over, which is perhaps a
moment after its wake-up; the next look finds it. One look at an index each."""

_SETTLED: Final = frozenset(ApprovalState) - {ApprovalState.PENDING}


@dataclass(frozen=True, slots=True)
class Answered:
    """`approval_ids` in the order in which they changed; `cursor` is where to go on."""

    approval_ids: tuple[str, ...]
    cursor: EventCursor


class AnsweredService:
    def __init__(self, store: EventStore, room: WaitingRoom) -> None:
        self._store = store
        self._room = room

    async def after(
        self,
        caller: Caller,
        cursor: EventCursor | None,
        wait_seconds: float,
        is_gone: Callable[[], bool],
    ) -> Answered:
        """What was answered, voided, used or ended by time after a cursor; with `wait_seconds`, as
        soon as there is any. Without a cursor: nothing, and where to begin."""
        if cursor is None:
            return Answered((), await self._store.newest(caller.tenant_id))
        tenant_id, seen = caller.tenant_id, cursor

        async def read() -> Answered:
            nonlocal seen
            found, seen = await self._read(tenant_id, seen)
            return Answered(found, seen)

        return await self._room.read_until(
            (Topic.EVENTS, str(tenant_id)),
            read,
            lambda answered: bool(answered.approval_ids),
            wait_seconds,
            is_gone,
            REREAD_SECONDS,
        )

    async def _read(
        self, tenant_id: uuid.UUID, cursor: EventCursor
    ) -> tuple[tuple[str, ...], EventCursor]:
        rows = await self._store.after(tenant_id, cursor, EVENTS_READ_MAX)
        found = {
            row.subject_id: None
            for row in rows
            if row.kind == "approval" and row.change in _SETTLED
        }
        return tuple(found), rows[-1].cursor if rows else cursor
