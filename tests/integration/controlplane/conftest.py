"""One Postgres for all of these tests; a control plane of its own database for each module."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.limits import LimitLedger
from tests.support.control_plane import BY_MESSAGE_ALONE, Client, running_plane
from tests.support.database import connect_as, everybodys, make_database
from tests.support.limit_calls import DatabaseClock, place_clock
from tests.support.reaching import QUICK, TO_LOOPBACK
from tests.support.receivers import Receiver, serving_receiver

__all__ = [
    "client",
    "clock",
    "data_dir",
    "key",
    "ledger",
    "superuser",
]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's control planes keep their keys."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
async def client(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Client]:
    """The module's control plane and its keys."""
    async with running_plane(postgres_server, database_name, data_dir) as found:
        yield found


@pytest.fixture
async def own_client(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Client]:
    """One for this test alone, which may break it, or count what it did."""
    async with running_plane(postgres_server, database_name, data_dir) as found:
        yield found


@pytest.fixture(scope="module")
async def told(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Client]:
    """The same, where whoever waits is told of a change or never hears of it."""
    at = (postgres_server, database_name, data_dir)
    async with running_plane(*at, BY_MESSAGE_ALONE) as found:
        yield found


@pytest.fixture
async def apart(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Client]:
    """A control plane of its own, without a channel, which may send to loopback."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path, QUICK, reaching=TO_LOOPBACK) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks."""
    async with serving_receiver() as found:
        yield found


@pytest.fixture
async def superuser(
    postgres_server: EmbeddedPostgres, database_name: str
) -> AsyncIterator[asyncpg.Connection]:
    """Whoever may do anything, with triggers out of the way."""
    connection = await connect_as(postgres_server, Role.SUPERUSER, database_name)
    await connection.execute("set session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
async def clock(
    postgres_server: EmbeddedPostgres, database_name: str
) -> AsyncIterator[DatabaseClock]:
    """The database's clock, standing at `NOW`."""
    placed = await place_clock(postgres_server, database_name)
    yield placed
    await placed.remove()


@pytest.fixture
def key() -> str:
    """A counter of this test's own."""
    return f"agent:{uuid.uuid4().hex}"


@pytest.fixture
def ledger(client: Client) -> LimitLedger:
    """The counters behind the control plane's back."""
    return LimitLedger(everybodys(client.plane.database), 3600)
