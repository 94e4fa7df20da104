"""One Postgres for all of these tests; a control plane of its own database for each module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import Client, running_plane
from tests.support.database import database_name, postgres_server

__all__ = ["client", "data_dir", "database_name", "postgres_server"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's control planes keep their keys."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
async def client(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Client]:
    """A running control plane and its keys."""
    async with running_plane(postgres_server, database_name, data_dir) as found:
        yield found
