"""The table `bundles`: signed bundles of each tenant, numbered without a gap, never changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries

_SQL = load_queries("bundles")

_LOCK_CLASS = 0xB4D1
"""First half of the advisory lock of a tenant's bundles."""


@dataclass(frozen=True, slots=True)
class BundleRow:
    """One bundle without its payload. `mappers_digest` is the SHA-256 of its mappers, in hex."""

    sequence: int
    revision: str
    mappers_digest: str
    key_id: str
    created_by: str
    comment: str | None
    created_at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One bundle with the exact text that was signed."""

    row: BundleRow
    payload: str
    signature: str


class BundleStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def writing(self) -> Any:
        """A transaction to pass to the methods below that take a `connection`."""
        return self._database.transaction()

    async def lock_tenant(self, connection: Any, tenant_id: uuid.UUID) -> None:
        """Let nobody else publish for the tenant until the transaction ends."""
        await connection.execute(_SQL["lock_tenant"], _LOCK_CLASS, str(tenant_id))

    async def now(self, connection: Any) -> datetime:
        """The database's time."""
        moment: datetime = await connection.fetchval(_SQL["now"])
        return moment

    async def newest_within(self, connection: Any, tenant_id: uuid.UUID) -> BundleRow | None:
        """The current bundle as the transaction sees it."""
        return _maybe(await connection.fetchrow(_SQL["newest"], tenant_id))

    async def append(self, connection: Any, tenant_id: uuid.UUID, new: SealedRow) -> None:
        """Store the bundle that follows the newest."""
        row = new.row
        await connection.execute(
            _SQL["append"],
            tenant_id,
            row.sequence,
            row.revision,
            row.mappers_digest,
            new.payload,
            new.signature,
            row.key_id,
            row.created_by,
            row.comment,
            row.created_at,
        )

    async def newest(self, tenant_id: uuid.UUID) -> BundleRow | None:
        """The current bundle; None before the first."""
        return _maybe(await self._database.row(_SQL["newest"], tenant_id))

    async def list(
        self, tenant_id: uuid.UUID, before: int | None, count_max: int
    ) -> Sequence[BundleRow]:
        """The bundles with a lower number than `before`, newest first."""
        rows = await self._database.rows(_SQL["list"], tenant_id, before, count_max)
        return [_row(row) for row in rows]

    async def find(self, tenant_id: uuid.UUID, sequence: int) -> SealedRow | None:
        """One bundle with its payload."""
        row = await self._database.row(_SQL["find"], tenant_id, sequence)
        return None if row is None else SealedRow(_row(row), row["payload"], row["signature"])


def _maybe(row: Row | None) -> BundleRow | None:
    return None if row is None else _row(row)


def _row(row: Row) -> BundleRow:
    return BundleRow(
        row["sequence"],
        row["revision"],
        row["mappers_digest"],
        row["key_id"],
        row["created_by"],
        row["comment"],
        row["created_at"],
        row["is_current"],
    )
