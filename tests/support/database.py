"""A real embedded Postgres for a test session, and databases of ours in it.

The server is started once, and migrated once; a database is a copy of that, and goes with the test
module that made it. `tests/conftest.py` has the fixtures.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from controlplane.store.database import Database, PoolSettings
from controlplane.store.embedded import EmbeddedPostgres, PostgresSettings, Role
from controlplane.store.roles import open_embedded
from controlplane.store.tenancy import acting_for_everybody

POOL = PoolSettings(
    connection_count_max=10,
    acquire_seconds_max=20.0,
    statement_seconds_max=20.0,
    start_attempts_max=2,
    start_pause_seconds=0.05,
)
"""As in production, but patient: hundreds of racers on a busy machine are to end in one state, and
not in the 503 that a full pool gives, which has tests of its own (`trouble_world`)."""

_numbers = itertools.count(1)
_made: list[tuple[EmbeddedPostgres, str]] = []


@contextmanager
def serving(home: Path) -> Iterator[EmbeddedPostgres]:
    """A server in this folder, whose files are removed after it."""
    settings = PostgresSettings(connection_count_max=100)
    server = EmbeddedPostgres(home / "postgres", home / "postgres.log", settings)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())
    shutil.rmtree(home)


def make_database(server: EmbeddedPostgres) -> str:
    """Make a database with our schema; its name."""
    name, template = f"test_{next(_numbers)}", _template(server)

    async def make() -> None:
        await _at_the_server(
            server, f"create database {name} owner {Role.OWNER.value} template {template}"
        )
        # A copy has the tables, and none of the rights on the database as a whole.
        await (await open_embedded(server, POOL, name)).close()

    _made.append((server, name))
    asyncio.run(make())
    return name


def drop_databases() -> None:
    """Drop all that were made since the last call: two hundred of them would fill a disk."""
    while _made:
        server, name = _made.pop()
        asyncio.run(_at_the_server(server, f"drop database if exists {name} with (force)"))


async def _at_the_server(server: EmbeddedPostgres, statement: str) -> None:
    superuser = server.endpoint(Role.SUPERUSER, "postgres")
    connection = await asyncpg.connect(**superuser.arguments())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@cache
def _template(server: EmbeddedPostgres) -> str:
    """A migrated database that nobody uses, once a server: to copy it takes a third of the time."""
    name = "migrated"

    async def make() -> None:
        await (await open_embedded(server, POOL, name)).close()

    asyncio.run(make())
    return name


class EverybodysDatabase(Database):
    """A database for tests that call stores by themselves: no wall between tenants."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        with acting_for_everybody():
            async with super().connection() as borrowed:
                yield borrowed


def everybodys(database: Database | None) -> Database:
    """The same pool, beside the wall."""
    assert database is not None
    return EverybodysDatabase(database._pool, POOL)


async def open_test_database(server: EmbeddedPostgres, name: str) -> Database:
    """The database as the service's sweepers see it; close it in the same test."""
    return everybodys(await open_embedded(server, POOL, name))


async def connect_as(server: EmbeddedPostgres, role: Role, name: str) -> asyncpg.Connection:
    """A bare connection, to look behind the service's back."""
    return await asyncpg.connect(
        **server.endpoint(role, name).arguments(),
        server_settings={"search_path": "checkrein", "checkrein.tenant": "*"},
    )


def url_of(server: EmbeddedPostgres, role: Role, name: str) -> str:
    """The same as an operator would write it in CHECKREIN_DATABASE_URL."""
    at = server.endpoint(role, name)
    return f"postgresql://{at.user}:{at.password}@/{name}?host={at.host}&port={at.port}"
