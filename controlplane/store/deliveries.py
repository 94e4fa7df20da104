"""The table `deliveries`: what is sent to channels; made once, claimed by one sender at a time."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.events import EventCursor
from controlplane.store.queries import load_queries
from gateway.model.delivery import DeliveryStatus

_SQL = load_queries("deliveries")

REFERENCES_MAX = 5
"""A question is posted once, and once more when it escalates; the rest was sent again by hand."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What is to be sent about one event. `recipient` is empty, or one person's key by e-mail."""

    tenant_id: uuid.UUID
    channel_id: uuid.UUID
    recipient: str
    event_seq: int
    event: str
    kind: str
    subject_id: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """`attempts` counts since it was made or sent again; `claim` counts on for ever."""

    delivery_seq: int
    delivery_id: uuid.UUID
    new: NewDelivery
    status: DeliveryStatus
    attempts: int
    claim: int
    due_at: datetime
    problem: str | None
    reference: str | None
    created_at: datetime
    ended_at: datetime | None


class CursorTurn:
    """A tenant's cursor, held by this replica until the block ends."""

    def __init__(self, connection: Any, tenant_id: uuid.UUID, cursor: EventCursor) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self.cursor = cursor

    async def move(self, deliveries: Sequence[NewDelivery], cursor: EventCursor) -> None:
        """Store the deliveries and where the next turn begins; both or neither."""
        columns = [
            [uuid.uuid4() for _ in deliveries],
            [one.tenant_id for one in deliveries],
            [one.channel_id for one in deliveries],
            [one.recipient for one in deliveries],
            [one.event_seq for one in deliveries],
            [one.event for one in deliveries],
            [one.kind for one in deliveries],
            [one.subject_id for one in deliveries],
            [one.happened_at for one in deliveries],
        ]
        await self._connection.execute(_SQL["insert"], *columns)
        await self._connection.execute(
            _SQL["move_cursor"], self._tenant_id, str(cursor.transaction), cursor.event_seq
        )


class DeliveryStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants_with_news(self, count_max: int) -> Sequence[uuid.UUID]:
        """Tenants with channels whose events are not deliveries yet."""
        rows = await self._database.rows(_SQL["tenants_with_news"], count_max)
        return [row["tenant_id"] for row in rows]

    @asynccontextmanager
    async def turn(self, tenant_id: uuid.UUID) -> AsyncIterator[CursorTurn | None]:
        """Hold the tenant's cursor; None where another replica does."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_SQL["lock_cursor"], tenant_id)
            if row is None:
                yield None
                return
            cursor = EventCursor(int(row["made_in"]), row["event_seq"])
            yield CursorTurn(connection, tenant_id, cursor)

    async def claim(
        self,
        busy: Collection[uuid.UUID],
        per_channel_max: int,
        count_max: int,
        lease_seconds: float,
    ) -> Sequence[DeliveryRow]:
        """Take what is due, of channels that are not `busy`. Whoever takes one has it for the
        lease, then it is due again."""
        rows = await self._database.rows(
            _SQL["claim"], list(busy), per_channel_max, count_max, lease_seconds
        )
        return [_row(row) for row in rows]

    async def settle(
        self,
        claimed: DeliveryRow,
        status: DeliveryStatus,
        problem: str | None = None,
        reference: str | None = None,
    ) -> bool:
        """Write down what became of it; False when a newer claim has it."""
        row = await self._database.row(
            _SQL["settle"], claimed.delivery_id, claimed.claim, status, problem, reference
        )
        return row is not None

    async def put_off(self, claimed: DeliveryRow, seconds: float, problem: str) -> bool:
        """Try again later; False when a newer claim has it."""
        row = await self._database.row(
            _SQL["put_off"], claimed.delivery_id, claimed.claim, seconds, problem
        )
        return row is not None

    async def references_of(
        self, tenant_id: uuid.UUID, channel_id: uuid.UUID, subject_id: str
    ) -> Sequence[str]:
        """What the messages about a thing are called in a channel, oldest first."""
        rows = await self._database.rows(
            _SQL["references_of"], tenant_id, channel_id, subject_id, REFERENCES_MAX
        )
        return [row["reference"] for row in rows]

    async def give_up(self, tenant_id: uuid.UUID, channel_id: uuid.UUID) -> None:
        """End what is still to be sent to a channel."""
        await self._database.rows(_SQL["give_up"], tenant_id, channel_id)

    async def resend(self, tenant_id: uuid.UUID, delivery_id: uuid.UUID) -> DeliveryRow | None:
        """Make one that has ended due again; None when there is none, or its channel is gone."""
        row = await self._database.row(_SQL["resend"], tenant_id, delivery_id)
        return None if row is None else _row(row)

    async def get(self, tenant_id: uuid.UUID, delivery_id: uuid.UUID) -> DeliveryRow | None:
        row = await self._database.row(_SQL["get"], tenant_id, delivery_id)
        return None if row is None else _row(row)

    async def list(
        self,
        tenant_id: uuid.UUID,
        channel_id: uuid.UUID | None,
        status: DeliveryStatus | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[DeliveryRow]:
        """Newest first; `before` is the `delivery_seq` of the last one seen."""
        rows = await self._database.rows(
            _SQL["list"], tenant_id, channel_id, status, before, count_max
        )
        return [_row(row) for row in rows]

    async def forget(self, age_days_min: int, count_max: int) -> None:
        """Delete those that ended long ago."""
        await self._database.rows(_SQL["forget"], age_days_min, count_max)


def _row(row: Row) -> DeliveryRow:
    return DeliveryRow(
        row["delivery_seq"],
        row["delivery_id"],
        NewDelivery(
            row["tenant_id"],
            row["channel_id"],
            row["recipient"],
            row["event_seq"],
            row["event"],
            row["kind"],
            row["subject_id"],
            row["happened_at"],
        ),
        DeliveryStatus(row["status"]),
        row["attempts"],
        row["claim"],
        row["due_at"],
        row["problem"],
        row["reference"],
        row["created_at"],
        row["ended_at"],
    )
