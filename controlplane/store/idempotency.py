"""The table `idempotency_keys`: requests that are carried out once, and what they were answered."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("idempotency")


@dataclass(frozen=True, slots=True)
class Place:
    """One idempotency key of one caller on one route."""

    tenant_id: uuid.UUID
    key_id: uuid.UUID
    route: str
    idempotency_key: str

    def values(self) -> tuple[uuid.UUID, uuid.UUID, str, str]:
        return self.tenant_id, self.key_id, self.route, self.idempotency_key


@dataclass(frozen=True, slots=True)
class Noted:
    """A request that was noted before. `status` None: it has no answer, yet or for good."""

    request_digest: bytes
    status: int | None
    sealed_answer: bytes


class IdempotencyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        place: Place,
        request_digest: bytes,
        attempt_id: uuid.UUID,
        seconds: float,
        count_max: int,
    ) -> bool:
        """Note that the request is about to be carried out; False when the place is taken, or the
        caller has `count_max` of them."""
        row = await self._database.row(
            _SQL["begin"], *place.values(), request_digest, attempt_id, seconds, count_max
        )
        return row is not None

    async def find(self, place: Place) -> Noted | None:
        """What is noted there, unless its time is over."""
        row = await self._database.row(_SQL["find"], *place.values())
        if row is None:
            return None
        return Noted(row["request_digest"], row["status"], row["sealed_answer"] or b"")

    async def finish(
        self, place: Place, attempt_id: uuid.UUID, status: int, sealed_answer: bytes
    ) -> None:
        """Keep the answer for repeats."""
        await self._database.row(_SQL["finish"], *place.values(), attempt_id, status, sealed_answer)

    async def abandon(self, place: Place, attempt_id: uuid.UUID) -> None:
        """Forget a request that changed nothing, so that it may be sent again."""
        await self._database.row(_SQL["abandon"], *place.values(), attempt_id)

    async def sweep(self, count_max: int) -> int:
        """Delete what is over; how many."""
        return len(await self._database.rows(_SQL["sweep"], count_max))
