"""What agents sent, by what the mappers know of it: read from steps and counts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("coverage")


@dataclass(frozen=True, slots=True)
class UnmappedRow:
    """Requests that are alike and that no mapper knows. `host` is empty where it is a provider's
    known host; `line` is the newest one's record."""

    host: str
    provider: str
    operation: str
    requests: int
    agents: int
    places: int
    last_at: datetime
    line: str


@dataclass(frozen=True, slots=True)
class SeenRow:
    """How many decisions there were about a provider, and about how many actions of it."""

    provider: str
    decisions: int
    actions: int


class CoverageStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def unmapped(
        self, tenant_id: uuid.UUID, days: int, looked_at_max: int, count_max: int
    ) -> Sequence[UnmappedRow]:
        """The most frequent first, of the newest `looked_at_max`."""
        rows = await self._database.rows(
            _SQL["unmapped"], tenant_id, days, looked_at_max, count_max
        )
        return [UnmappedRow(**row) for row in rows]

    async def seen(self, tenant_id: uuid.UUID, days: int, count_max: int) -> Sequence[SeenRow]:
        """The most frequent first."""
        rows = await self._database.rows(_SQL["seen"], tenant_id, days, count_max)
        return [SeenRow(**row) for row in rows]
