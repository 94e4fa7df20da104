"""Counts for the dashboard: what waits now, and what was decided, per minute."""

from __future__ import annotations

import uuid

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("overview")


class OverviewStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending_count(self, tenant_id: uuid.UUID, count_max: int) -> int:
        row = await self._database.row(_SQL["pending_count"], tenant_id, count_max)
        assert row is not None
        return int(row["count"])
