"""The table `acts`: what the control plane did, until it has its record in the log."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from controlplane.faults import ControlFault, Fault
from controlplane.store.database import Database
from controlplane.store.queries import load_queries
from gateway.model.codec import JsonValue

_SQL = load_queries("acts")

COMPARISON_SECONDS_MAX: Final = 60.0
"""All that was ever done is compared. After some months that takes longer than other statements
may, and an audit must not end there."""


@dataclass(frozen=True, slots=True)
class ActRow:
    """An act without a record. `act` is what the row of its table said when it was done."""

    act_seq: int
    event: str
    act: Mapping[str, JsonValue]
    at: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that its table does not bear out, or that tells of a rewritten row. `seq` None: a
    row has no record. `is_there` False: the row is gone."""

    seq: int | None
    event: str
    row_id: str
    is_there: bool


@contextmanager
def fitting() -> Iterator[None]:
    """Map what the database says where a hand was at the chain's head or its records.

    Raises:
        ControlFault: UNAVAILABLE: nothing is stored, and the acts wait.
    """
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise ControlFault(
            Fault.UNAVAILABLE, "the control plane's own records can't grow: their head was changed"
        ) from error


class ActStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._comparing = asyncio.Lock()

    async def tenants_behind(self, count_max: int) -> Sequence[uuid.UUID]:
        """Tenants with acts that have no record."""
        return [row[0] for row in await self._database.rows(_SQL["tenants_behind"], count_max)]

    async def pending(
        self, connection: Any, tenant_id: uuid.UUID, count_max: int
    ) -> Sequence[ActRow]:
        """The next acts without a record, in their order."""
        rows = await connection.fetch(_SQL["pending"], tenant_id, count_max)
        return [ActRow(row[0], row[1], json.loads(row[2]), row[3]) for row in rows]

    async def place(self, connection: Any, tenant_id: uuid.UUID, places: Mapping[int, int]) -> None:
        """Say which record each act has got: `seq` by `act_seq`."""
        await connection.execute(
            _SQL["place"], tenant_id, list(places.keys()), list(places.values())
        )

    async def differing(
        self, tenant_id: uuid.UUID, gateway_id: str, count_max: int
    ) -> Sequence[Difference]:
        """Where tables and records disagree, the oldest record first. One at a time: it may take
        `COMPARISON_SECONDS_MAX`, and a connection for as long."""
        async with self._comparing, self._database.transaction() as connection:
            milliseconds = str(int(COMPARISON_SECONDS_MAX * 1000))
            await connection.execute(_SQL["take_long"], milliseconds)
            rows = await connection.fetch(
                _SQL["differing"], tenant_id, gateway_id, count_max, timeout=COMPARISON_SECONDS_MAX
            )
        return [Difference(row[0], row[1], row[2] or "", row[3]) for row in rows]
