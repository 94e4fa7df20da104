"""A real control plane for the gateway's client, and a scripted one that publishes bundles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.decide.envelope import public_key_text
from tests.support.bundle_feed import SIGNER, content_of, sealed
from tests.support.control_plane import Client, running_plane
from tests.support.fake_control_plane import FakeControlPlane, fake_control_plane


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's control planes keep their keys."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
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


@pytest.fixture
async def publisher() -> AsyncIterator[FakeControlPlane]:
    """A scripted control plane whose current bundle is the fifth."""
    async with fake_control_plane() as fake:
        fake.bundle_key = public_key_text(SIGNER.public_key())
        fake.set_bundle(5, sealed(content_of(5)))
        yield fake
