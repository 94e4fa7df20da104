"""What this installation runs on, as the database says it."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("installation")


@dataclass(frozen=True, slots=True)
class Installation:
    """`schema_version` is the number of the last migration."""

    server_version: str
    schema_version: int


class InstallationStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def about(self) -> Installation:
        row = await self._database.row(_SQL["about"])
        assert row is not None
        return Installation(row["server_version"], row["schema_version"])
