"""What a gateway says to `/v1/limits`, and a database clock that stands where a test puts it."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Answer, Client
from tests.support.database import connect_as

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND


class DatabaseClock:
    """Stands in for the function by which the counters know the time. Other than a patch in this
    process, it holds for every control plane on the database."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.now = NOW

    async def set(self, now: int) -> None:
        """Put it there."""
        self.now = now
        await self._connection.execute("update test_clock set now = $1", now)

    async def advance(self, seconds: float) -> None:
        await self.set(self.now + int(seconds * SECOND))

    async def remove(self) -> None:
        """Let the true time run again."""
        await self._connection.execute(
            "create or replace function limits_now() returns bigint language sql volatile as "
            "'select floor(extract(epoch from clock_timestamp()) * 1000000)::bigint'"
        )
        await self._connection.close()


async def place_clock(server: EmbeddedPostgres, name: str) -> DatabaseClock:
    """Replace the clock of a test's database."""
    connection = await connect_as(server, Role.OWNER, name)
    await connection.execute("create table if not exists test_clock (now bigint)")
    await connection.execute("truncate test_clock")
    await connection.execute("insert into test_clock values ($1)", NOW)
    await connection.execute("grant select on test_clock to public")
    await connection.execute(
        "create or replace function limits_now() returns bigint language sql volatile as "
        "'select now from checkrein.test_clock'"
    )
    return DatabaseClock(connection)


def claim(key: str, **changes: Any) -> dict[str, Any]:
    """One of ten, in a sliding day that ends with `NOW`."""
    body = {
        "limit": "payments/refunds",
        "key": key,
        "amount": 1,
        "max": 10,
        "since": NOW - DAY,
        "windowSeconds": 86_400,
        "effect": "BLOCK",
        "mode": "enforce",
    }
    return {**body, **changes}


def demand(*claims: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The body of a reservation in flight at once, of an owner of its own."""
    body = {"owner": f"dec_{uuid.uuid4().hex}", "now": NOW, "lapsesAt": None}
    return {**body, "claims": list(claims), **changes}


def demand_at(now: int, *claims: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same by a gateway whose clock says `now`: its sliding windows end with that."""
    moved = [{**one, "since": one["since"] + now - NOW} for one in claims]
    return demand(*moved, now=now, **changes)


async def reserve(client: Client, body: dict[str, Any], key: str = "gateway") -> Answer:
    return await client.call("POST", "/v1/limits/reservations", body, key)


async def move(client: Client, token: str, what: str, key: str = "gateway") -> Answer:
    """`start`, `settle` or `release`."""
    return await client.call("POST", f"/v1/limits/reservations/{token}/{what}", {}, key)


async def read(client: Client, key: str, **changes: Any) -> int:
    """What a counter holds: asked for with a claim that can't be met, so that nothing is taken."""
    body = demand(claim(key, **{"amount": None, **changes}))
    return (await reserve(client, body)).body["readings"][0]["used"]


async def rows_of(server: EmbeddedPostgres, name: str, key: str) -> tuple[int, int, int]:
    """How many counters, uses and reservations there are of keys that begin with `key`."""
    connection = await connect_as(server, Role.OWNER, name)
    try:
        row = await connection.fetchrow(
            "select count(distinct c.counter_id), count(u.token), "
            "(select count(*) from limit_reservations where keys[1] like $1 || '%') "
            "from limit_counters c left join limit_uses u using (counter_id) "
            "where c.key like $1 || '%'",
            key,
        )
        return tuple(row)
    finally:
        await connection.close()
