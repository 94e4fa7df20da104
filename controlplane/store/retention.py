"""For how long bodies are kept, what was erased, and the two functions that erase."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries

_SQL = load_queries("retention")


class Erased(StrEnum):
    """What became of a wish to erase a decision."""

    DONE = "DONE"
    NOT_FOUND = "NOT_FOUND"
    HELD = "HELD"
    IN_USE = "IN_USE"
    ERASED_BEFORE = "ERASED_BEFORE"


@dataclass(frozen=True, slots=True)
class RuleRow:
    """`days` None: as the installation has it; 0: for ever."""

    days: int | None
    legal_hold: bool
    reason: str
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """`before` is set of what was erased by its age, `decision_id` of what was on request."""

    erasure_seq: int
    erasure_id: uuid.UUID
    cause: str
    decision_id: str | None
    first_record_id: int | None
    last_record_id: int | None
    record_count: int
    approval_count: int
    incident_count: int
    before: datetime | None
    reason: str
    erased_by: str
    erased_at: datetime


class RetentionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def rule(self, tenant_id: uuid.UUID) -> RuleRow | None:
        """What the tenant wants; None before anybody said so."""
        row = await self._database.row(_SQL["rule"], tenant_id)
        return None if row is None else _rule(row)

    async def set_rule(
        self,
        tenant_id: uuid.UUID,
        days: int | None,
        legal_hold: bool,
        reason: str,
        set_by: str,
        set_by_key: uuid.UUID,
    ) -> RuleRow:
        """Store a new rule; once it is, nothing is erased by an older one."""
        row = await self._database.row(
            _SQL["set_rule"], tenant_id, days, legal_hold, reason, set_by, set_by_key
        )
        assert row is not None
        return _rule(row)

    async def erase_old(self, tenant_id: uuid.UUID, default_days: int, count_max: int) -> int:
        """Erase up to so many of each sort that are older than the tenant's rule says; 0: nothing
        is left."""
        row = await self._database.row(_SQL["erase_old"], tenant_id, default_days, count_max)
        assert row is not None
        count: int = row["count"]
        return count

    async def erase_decision(
        self,
        tenant_id: uuid.UUID,
        decision_id: str,
        erased_by: str,
        by_key: uuid.UUID,
        reason: str,
    ) -> Erased:
        """Erase the bodies of one decision."""
        row = await self._database.row(
            _SQL["erase_decision"], tenant_id, decision_id, erased_by, by_key, reason
        )
        assert row is not None
        return Erased(row["answer"])

    async def erasures(
        self, tenant_id: uuid.UUID, before: int | None, decision_id: str | None, count_max: int
    ) -> Sequence[ErasureRow]:
        """Newest first; `before` is the `erasure_seq` of the last one seen."""
        rows = await self._database.rows(
            _SQL["erasures"], tenant_id, before, decision_id, count_max
        )
        return [ErasureRow(*row.values()) for row in rows]

    async def erasure(self, tenant_id: uuid.UUID, erasure_id: uuid.UUID) -> ErasureRow | None:
        row = await self._database.row(_SQL["erasure"], tenant_id, erasure_id)
        return None if row is None else ErasureRow(*row.values())

    async def tenants(self) -> Sequence[uuid.UUID]:
        return [row["tenant_id"] for row in await self._database.rows(_SQL["tenants"])]


def _rule(row: Row) -> RuleRow:
    return RuleRow(*row.values())
