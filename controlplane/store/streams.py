"""The table `stream_cursors`: how far records were sent to places outside."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("streams")

OTLP: Final = "otlp"
"""The operator's collector; every other destination is the id of a channel."""


@dataclass(frozen=True, slots=True)
class StreamClaim:
    """A destination that is being sent to; `attempts` counts this one."""

    tenant_id: uuid.UUID
    destination: str
    record_id: int
    claim: int
    attempts: int


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """`line` None: it was erased."""

    record_id: int
    gateway_id: str
    seq: int
    hash: str
    kind: str
    effect: str | None
    line: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class StreamState:
    """`name` None where it is no channel. `oldest_at`: since when the oldest one waits."""

    destination: str
    name: str | None
    record_id: int
    attempts: int
    problem: str | None
    due_at: datetime
    moved_at: datetime
    waiting: int
    oldest_at: datetime | None


class StreamStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, event: str, everywhere: str | None) -> None:
        """Give each new destination its place: behind what is there already."""
        await self._database.rows(_SQL["begin_webhooks"], event)
        if everywhere is not None:
            await self._database.rows(_SQL["begin_everywhere"], everywhere)

    async def claim(
        self, event: str, everywhere: str | None, count_max: int, lease_seconds: float
    ) -> Sequence[StreamClaim]:
        """Destinations that have something to be sent and are due, for as long as a lease."""
        rows = await self._database.rows(_SQL["claim"], event, everywhere, count_max, lease_seconds)
        return [StreamClaim(*row.values()) for row in rows]

    async def batch(
        self, claim: StreamClaim, count_max: int, bytes_max: int
    ) -> Sequence[StreamRecord]:
        """What is to be sent next, in the order in which it came."""
        rows = await self._database.rows(
            _SQL["batch"], claim.tenant_id, claim.record_id, count_max, bytes_max
        )
        return [StreamRecord(*row.values()) for row in rows]

    async def settle(self, claim: StreamClaim, through: int) -> None:
        """The other side has everything up to there."""
        await self._database.rows(
            _SQL["settle"], claim.tenant_id, claim.destination, claim.claim, through
        )

    async def put_off(self, claim: StreamClaim, seconds: float, problem: str) -> None:
        """Try it again later."""
        await self._database.rows(
            _SQL["put_off"], claim.tenant_id, claim.destination, claim.claim, seconds, problem
        )

    async def behind(
        self, tenant_id: uuid.UUID, counted_max: int, event: str
    ) -> Sequence[StreamState]:
        """Each destination of a tenant, and how far behind it is."""
        rows = await self._database.rows(_SQL["behind"], tenant_id, counted_max, event)
        return [StreamState(*row.values()) for row in rows]

    async def oldest(self, event: str) -> Mapping[str, float]:
        """For how many seconds the oldest unsent record waits, by sort of destination."""
        rows = await self._database.rows(_SQL["oldest"], OTLP, event)
        return {row["sort"]: float(row["seconds"]) for row in rows}
