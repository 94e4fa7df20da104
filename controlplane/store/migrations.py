"""Brings a database forward to the newest schema: numbered files, once each, in order.

Safe under replicas that start together: an advisory lock lets one migrate while the others wait.
A migration that was applied is never edited; the file's digest is remembered to tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.faults import StartError
from controlplane.store.database import SCHEMA

FOLDER = Path(__file__).parent / "migrations"

LOCK_KEY = 0x0C4EC43E14
"""Any number that no other program uses in the same database."""

LOCK_SECONDS_MAX = 60.0
LOCK_POLL_SECONDS = 0.05

_FILE = re.compile(r"^(\d{4})_\w+\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Read the numbered files; numbers run from 1 without a gap."""
    found = []
    for file in sorted(folder.glob("*.sql")):
        match = _FILE.match(file.name)
        assert match, f"{file.name} is not named like 0001_first.sql"
        found.append(Migration(int(match[1]), file.stem, file.read_text(encoding="utf-8")))
    assert [one.version for one in found] == list(range(1, len(found) + 1))
    return tuple(found)


@contextlib.asynccontextmanager
async def schema_lock(connection: Any) -> AsyncIterator[None]:
    """Keep every other replica's start out while the block changes schema, roles and rights."""
    deadline = time.monotonic() + LOCK_SECONDS_MAX
    while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() > deadline:
            raise StartError(
                "store.migration_locked",
                "another control plane has been migrating this database for a minute",
                "wait until it is done, or end its session",
            )
        await asyncio.sleep(LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK_KEY)


async def migrate(connection: Any, migrations: tuple[Migration, ...]) -> int:
    """Apply what is missing, as the owner, under `schema_lock`; return how many were applied.

    Raises:
        StartError: the database is newer than this program, or a migration was edited.
    """
    await connection.execute(f"create schema if not exists {SCHEMA}")
    await connection.execute(f"set search_path to {SCHEMA}")
    await connection.execute(
        "create table if not exists schema_migrations (version integer primary key, "
        "name text not null, digest text not null, applied_at timestamptz default now())"
    )
    rows = await connection.fetch("select version, digest from schema_migrations")
    applied = {row["version"]: row["digest"] for row in rows}
    _check_applied(applied, migrations)
    missing = [one for one in migrations if one.version not in applied]
    for one in missing:
        async with connection.transaction():
            # The wall between tenants holds the owner too, and a migration is of all of them.
            await connection.execute("select set_config('checkrein.tenant', '*', true)")
            await connection.execute(one.sql)
            await connection.execute(
                "insert into schema_migrations (version, name, digest) values ($1, $2, $3)",
                one.version,
                one.name,
                one.digest,
            )
    return len(missing)


def _check_applied(applied: dict[int, str], migrations: tuple[Migration, ...]) -> None:
    known = {one.version: one for one in migrations}
    for version, digest in sorted(applied.items()):
        if version not in known:
            raise StartError(
                "store.newer",
                f"this database was migrated by a newer Checkrein (schema {version})",
                "start that version; a schema never goes back",
            )
        if known[version].digest != digest:
            raise StartError(
                "store.edited_migration",
                f"migration `{known[version].name}` is not the one that was applied",
                "install an unchanged release",
            )
