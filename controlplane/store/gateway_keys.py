"""The tables `gateway_keys` and `gateway_signed_heads`: who signs, and what was signed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from controlplane.store.tenant_series import Series, series_transaction

_SQL = load_queries("gateway_keys")


@dataclass(frozen=True, slots=True)
class GatewayKeyRow:
    """A verifier key. The newest one of a gateway holds."""

    key_seq: int
    key: str
    proof: str
    enrolled_at: datetime


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """Gateways of a tenant that have keys, and keys of the gateway that was asked for."""

    gateways: int
    own: int


class GatewayKeyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def enrolling(self, tenant_id: uuid.UUID) -> Any:
        """A transaction in which no key is enrolled and no record stored by anybody else."""
        return series_transaction(self._database, Series.RECORDS, tenant_id)

    async def newest(
        self, connection: Any, tenant_id: uuid.UUID, gateway_id: str
    ) -> GatewayKeyRow | None:
        row = await connection.fetchrow(_SQL["newest"], tenant_id, gateway_id)
        return None if row is None else _key(row)

    async def counts(self, connection: Any, tenant_id: uuid.UUID, gateway_id: str) -> KeyCounts:
        return KeyCounts(*await connection.fetchrow(_SQL["count"], tenant_id, gateway_id))

    async def is_anothers(
        self, connection: Any, tenant_id: uuid.UUID, gateway_id: str, key_id: uuid.UUID
    ) -> bool:
        """Whether a gateway's id was first used with another credential, which is valid now."""
        found: bool = await connection.fetchval(_SQL["is_anothers"], tenant_id, gateway_id, key_id)
        return found

    async def insert(
        self, connection: Any, tenant_id: uuid.UUID, gateway_id: str, key: str, proof: str
    ) -> GatewayKeyRow:
        return _key(await connection.fetchrow(_SQL["insert"], tenant_id, gateway_id, key, proof))

    async def insert_head(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        gateway_id: str,
        seq: int,
        key_seq: int,
        note: str,
    ) -> None:
        """Keep a signed head; the same again changes nothing."""
        await connection.execute(_SQL["insert_head"], tenant_id, gateway_id, seq, key_seq, note)

    async def keys_of(self, tenant_id: uuid.UUID, gateway_id: str) -> Sequence[GatewayKeyRow]:
        """Every key that a gateway ever had, the oldest first."""
        rows = await self._database.rows(_SQL["keys_of"], tenant_id, gateway_id)
        return [_key(row) for row in rows]

    async def heads_of(self, tenant_id: uuid.UUID, gateway_id: str, seq_max: int) -> Sequence[str]:
        """The newest signed head of each key, up to a number."""
        rows = await self._database.rows(_SQL["heads_of"], tenant_id, gateway_id, seq_max)
        return [row["note"] for row in sorted(rows, key=lambda row: row["seq"])]

    async def unsigned(self, tenant_id: uuid.UUID, count_max: int) -> Sequence[str]:
        """Gateways whose records nobody signs."""
        rows = await self._database.rows(_SQL["unsigned"], tenant_id, count_max)
        return [row["gateway_id"] for row in rows]


def _key(row: Row) -> GatewayKeyRow:
    return GatewayKeyRow(row["key_seq"], row["key"], row["proof"], row["enrolled_at"])
