"""Decisions as the records tell them; nothing is stored beside the records."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries

_SQL = load_queries("decisions")


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """`line` is the decision's first record, `sent_line` its intent where that came later (after
    an approval), `outcome_line` its newest outcome. `approval_*` is the approval that it asked. Of
    what was erased a line says only who, when and with which effect."""

    record_id: int
    gateway_id: str
    line: str
    sent_line: str | None
    outcome_line: str | None
    approval_id: uuid.UUID | None
    approval_status: str | None
    is_erased: bool = False


class DecisionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        tenant_id: uuid.UUID,
        agent: str | None,
        effect: str | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[DecisionRow]:
        """Newest first; `before` is the `record_id` of the last one seen."""
        rows = await self._database.rows(_SQL["list"], tenant_id, agent, effect, before, count_max)
        return [_row(row) for row in rows]

    async def of_records(
        self, tenant_id: uuid.UUID, record_ids: Sequence[int]
    ) -> Sequence[DecisionRow]:
        """The decisions that these records are the first of, newest first."""
        if not record_ids:
            return []
        rows = await self._database.rows(_SQL["of_records"], tenant_id, list(record_ids))
        return [_row(row) for row in rows]

    async def approval_statuses(
        self, tenant_id: uuid.UUID, approval_ids: Sequence[uuid.UUID]
    ) -> Mapping[str, str]:
        """Present status by approval id, of those that exist."""
        if not approval_ids:
            return {}
        rows = await self._database.rows(_SQL["approval_status"], tenant_id, list(approval_ids))
        return {str(row["approval_id"]): row["status"] for row in rows}


def _row(row: Row) -> DecisionRow:
    return DecisionRow(
        row["record_id"],
        row["gateway_id"],
        row["line"],
        row["sent_line"],
        row["outcome_line"],
        row["approval_id"],
        row["approval_status"],
        row["is_erased"],
    )
