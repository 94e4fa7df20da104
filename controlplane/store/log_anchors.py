"""The table `log_anchors`: which checkpoints are to be kept elsewhere, and what became of that."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries

_SQL = load_queries("log_anchors")


class Place(StrEnum):
    """Where checkpoints are kept. FILE and S3 are the operator's, WEBHOOK are a tenant's own
    channels, which the outbox of notifications serves."""

    FILE = "file"
    S3 = "s3"
    WEBHOOK = "webhook"


class AnchorStatus(StrEnum):
    """TOLD: handed to the outbox of notifications, which has its own deliveries."""

    PENDING = "PENDING"
    ANCHORED = "ANCHORED"
    TOLD = "TOLD"


@dataclass(frozen=True, slots=True)
class AnchorRow:
    seq: int
    tenant_id: uuid.UUID
    checkpoint_id: uuid.UUID
    place: Place
    status: AnchorStatus
    attempts: int
    problem: str | None
    reference: str | None
    made_at: datetime
    ended_at: datetime | None
    size: int


class AnchorStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(
        self,
        place: Place,
        status: AnchorStatus,
        every_seconds: float,
        silence_seconds: float,
        event: str,
    ) -> int:
        """Plan each tenant's newest checkpoint for a place, where it grew since the last one that
        was planned there, or that one is old; how many. Webhooks are the channels that ask for
        `event`."""
        rows = await self._database.rows(
            _SQL["make"], place, status, every_seconds, silence_seconds, event
        )
        return len(rows)

    async def claim(self, count_max: int, lease_seconds: float) -> Sequence[AnchorRow]:
        """What is due; nobody else gets it before the lease ends."""
        rows = await self._database.rows(_SQL["claim"], count_max, lease_seconds)
        return [_row(row) for row in rows]

    async def settle(self, anchor: AnchorRow, reference: str) -> None:
        await self._database.row(_SQL["settle"], anchor.seq, reference)

    async def put_off(self, anchor: AnchorRow, pause_seconds: float, problem: str) -> None:
        await self._database.row(_SQL["put_off"], anchor.seq, pause_seconds, problem)

    async def newest(self, tenant_id: uuid.UUID) -> Sequence[AnchorRow]:
        """Of each place the newest anchor, and the newest one that is there."""
        return [_row(row) for row in await self._database.rows(_SQL["newest"], tenant_id)]

    async def list(
        self, tenant_id: uuid.UUID, before: int | None, count_max: int
    ) -> Sequence[AnchorRow]:
        """Newest first."""
        rows = await self._database.rows(_SQL["list"], tenant_id, before, count_max)
        return [_row(row) for row in rows]

    async def late_count(self, seconds: float) -> int:
        """How many have waited for longer than this."""
        row = await self._database.row(_SQL["late_count"], seconds)
        return int(row[0]) if row is not None else 0


def _row(row: Row) -> AnchorRow:
    return AnchorRow(
        row["anchor_seq"],
        row["tenant_id"],
        row["checkpoint_id"],
        Place(row["place"]),
        AnchorStatus(row["status"]),
        row["attempts"],
        row["problem"],
        row["reference"],
        row["made_at"],
        row["ended_at"],
        row["size"],
    )
