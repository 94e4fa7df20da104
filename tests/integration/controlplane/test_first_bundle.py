"""The operator's files become a tenant's first bundle at the first start, and only then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlplane.faults import StartError
from controlplane.services.policies.bundles import BundleService
from controlplane.services.policies.first_bundle import publish_first_bundle
from controlplane.services.policies.mirror import PolicyMirror
from controlplane.services.signing_keys import load_signing_key
from controlplane.services.waiting import WaitingRoom, WaitingSettings
from controlplane.settings import BundleFilesSettings
from controlplane.store.bundles import BundleStore
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.policies import PolicyStore
from gateway.content import policies_dir
from tests.support.bundles import MAPPER, current, policy, published
from tests.support.control_plane import running_plane
from tests.support.database import connect_as, everybodys, make_database
from tests.support.silent_bus import SilentBus


@pytest.fixture
def files(tmp_path: Path) -> BundleFilesSettings:
    """A folder with a policy and its cases, and a mapper; the policy needs the mapper."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "trees.yaml").write_text(policy("trees", action="plant_a_tree"))
    (tmp_path / "p" / "trees.cases.yaml").write_text("cases: []")
    (tmp_path / "garden.yaml").write_text(MAPPER)
    return BundleFilesSettings(None, (tmp_path / "p",), (tmp_path / "garden.yaml",))


async def test_the_first_start_publishes_and_the_next_does_not(
    postgres_server: EmbeddedPostgres, tmp_path: Path, files: BundleFilesSettings
):
    """What somebody published since then is never replaced by the files."""
    name = await asyncio.to_thread(make_database, postgres_server)
    data_dir = tmp_path / "data"
    async with running_plane(postgres_server, name, data_dir, bundles=files) as client:
        listed = (await client.call("GET", "/v1/bundles")).body["bundles"]
        assert [(one["sequence"], one["createdBy"]) for one in listed] == [(1, "bootstrap")]
        shown = (await client.call("GET", "/v1/bundles/1")).body["bundle"]
        assert [one["name"] for one in shown["documents"]] == ["trees.yaml"]
        assert [one["name"] for one in shown["mappers"]] == ["garden.yaml"]
        await published(client, policy("other"))
    async with running_plane(postgres_server, name, data_dir, bundles=files) as client:
        assert (await current(client)).body["sequence"] == 2


async def test_of_replicas_that_start_at_once_one_publishes(
    postgres_server: EmbeddedPostgres, tmp_path: Path, files: BundleFilesSettings
):
    """One bundle, one number, however many found that there was none."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as client:
        database, started = everybodys(client.plane.database), client.plane.bootstrapped
        assert started is not None
        key = load_signing_key(tmp_path, None)
        room = WaitingRoom(SilentBus(), client.plane.metrics, WaitingSettings())
        mirror = PolicyMirror(PolicyStore(database))
        services = [
            BundleService(BundleStore(database), SilentBus(), room, key, mirror) for _ in range(4)
        ]
        await asyncio.gather(
            *(
                publish_first_bundle(
                    service, started.tenant_id, files.first_policies, files.first_mappers
                )
                for service in services
            )
        )
        listed = (await client.call("GET", "/v1/bundles")).body["bundles"]
    assert [one["sequence"] for one in listed] == [1]


async def test_the_shipped_policies_can_be_the_first_bundle(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """What travels with the product passes the same check as anybody's files."""
    name = await asyncio.to_thread(make_database, postgres_server)
    shipped = BundleFilesSettings(None, (policies_dir(),))
    async with running_plane(postgres_server, name, tmp_path, bundles=shipped) as client:
        assert (await current(client)).body["sequence"] == 1


BAD = {
    "a wrong policy": ({"a.yaml": "kind: Pony"}, "a.yaml"),
    "a name that no bundle can carry": ({"my policy.yaml": policy("x")}, "my policy.yaml"),
    "an action that nothing makes": ({"a.yaml": policy("x", action="plant_a_tree")}, "a.yaml:"),
    "nothing at all": ({}, "there is no policy"),
}


@pytest.mark.parametrize("name", BAD)
async def test_files_that_cannot_be_published_end_the_start(
    postgres_server: EmbeddedPostgres, database_name: str, tmp_path: Path, name: str
):
    """A control plane that would leave its gateways without policies says so instead."""
    files, words = BAD[name]
    folder = tmp_path / "p"
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    settings = BundleFilesSettings(None, (folder,))
    with pytest.raises(StartError) as caught:
        async with running_plane(postgres_server, database_name, tmp_path, bundles=settings):
            pass
    assert caught.value.code == "bundle.first"
    assert words in caught.value.message
    assert "CHECKREIN_BOOTSTRAP_POLICIES" in caught.value.help


async def test_a_bundle_from_before_there_were_policies_becomes_some(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """At the next start, as versions that are active; and never twice."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as client:
        await published(client, policy("old"), policy("older"))
    owner = await connect_as(postgres_server, Role.SUPERUSER, name)
    await owner.execute(
        "begin; set local session_replication_role = replica; delete from policy_rules; "
        "delete from policy_versions; delete from policies; commit"
    )
    await owner.close()
    for _ in range(2):
        async with running_plane(postgres_server, name, tmp_path) as client:
            listed = (await client.call("GET", "/v1/policies")).body["policies"]
            found = sorted((one["name"], one["status"], one["version"]) for one in listed)
            assert found == [("old", "ACTIVE", 1), ("older", "ACTIVE", 1)]
            assert (await current(client)).body["sequence"] == 1
