"""A real control plane for the gateway's client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from tests.support.control_plane import Client, running_plane
from tests.support.database import database_name, postgres_server

__all__ = ["database_name", "postgres_server"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's control planes keep their keys."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
async def plane(
    postgres_server: EmbeddedPostgres, database_name: str, home: Path
) -> AsyncIterator[Client]:
    """A running control plane and its keys."""
    async with running_plane(postgres_server, database_name, home) as found:
        yield found


@pytest.fixture
def control_settings(plane: Client) -> ControlSettings:
    """The gateway's settings for it."""
    return ControlSettings(
        api_url=plane.url,
        api_key=plane.keys["gateway"],
        ship_gather_seconds=0.0,
        directory_pause_seconds=0.0,
    )


@pytest.fixture
async def client(control_settings: ControlSettings) -> AsyncIterator[ControlPlaneClient]:
    """The gateway's client of it."""
    client = ControlPlaneClient(control_settings)
    yield client
    await client.close()
