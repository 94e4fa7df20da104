"""Makes the roles and their rights, and opens the database as the role that may do least.

Embedded: SUPERUSER makes OWNER (tables) and APPLICATION (the service), which log in on their own.
External: the URL's user owns the tables. If it may create roles, the service takes on
`checkrein_app` at every connection; else it runs as the owner, and append-only is held by the
triggers alone. A warning says so.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from controlplane.store.cluster import scram_verifier
from controlplane.store.database import (
    SCHEMA,
    Database,
    PoolSettings,
    open_database,
    try_to_connect,
)
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.endpoint import Endpoint
from controlplane.store.migrations import load_migrations, migrate, schema_lock
from controlplane.store.queries import load_queries

log = logging.getLogger(__name__)

DATABASE = "checkrein"

MIGRATION_SECONDS_MAX = 300.0
"""A migration of a large table takes long; a hung one must still end."""


async def open_embedded(
    server: EmbeddedPostgres, settings: PoolSettings, database: str = DATABASE
) -> Database:
    """Prepare roles, database and schema of a private server, and open it for the service."""
    superuser = server.endpoint(Role.SUPERUSER, "postgres")
    async with _connected(superuser, settings) as connection:
        for role in (Role.OWNER, Role.APPLICATION):
            password = server.endpoint(role, database).password
            await _make_login(connection, role, password)
        await _make_database(connection, database)
    owner = server.endpoint(Role.OWNER, database)
    async with _connected(owner, settings) as connection, schema_lock(connection):
        await migrate(connection, load_migrations())
        await grant(connection)
    return await open_database(server.endpoint(Role.APPLICATION, database), settings)


async def open_external(url: str, settings: PoolSettings) -> Database:
    """Bring a server of the operator's own to our schema, and open it."""
    endpoint = Endpoint(url=url)
    async with _connected(endpoint, settings) as connection, schema_lock(connection):
        await migrate(connection, load_migrations())
        role = await _make_application_role(connection)
        if role is not None:
            await grant(connection)
        else:
            log.warning(
                "the database's user can't create roles: the service runs as the owner of its "
                "tables, and only triggers keep its records from being changed"
            )
    return await open_database(endpoint, settings, set_role=role)


async def grant(connection: Any) -> None:
    """Give the service's role exactly the rights of `rights.sql`."""
    sql = load_queries("rights")["rights"].replace("{role}", Role.APPLICATION)
    async with connection.transaction():
        await connection.execute(f"set local search_path to {SCHEMA}")
        await connection.execute(sql)


@contextlib.asynccontextmanager
async def _connected(endpoint: Endpoint, settings: PoolSettings) -> AsyncIterator[Any]:
    async def attempt() -> Any:
        return await asyncpg.connect(
            **endpoint.arguments(),
            timeout=settings.connect_seconds_max,
            command_timeout=MIGRATION_SECONDS_MAX,
        )

    connection = await try_to_connect(attempt, settings)
    try:
        yield connection
    finally:
        await connection.close(timeout=settings.close_seconds_max)


async def _make_login(connection: Any, role: Role, password: str) -> None:
    """Create the role if missing, and give it the password that our files hold."""
    known = await connection.fetchval("select 1 from pg_roles where rolname = $1", role.value)
    verb = "alter" if known else "create"
    # Names are constants; the verifier is base64. Neither can break the statement.
    await connection.execute(
        f"{verb} role {role.value} login nosuperuser nocreaterole nocreatedb noreplication "
        f"password '{scram_verifier(password)}'"
    )


async def _make_database(connection: Any, name: str) -> None:
    if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
        await connection.execute(f'create database "{name}" owner {Role.OWNER.value}')
    await connection.execute(f'revoke all on database "{name}" from public')
    await connection.execute(f'grant connect on database "{name}" to {Role.APPLICATION.value}')


async def _make_application_role(connection: Any) -> str | None:
    """Let the URL's user take on the service's role; None where it isn't allowed to."""
    name = Role.APPLICATION.value
    try:
        if not await connection.fetchval("select 1 from pg_roles where rolname = $1", name):
            with contextlib.suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                await connection.execute(f"create role {name} nologin")
        if not await connection.fetchval("select pg_has_role($1, 'set')", name):
            await connection.execute(f"grant {name} to current_user")
        await connection.execute(f"set role {name}")
        await connection.execute("reset role")
    except asyncpg.InsufficientPrivilegeError:
        return None
    return name
