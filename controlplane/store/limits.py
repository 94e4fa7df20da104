"""The counters of limits in Postgres: durable, exact among all replicas, by the database's clock.

The work is done by functions of the schema (`migrations/0002_limits_and_stops.sql`). What was taken
is on disk before the answer; what is given back may follow, since a crash then only counts more.

Redis has no part in this, also where it is set and wakes waiters. What it counted would have to be
on this disk as well before the answer, or its loss would let something through twice; and then
there are two truths, with a fence between them for every failover and eviction. What that could
save at the most, `python -m tests.benchmarks.limits` shows as rows without a counter: a part of a
busy counter's time, whose commits are shared here already, and next to nothing of a call by HTTP.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.store.database import Database, Row
from controlplane.store.gathering import Gathering
from controlplane.store.queries import load_queries

_SQL = load_queries("limits")

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request takes of one limit for one key. `amount` is None where it could not be read.
    `since` is the beginning of the window by the gateway's clock; `blocks` says that nothing may
    be taken where this one is exceeded."""

    limit: str
    key: str
    amount: int | None
    max: int
    since: int
    window_seconds: int
    blocks: bool


@dataclass(frozen=True, slots=True)
class Demand:
    """All that one request takes. `now` and `lapses_at` are by the gateway's clock, microseconds
    since the Unix epoch, UTC."""

    tenant_id: uuid.UUID
    owner: str
    now: int
    lapses_at: int | None
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a counter held before the claim."""

    limit: str
    key: str
    used: int
    is_exceeded: bool


@dataclass(frozen=True, slots=True)
class Reservation:
    """`token` is None where nothing was taken."""

    token: uuid.UUID | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class CounterRow:
    """A counter at its last change: `used` after `since`, of which `held` may still lapse."""

    counter_id: int
    limit: str
    key: str
    used: int
    held: int
    since: int
    changed_at: int


class LimitLedger:
    """`flight_seconds_max`: when a reservation in flight, whose gateway never said what became of
    it, counts as settled."""

    def __init__(self, database: Database, flight_seconds_max: int) -> None:
        self._database = database
        self._flight = flight_seconds_max * MICROSECONDS
        self._reserving = Gathering(
            self._reserve, weigh=lambda demand: len(demand.claims), batch_weight_max=128
        )
        self._settling = Gathering(self._settle)

    async def reserve(self, demand: Demand) -> Reservation:
        """Read every counter and take all or nothing."""
        return await self._reserving.add(demand)

    async def _reserve(self, demands: Sequence[Demand]) -> Sequence[Reservation]:
        """One demand after the other in one transaction, under the locks of them all."""
        if len(demands) == 1:
            row = await self._database.row(_SQL["reserve"], *self._values(demands[0]))
            assert row is not None
            return [_reservation(row)]
        counters = [(one.tenant_id, each) for one in demands for each in one.claims]
        async with self._database.transaction() as connection:
            await connection.execute(
                _SQL["lock"],
                [tenant_id for tenant_id, _ in counters],
                [claim.limit for _, claim in counters],
                [claim.key for _, claim in counters],
                [one.tenant_id for one in demands],
                [one.owner for one in demands],
            )
            rows = await connection.fetchmany(_SQL["reserve"], list(map(self._values, demands)))
        return [_reservation(row) for row in rows]

    def _values(self, demand: Demand) -> tuple[object, ...]:
        claims = demand.claims
        return (
            demand.tenant_id,
            demand.owner,
            uuid.uuid4(),
            demand.now,
            demand.lapses_at,
            self._flight,
            [claim.limit for claim in claims],
            [claim.key for claim in claims],
            [claim.amount for claim in claims],
            [claim.max for claim in claims],
            [claim.since for claim in claims],
            [claim.window_seconds for claim in claims],
            [claim.blocks for claim in claims],
        )

    async def start(self, tenant_id: uuid.UUID, token: uuid.UUID) -> bool:
        """Put it in flight; False when it is not held."""
        row = await self._database.row(_SQL["start"], tenant_id, token, self._flight)
        assert row is not None
        return bool(row["started"])

    async def settle(self, tenant_id: uuid.UUID, token: uuid.UUID) -> None:
        """Let it count until its windows are over."""
        await self._settling.add((tenant_id, token))

    async def _settle(self, tokens: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> Sequence[None]:
        if len(tokens) == 1:
            await self._database.row(_SQL["settle"], *tokens[0], True)
            return [None]
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["lock_open"], *map(list, zip(*tokens, strict=True)))
            calls = [(*token, False) for token in tokens]
            rows = await connection.fetchmany(_SQL["settle"], calls)
            if not any(row["needs_disk"] for row in rows):
                await connection.execute(_SQL["leave_to_the_disk"])
        return [None] * len(tokens)

    async def release(self, tenant_id: uuid.UUID, token: uuid.UUID) -> None:
        """Give back what it took."""
        await self._database.row(_SQL["release"], tenant_id, token)

    async def sweep(self, counter_count_max: int, use_count_max: int) -> int:
        """Remove what can count no longer; how many rows."""
        row = await self._database.row(_SQL["sweep"], counter_count_max, use_count_max)
        assert row is not None
        return int(row["count"])

    async def full_tenants(self, use_count_max: int) -> frozenset[uuid.UUID]:
        """Tenants of whom so much is stored that no more may come."""
        rows = await self._database.rows(_SQL["full_tenants"], use_count_max)
        return frozenset(row["tenant_id"] for row in rows)

    async def list(
        self,
        tenant_id: uuid.UUID,
        limit: str | None,
        key: str | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[CounterRow]:
        """Counters in force, newest first; `before` is the `counter_id` of the last one seen."""
        rows = await self._database.rows(_SQL["list"], tenant_id, limit, key, before, count_max)
        return [
            CounterRow(
                row["counter_id"],
                row["limit_name"],
                row["key"],
                row["used"],
                row["held"],
                row["counted_since"],
                row["changed_at"],
            )
            for row in rows
        ]


def _reservation(row: Row) -> Reservation:
    columns = (row["limits"], row["keys"], row["used"], row["exceeded"])
    readings = tuple(Reading(*values) for values in zip(*columns, strict=True))
    return Reservation(row["token"], readings)
