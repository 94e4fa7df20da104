"""What a tenant has that grows one after the other, by one writer at a time."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Any

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("tenant_series")


class Series(IntEnum):
    """Each is the first half of its advisory lock; the second is the tenant.

    RECORDS: their ids become visible in their own order, so that a reader with a cursor misses
    none. BUNDLES: each publication sees the one before it. CHECKPOINTS: the newest is the largest.
    """

    RECORDS = 0x5EC
    BUNDLES = 0xB4D1
    CHECKPOINTS = 0xC4EC


@asynccontextmanager
async def series_transaction(
    database: Database, series: Series, tenant_id: uuid.UUID
) -> AsyncIterator[Any]:
    """A transaction in which nobody else writes this series of the tenant; gives its connection."""
    async with database.transaction() as connection:
        await connection.execute(_SQL["lock"], series, str(tenant_id))
        yield connection
