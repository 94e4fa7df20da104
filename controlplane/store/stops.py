"""The table `stops`: what is stopped, by whom and why, and who lifted it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database, Row
from controlplane.store.gathering import Gathering
from controlplane.store.queries import load_queries
from gateway.model.stop import StopScope

_SQL = load_queries("stops")


@dataclass(frozen=True, slots=True)
class Signature:
    """Who does it, with which key, and why."""

    by: str
    key_id: uuid.UUID
    reason: str


@dataclass(frozen=True, slots=True)
class StopRow:
    stop_seq: int
    stop_id: uuid.UUID
    scope: StopScope
    name: str
    reason: str
    by: str
    at: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lift_reason: str | None


READERS_MAX = 1_000
"""How many gateways are told by one reading, when all of them wake at once."""


class StopStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Gathering(
            self._read_in_force, batch_weight_max=READERS_MAX, waiting_count_max=10 * READERS_MAX
        )

    async def count_in_force(self, tenant_id: uuid.UUID) -> int:
        row = await self._database.row(_SQL["count_in_force"], tenant_id)
        assert row is not None
        return int(row["count"])

    async def insert(
        self, tenant_id: uuid.UUID, scope: StopScope, name: str, signature: Signature
    ) -> StopRow:
        row = await self._database.row(
            _SQL["insert"],
            uuid.uuid4(),
            tenant_id,
            scope.value,
            name,
            signature.reason,
            signature.by,
            signature.key_id,
        )
        assert row is not None
        return _row(row)

    async def lift(
        self, tenant_id: uuid.UUID, stop_id: uuid.UUID, signature: Signature
    ) -> StopRow | None:
        """Lift it; None when there is none in force with this id."""
        row = await self._database.row(
            _SQL["lift"], tenant_id, stop_id, signature.by, signature.key_id, signature.reason
        )
        return None if row is None else _row(row)

    async def get(self, tenant_id: uuid.UUID, stop_id: uuid.UUID) -> StopRow | None:
        row = await self._database.row(_SQL["get"], tenant_id, stop_id)
        return None if row is None else _row(row)

    async def in_force(self, tenant_id: uuid.UUID) -> Sequence[StopRow]:
        """All that are not lifted, oldest first. Read after the call, and once for all who call
        meanwhile: a stop wakes every gateway at the same moment."""
        return await self._reading.add(tenant_id)

    async def _read_in_force(self, tenant_ids: Sequence[uuid.UUID]) -> Sequence[Sequence[StopRow]]:
        found: dict[uuid.UUID, list[StopRow]] = {tenant_id: [] for tenant_id in tenant_ids}
        for row in await self._database.rows(_SQL["in_force"], list(found)):
            found[row["tenant_id"]].append(_row(row))
        return [found[tenant_id] for tenant_id in tenant_ids]

    async def history(
        self, tenant_id: uuid.UUID, before: int | None, count_max: int
    ) -> Sequence[StopRow]:
        """All of them, newest first; `before` is the `stop_seq` of the last one seen."""
        rows = await self._database.rows(_SQL["history"], tenant_id, before, count_max)
        return [_row(row) for row in rows]


def _row(row: Row) -> StopRow:
    return StopRow(
        row["stop_seq"],
        row["stop_id"],
        StopScope(row["scope"]),
        row["name"],
        row["reason"],
        row["by"],
        row["at"],
        row["lifted_at"],
        row["lifted_by"],
        row["lift_reason"],
    )
