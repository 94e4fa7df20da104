"""The table `records`: exact lines in order of arrival, and the head of each gateway's chain."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from controlplane.store.tenant_series import Series, series_transaction

_SQL = load_queries("records")


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A line with what was read out of it. `hash` is the SHA-256 of the line's bytes, in hex."""

    seq: int
    hash: str
    line: str
    kind: str
    at: str
    agent: str | None
    effect: str | None
    decision_id: str | None


@dataclass(frozen=True, slots=True)
class RecordRow:
    record_id: int
    gateway_id: str
    seq: int
    hash: str
    line: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class RecordFilter:
    agent: str | None = None
    effect: str | None = None
    kind: str | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The last stored record of a gateway; `seq` 0 before the first."""

    seq: int
    hash: str


class RecordStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def writing(self, tenant_id: uuid.UUID) -> AbstractAsyncContextManager[Any]:
        """A transaction in which nobody else writes for the tenant: the `connection` that the
        methods below take."""
        return series_transaction(self._database, Series.RECORDS, tenant_id)

    async def head(self, connection: Any, tenant_id: uuid.UUID, gateway_id: str) -> Head | None:
        row = await connection.fetchrow(_SQL["head"], tenant_id, gateway_id)
        return None if row is None else Head(row["seq"], row["hash"])

    async def stored_hashes(
        self, connection: Any, tenant_id: uuid.UUID, gateway_id: str, first: int, last: int
    ) -> Mapping[int, str]:
        """Hashes of what is stored, by seq."""
        rows = await connection.fetch(_SQL["stored_hashes"], tenant_id, gateway_id, first, last)
        return {row["seq"]: row["hash"] for row in rows}

    async def append(
        self, connection: Any, tenant_id: uuid.UUID, gateway_id: str, new: Sequence[NewRecord]
    ) -> None:
        """Store records that follow the head; that moves it."""
        await connection.execute(
            _SQL["append"],
            tenant_id,
            gateway_id,
            [one.seq for one in new],
            [one.hash for one in new],
            [one.line for one in new],
            [one.kind for one in new],
            [one.at for one in new],
            [one.agent for one in new],
            [one.effect for one in new],
            [one.decision_id for one in new],
        )

    async def after(
        self, tenant_id: uuid.UUID, cursor: int, wanted: RecordFilter, count_max: int
    ) -> Sequence[RecordRow]:
        """Records that came after `cursor` (a `record_id`), ascending."""
        rows = await self._database.rows(
            _SQL["after"],
            tenant_id,
            cursor,
            wanted.agent,
            wanted.effect,
            wanted.kind,
            wanted.gateway_id,
            count_max,
        )
        return [_row(row) for row in rows]

    async def newest(
        self, tenant_id: uuid.UUID, wanted: RecordFilter, count_max: int
    ) -> Sequence[RecordRow]:
        """The newest records, ascending."""
        rows = await self._database.rows(
            _SQL["newest"],
            tenant_id,
            wanted.agent,
            wanted.effect,
            wanted.kind,
            wanted.gateway_id,
            count_max,
        )
        return [_row(row) for row in rows]


def _row(row: Row) -> RecordRow:
    return RecordRow(
        row["record_id"],
        row["gateway_id"],
        row["seq"],
        row["hash"],
        row["line"],
        row["received_at"],
    )
