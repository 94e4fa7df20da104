"""The months of the tables that only grow: each is a partition, made before its first row comes."""

from __future__ import annotations

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("months")


class MonthStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, months_ahead: int) -> None:
        """Make the partitions of this month and of the next ones, where they are not there."""
        await self._database.row(_SQL["make"], months_ahead)
