"""The table `learner_modes`: in which mode a tenant wants to learn."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("learner")

SCOPE_TYPE = "ORG"


@dataclass(frozen=True, slots=True)
class ModeRow:
    mode: str
    set_by: str
    set_at: datetime


class LearnerStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self, tenant_id: uuid.UUID) -> ModeRow | None:
        """The mode of the whole organisation; None before it was ever set."""
        row = await self._database.row(_SQL["current"], tenant_id, SCOPE_TYPE, tenant_id)
        return None if row is None else ModeRow(row["mode"], row["set_by"], row["set_at"])

    async def set(
        self, tenant_id: uuid.UUID, mode: str, set_by: str, set_by_key: uuid.UUID
    ) -> None:
        await self._database.row(
            _SQL["set"], tenant_id, SCOPE_TYPE, tenant_id, mode, set_by, set_by_key
        )
