"""The table `events`: what happened to things that are followed, in one order for every reader.

Nothing writes here by itself: triggers do, together with the change that they tell of.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("events")

_CURSOR = re.compile(r"^([0-9]{1,20})-([0-9]{1,19})$")


@dataclass(frozen=True, slots=True, order=True)
class EventCursor:
    """A place between two events of a tenant; `transaction` is the database's own number."""

    transaction: int = 0
    event_seq: int = 0

    def __str__(self) -> str:
        return f"{self.transaction}-{self.event_seq}"

    @classmethod
    def parse(cls, text: str) -> EventCursor | None:
        """Read what `str` wrote; None for anything else."""
        found = _CURSOR.match(text)
        if found is None:
            return None
        cursor = cls(int(found[1]), int(found[2]))
        return cursor if cursor.transaction < 2**64 and cursor.event_seq < 2**63 else None


@dataclass(frozen=True, slots=True)
class EventRow:
    """`kind` is what it is about (such as `approval`), `change` the state that it came to."""

    cursor: EventCursor
    kind: str
    subject_id: str
    change: str
    at: datetime


class EventStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(
        self, tenant_id: uuid.UUID, cursor: EventCursor, count_max: int
    ) -> Sequence[EventRow]:
        """What happened after a cursor, in order; later calls never find one before it."""
        rows = await self._database.rows(
            _SQL["after"], tenant_id, str(cursor.transaction), cursor.event_seq, count_max
        )
        return [
            EventRow(
                EventCursor(int(row["made_in"]), row["event_seq"]),
                row["kind"],
                row["subject_id"],
                row["change"],
                row["at"],
            )
            for row in rows
        ]

    async def newest(self, tenant_id: uuid.UUID) -> EventCursor:
        """Where a reader begins who wants only what is to come."""
        row = await self._database.row(_SQL["newest"], tenant_id)
        return EventCursor() if row is None else EventCursor(int(row["made_in"]), row["event_seq"])

    async def forget(self, age_days_min: int, count_max: int) -> int:
        """Delete events that nobody follows any more, the oldest first; how many."""
        return len(await self._database.rows(_SQL["forget"], age_days_min, count_max))
