"""The table `gateways`: what each gateway last said that it runs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("gateways")


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """`sequence` is the bundle that the gateway runs, 0 for none; `revision` is of what decides
    there, None for nothing; `source` says whether that is the `control` plane's bundle or its own
    `files`."""

    gateway_id: str
    sequence: int
    revision: str | None
    source: str
    running_since: datetime
    last_seen_at: datetime


class GatewayStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self,
        tenant_id: uuid.UUID,
        gateway_id: str,
        sequence: int,
        revision: str | None,
        source: str,
        count_max: int,
    ) -> None:
        """Write down what a gateway runs; a new one beyond `count_max` is not written down."""
        async with self._database.connection() as connection:
            await connection.execute(
                _SQL["note"], tenant_id, gateway_id, sequence, revision, count_max, source
            )

    async def forget(self, tenant_id: uuid.UUID, silent_seconds_min: float) -> None:
        """Drop the gateways that were silent for so long."""
        async with self._database.connection() as connection:
            await connection.execute(_SQL["forget"], tenant_id, silent_seconds_min)

    async def list(
        self, tenant_id: uuid.UUID, after: str | None, count_max: int
    ) -> Sequence[GatewayRow]:
        """The gateways by id; `after` is the last id of the page before."""
        rows = await self._database.rows(_SQL["list"], tenant_id, after, count_max)
        return [
            GatewayRow(
                row["gateway_id"],
                row["sequence"],
                row["revision"],
                row["source"],
                row["running_since"],
                row["last_seen_at"],
            )
            for row in rows
        ]
