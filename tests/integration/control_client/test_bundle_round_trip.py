"""A bundle's whole way: published at a real control plane, verified and run by a gateway's feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controlplane.services.signing_keys import BUNDLES
from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.control_client.bundles import BundleFeed
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.counters.local import LocalLimits
from gateway.decide.bundle import Bundle
from gateway.journey.judge import Judge, Ruleset
from gateway.journey.reservations import Reservations
from gateway.rulesets.keeper import RulesetKeeper
from gateway.rulesets.settings import RulesetSettings
from tests.support.bundles import MAPPER, fresh, policy, published
from tests.support.control_plane import Client, running_plane
from tests.support.database import connect_as, make_database
from tests.support.fake_world import FakeStops
from tests.support.fakes import FakeClock

SHIPPED = Canonicalizer.load([mappers_dir() / "stripe.yaml"])

SECONDS_MAX = 20.0


class Gateway:
    """What of a gateway has to do with bundles."""

    def __init__(
        self, client: ControlPlaneClient, settings: ControlSettings, home: Path, key: str
    ) -> None:
        clock = FakeClock()
        judge = Judge(
            Ruleset(SHIPPED, Bundle.empty()), FakeStops(), Reservations(LocalLimits(clock))
        )
        self.notes: list[tuple[str, str]] = []
        self.keeper = RulesetKeeper(judge, lambda event, detail: self.notes.append((event, detail)))
        self.feed = BundleFeed(
            client,
            settings,
            RulesetSettings(bundle_public_key=key),
            home / "bundle",
            "gw-round-trip",
            lambda: sorted(mappers_dir().glob("stripe.yaml")),
            clock,
        )

    @property
    def revision(self) -> str:
        return self.keeper.ruleset.bundle.revision

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(SECONDS_MAX):
            while not holds():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running_gateway(plane: Client, home: Path, key: str = "") -> AsyncIterator[Gateway]:
    """A gateway that follows the bundles of this control plane; `key` is the one it is given."""
    settings = ControlSettings(
        api_url=plane.url,
        api_key=plane.keys["gateway"],
        directory_pause_seconds=0.0,
        retry_seconds_max=0.2,
    )
    client = ControlPlaneClient(settings)
    gateway = Gateway(client, settings, home, key)
    await gateway.feed.start(gateway.keeper)
    try:
        yield gateway
    finally:
        await gateway.feed.stop()
        await client.close()


@pytest.fixture
async def world(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> AsyncIterator[tuple[Client, str]]:
    """A control plane on a database of its own, and the database's name."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path / "plane") as plane:
        yield plane, name


async def listed(plane: Client) -> dict[str, Any]:
    (one,) = (await plane.call("GET", "/v1/gateways")).body["gateways"]
    return dict(one)


async def until_listed(plane: Client, sequence: int) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS_MAX):
        while (one := await listed(plane))["sequence"] != sequence:
            await asyncio.sleep(0.01)
    return one


async def test_a_gateway_follows_publication_and_return(world: tuple[Client, str], tmp_path: Path):
    """What is published runs, what comes back runs again, and the list of gateways says so."""
    plane, _ = world
    first = await published(plane, policy(fresh()))
    async with running_gateway(plane, tmp_path) as gateway:
        assert gateway.revision == first["revision"]
        second = await published(plane, policy(fresh()))
        await gateway.until(lambda: gateway.revision == second["revision"])
        assert (await until_listed(plane, 2))["isUpToDate"]
        await plane.call("POST", "/v1/bundles/1/activate", {})
        await gateway.until(lambda: gateway.revision == first["revision"])
        assert (await until_listed(plane, 3))["revision"] == first["revision"]
        assert gateway.keeper.fault is None


async def test_a_gateway_that_was_there_first_takes_the_first_bundle(
    world: tuple[Client, str], tmp_path: Path
):
    """Started before anything was published, it decides by nothing, then by the first bundle."""
    plane, _ = world
    async with running_gateway(plane, tmp_path) as gateway:
        assert not gateway.keeper.ruleset.bundle.policies
        made = await published(plane, policy(fresh()))
        await gateway.until(lambda: gateway.revision == made["revision"])


async def test_the_bundles_mappers_are_used(world: tuple[Client, str], tmp_path: Path):
    """An action that only the bundle's mapper makes is made by the gateway."""
    plane, _ = world
    mappers = [{"name": "garden.yaml", "text": MAPPER}]
    await published(plane, policy(fresh(), action="plant_a_tree"), mappers=mappers)
    async with running_gateway(plane, tmp_path) as gateway:
        names = gateway.keeper.ruleset.canonicalizer.vocabulary()
    assert "plant_a_tree" in names.actions
    assert "garden" in names.providers


async def test_what_is_forged_in_the_database_never_runs(
    world: tuple[Client, str], postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """The owner of the tables puts a looser policy under the next number: the gateway keeps the
    good one, and stays behind in the list, where people see it."""
    plane, database = world
    good = await published(plane, policy(fresh()))
    async with running_gateway(plane, tmp_path) as gateway:
        connection = await connect_as(postgres_server, Role.OWNER, database)
        try:
            await connection.execute(
                "insert into bundles (tenant_id, sequence, revision, mappers_digest, payload, "
                "signature, key_id, created_by, created_at) select tenant_id, 2, revision, "
                "mappers_digest, replace(replace(payload, 'BLOCK', 'ALLOW'), '\"sequence\":1', "
                "'\"sequence\":2'), signature, key_id, created_by, created_at from bundles"
            )
        finally:
            await connection.close()
        await gateway.until(lambda: gateway.keeper.fault)
        assert "bundle.signature" in str(gateway.keeper.fault)
        assert gateway.revision == good["revision"]
        one = await listed(plane)
        assert (one["sequence"], one["isUpToDate"]) == (1, False)


async def test_a_new_key_is_not_trusted_by_itself(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """A control plane that lost its key signs by another one: the gateway keeps what it has, over
    a restart too, and says which keys differ, until somebody gives it the new key."""
    name = await asyncio.to_thread(make_database, postgres_server)
    home = tmp_path / "plane"
    async with running_plane(postgres_server, name, home) as plane:
        good = await published(plane, policy(fresh()))
        async with running_gateway(plane, tmp_path) as gateway:
            assert gateway.revision == good["revision"]
    (home / BUNDLES.file).unlink()
    async with running_plane(postgres_server, name, home) as plane:
        new = await published(plane, policy(fresh()))
        async with running_gateway(plane, tmp_path) as gateway:
            await gateway.until(lambda: gateway.keeper.fault)
            assert "bundle.key_changed" in str(gateway.keeper.fault)
            assert gateway.revision == good["revision"]
        key = (await plane.call("GET", "/v1/bundles/key", key="gateway")).body["publicKey"]
        async with running_gateway(plane, tmp_path, key) as gateway:
            assert gateway.revision == new["revision"]
            assert gateway.keeper.fault is None
