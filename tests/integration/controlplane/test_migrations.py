"""Schema and roles: forward only, once, and refused when they can't be ours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from controlplane.faults import StartError
from controlplane.store.database import PoolSettings
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.migrations import Migration, load_migrations, migrate, schema_lock
from controlplane.store.roles import open_external
from tests.support.database import POOL, connect_as, make_database, url_of


@pytest.fixture
async def owner(postgres_server: EmbeddedPostgres):
    """A connection of the owner to a fresh database."""
    name = await asyncio.to_thread(make_database, postgres_server)
    connection = await connect_as(postgres_server, Role.OWNER, name)
    yield connection
    await connection.close()


async def test_what_is_applied_is_not_applied_again(owner: asyncpg.Connection):
    """A second start changes nothing; a later file is applied alone."""
    known = load_migrations()
    assert await migrate(owner, known) == 0
    later = Migration(len(known) + 1, "later", "create table later (x int)")
    assert await migrate(owner, (*known, later)) == 1
    assert await migrate(owner, (*known, later)) == 0


async def test_a_failing_migration_leaves_nothing_of_itself(owner: asyncpg.Connection):
    """Statements before the bad one are undone, and the next start tries again."""
    known = load_migrations()
    broken = Migration(len(known) + 1, "broken", "create table half (x int); select nonsense")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(owner, (*known, broken))
    assert await owner.fetchval("select to_regclass('checkrein.half')") is None
    assert await migrate(owner, known) == 0


async def test_a_newer_database_is_refused(owner: asyncpg.Connection):
    """An old release must not write into a schema that it does not know."""
    known = load_migrations()
    later = Migration(len(known) + 1, "later", "select 1")
    await migrate(owner, (*known, later))
    with pytest.raises(StartError, match="newer"):
        await migrate(owner, known)


async def test_an_edited_migration_is_refused(owner: asyncpg.Connection):
    """The schema on disk is not the one that the file describes."""
    first, *rest = load_migrations()
    edited = Migration(first.version, first.name, first.sql + "-- edited")
    with pytest.raises(StartError, match="not the one"):
        await migrate(owner, (edited, *rest))


async def test_the_lock_lets_one_in_at_a_time(
    owner: asyncpg.Connection, postgres_server: EmbeddedPostgres
):
    """The second waits until the first is out."""
    name = await owner.fetchval("select current_database()")
    second = await connect_as(postgres_server, Role.OWNER, name)
    order: list[str] = []

    async def enter(connection: asyncpg.Connection, who: str) -> None:
        async with schema_lock(connection):
            order.append(f"{who} in")
            await connection.fetchval("select pg_sleep(0.1)")
            order.append(f"{who} out")

    try:
        await asyncio.gather(enter(owner, "a"), enter(second, "b"))
    finally:
        await second.close()
    assert order in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])


async def test_an_external_server_with_a_capable_user_gets_the_weaker_role(
    postgres_server: EmbeddedPostgres,
):
    """The service's own connections can't change records, though the URL's user could."""
    name = await asyncio.to_thread(make_database, postgres_server)
    database = await open_external(url_of(postgres_server, Role.SUPERUSER, name), POOL)
    try:
        row = await database.row("select current_user as name")
        assert row["name"] == Role.APPLICATION
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.row("delete from records returning 1")
    finally:
        await database.close()


async def test_an_external_user_who_may_not_make_roles_is_warned_of(
    postgres_server: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
):
    """The service works, the triggers stand, and the log says what is weaker."""
    name = await asyncio.to_thread(make_database, postgres_server)
    database = await open_external(url_of(postgres_server, Role.OWNER, name), POOL)
    try:
        assert "only triggers" in caplog.text
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await database.row("truncate records")
    finally:
        await database.close()


BAD_URLS = {
    "a wrong password": ("postgresql://checkrein_owner:wrong@/{name}?host={host}", "refuses"),
    "no such database": ("postgresql://{user}:{password}@/nowhere?host={host}", "refuses"),
    "no server": ("postgresql://u:p@/d?host={tmp}", "no connection"),
    "no URL": ("postgresql://[::1", "not a PostgreSQL URL"),
}


@pytest.mark.parametrize("case", BAD_URLS)
async def test_a_database_that_can_not_be_used_is_told_without_its_password(
    postgres_server: EmbeddedPostgres, database_name: str, tmp_path: Path, case: str
):
    """One sentence, and what to check."""
    form, reason = BAD_URLS[case]
    at = postgres_server.endpoint(Role.SUPERUSER, database_name)
    url = form.format(
        name=database_name, host=at.host, user=at.user, password=at.password, tmp=tmp_path
    )
    quick = PoolSettings(start_attempts_max=2, start_pause_seconds=0.01)
    with pytest.raises(StartError, match=reason) as caught:
        await open_external(url, quick)
    assert at.password not in str(caught.value)
    assert "wrong" not in caught.value.message
