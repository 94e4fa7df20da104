"""What people do and who rewrites it: each of these tests has a control plane to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import Client
from tests.support.database import make_database


@pytest.fixture
def database_name(postgres_server: EmbeddedPostgres) -> str:
    """A database for each test: some are rewritten, and stay so."""
    return make_database(postgres_server)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """With keys of its own."""
    return tmp_path


@pytest.fixture
async def client(own_client: Client) -> Client:
    """A control plane for each test."""
    return own_client
