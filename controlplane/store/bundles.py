"""The table `bundles`: signed bundles of each tenant, numbered without a gap, never changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from controlplane.store.tenant_series import Series, series_transaction

_SQL = load_queries("bundles")


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

    def writing(self, tenant_id: uuid.UUID) -> AbstractAsyncContextManager[Any]:
        """A transaction in which nobody else writes for the tenant: the `connection` that the
        methods below take."""
        return series_transaction(self._database, Series.BUNDLES, tenant_id)

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
