"""The table `agents`, and the directory of those that may send traffic."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries

_SQL = load_queries("agents")


@dataclass(frozen=True, slots=True)
class AgentRow:
    """`labels` is JSON text."""

    agent_id: uuid.UUID
    name: str
    labels: str
    enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """An enabled agent with the hashes (hex) of its valid keys, sorted."""

    agent_id: uuid.UUID
    name: str
    labels: str
    key_hashes: tuple[str, ...]


class AgentStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, tenant_id: uuid.UUID, name: str, labels: str) -> AgentRow | None:
        """Store a new agent; None when the name is taken."""
        return _maybe(
            await self._database.row(_SQL["insert"], uuid.uuid4(), tenant_id, name, labels)
        )

    async def find(self, tenant_id: uuid.UUID, name: str) -> AgentRow | None:
        return _maybe(await self._database.row(_SQL["find"], tenant_id, name))

    async def list(
        self, tenant_id: uuid.UUID, after: str | None, enabled: bool | None, count_max: int
    ) -> Sequence[AgentRow]:
        """By name; `after` is the last name of the page before."""
        rows = await self._database.rows(_SQL["list"], tenant_id, after, enabled, count_max)
        return [_row(row) for row in rows]

    async def set_enabled(
        self, tenant_id: uuid.UUID, agent_id: uuid.UUID, enabled: bool
    ) -> AgentRow | None:
        return _maybe(await self._database.row(_SQL["set_enabled"], tenant_id, agent_id, enabled))

    async def directory(self, tenant_id: uuid.UUID) -> Sequence[DirectoryRow]:
        """Enabled agents by name, read in one statement."""
        rows = await self._database.rows(_SQL["directory"], tenant_id)
        return [
            DirectoryRow(row["agent_id"], row["name"], row["labels"], tuple(row["key_hashes"]))
            for row in rows
        ]


def _maybe(row: Row | None) -> AgentRow | None:
    return None if row is None else _row(row)


def _row(row: Row) -> AgentRow:
    return AgentRow(row["agent_id"], row["name"], row["labels"], row["enabled"], row["created_at"])
