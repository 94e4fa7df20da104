"""What was published stays: going back, keys that changed, and a database that refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.bundles import body, current, fresh, policy, published
from tests.support.control_plane import Client, running_plane
from tests.support.database import connect_as, make_database
from tests.support.tenants import make_key, make_tenant


@pytest.fixture
async def empty(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> AsyncIterator[tuple[Client, str]]:
    """A control plane on a database of its own, and the database's name."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as client:
        yield client, name


# --- going back -----------------------------------------------------------------------------------


async def test_an_older_bundle_comes_back_under_a_new_number(client: Client):
    """The files are the old ones; history stays as it was."""
    old = await published(client, policy(fresh()))
    new = await published(client, policy(fresh()))
    path = f"/v1/bundles/{old['sequence']}"
    answer = await client.call("POST", f"{path}/activate", {})
    assert answer.status == 201
    back = answer.body["bundle"]
    assert (back["sequence"], back["revision"]) == (new["sequence"] + 1, old["revision"])
    assert back["comment"] == f"bundle {old['sequence']} again"
    shown = (await client.call("GET", f"/v1/bundles/{back['sequence']}")).body["bundle"]
    before = (await client.call("GET", path)).body["bundle"]
    assert shown["documents"] == before["documents"]
    assert (shown["isVerified"], before["isVerified"]) == (True, True)
    again = await client.call("POST", f"{path}/activate", {"comment": "once more"})
    assert (again.status, again.body["isNew"]) == (200, False)
    assert (await client.call("POST", "/v1/bundles/999999/activate", {})).status == 404


async def test_what_another_key_signed_is_not_signed_again(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """After a new key nothing vouches for the old rows: their files are not shown, they can't be
    activated; the same files published again are a new bundle under the new key."""
    name = await asyncio.to_thread(make_database, postgres_server)
    text = policy(fresh())
    async with running_plane(postgres_server, name, tmp_path) as client:
        old = await published(client, text)
    (tmp_path / "bundle-key.pem").unlink()
    async with running_plane(postgres_server, name, tmp_path) as client:
        shown = (await client.call("GET", "/v1/bundles/1")).body["bundle"]
        assert (shown["isVerified"], shown["documents"]) == (False, None)
        answer = await client.call("POST", "/v1/bundles/1/activate", {})
        assert (answer.status, answer.code) == (409, "BUNDLE_UNVERIFIED")
        new = await published(client, text)
    assert (new["sequence"], new["revision"]) == (2, old["revision"])
    assert new["keyId"] != old["keyId"]


async def test_a_row_that_was_forged_in_the_database_is_not_signed(
    empty: tuple[Client, str], postgres_server: EmbeddedPostgres
):
    """Who can write into the database, but has no key, can't make a gateway run anything: what
    they put there does not verify, and activation refuses it."""
    client, database = empty
    await published(client, policy(fresh()))
    connection = await connect_as(postgres_server, Role.OWNER, database)
    try:
        await connection.execute(
            "insert into bundles (tenant_id, sequence, revision, mappers_digest, payload, "
            "signature, key_id, created_by, created_at) select tenant_id, 2, revision, "
            "mappers_digest, replace(payload, 'BLOCK', 'ALLOW'), signature, key_id, created_by, "
            "created_at from bundles"
        )
    finally:
        await connection.close()
    answer = await client.call("POST", "/v1/bundles/2/activate", {})
    assert (answer.status, answer.code) == (409, "BUNDLE_UNVERIFIED")


# --- the database ---------------------------------------------------------------------------------


async def test_two_replicas_publish_at_once_without_a_gap(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """Ten publications through two control planes are the numbers 1 to 10, each once."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with (
        running_plane(postgres_server, name, tmp_path) as one,
        running_plane(postgres_server, name, tmp_path) as two,
    ):
        made = await asyncio.gather(
            *(published(client, policy(fresh())) for _ in range(5) for client in (one, two))
        )
        listed = (await two.call("GET", "/v1/bundles")).body["bundles"]
    assert sorted(bundle["sequence"] for bundle in made) == list(range(1, 11))
    assert [bundle["sequence"] for bundle in listed] == list(range(10, 0, -1))
    assert len({bundle["keyId"] for bundle in made}) == 1


TAMPERING = {
    "a text is changed": "update bundles set payload = 'x'",
    "a row is deleted": "delete from bundles",
    "all rows are cut": "truncate bundles",
    "a number is left out": (
        "insert into bundles select tenant_id, sequence + 2, revision, mappers_digest, payload, "
        "signature, key_id, created_by, comment, created_at from bundles order by sequence desc "
        "limit 1"
    ),
    "a number is put before the first": (
        "insert into bundles select tenant_id, 0, revision, mappers_digest, payload, signature, "
        "key_id, created_by, comment, created_at from bundles limit 1"
    ),
}


@pytest.mark.parametrize("role", [Role.APPLICATION, Role.OWNER])
@pytest.mark.parametrize("name", TAMPERING)
async def test_the_database_refuses_to_change_history(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str, name: str, role: Role
):
    """Neither the service's role nor the owner of the tables gets it through."""
    await published(client, policy(fresh()))
    connection = await connect_as(postgres_server, role, database_name)
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)):
            await connection.execute(TAMPERING[name])
    finally:
        await connection.close()


async def test_another_tenants_bundles_are_nowhere(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Theirs begin at 1, ours are 404 for them on every route, and their publication wakes and
    changes nothing of ours."""
    ours = await published(client, policy(fresh()))
    await current(client, "?gatewayId=ours")
    tenant = await make_tenant(postgres_server, database_name)
    admin, gateway = [
        await make_key(postgres_server, database_name, [permission], tenant=tenant)
        for permission in ("Admin", "Gateway")
    ]
    assert (await current(client, key=gateway)).code == "BUNDLE_NONE"
    assert (await client.call("GET", "/v1/bundles", key=admin)).body["bundles"] == []
    assert (await client.call("GET", "/v1/gateways", key=admin)).body["gateways"] == []
    path = f"/v1/bundles/{ours['sequence']}"
    assert (await client.call("GET", path, key=admin)).status == 404
    assert (await client.call("POST", f"{path}/activate", {}, admin)).status == 404
    theirs = await client.call("POST", "/v1/bundles", body(policy(fresh())), admin)
    assert theirs.body["bundle"]["sequence"] == 1
    assert (await current(client)).body["sequence"] == ours["sequence"]
