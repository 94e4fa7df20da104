"""Gateways wait for bundles and say what they run; the list of them tells people."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.bundles import current, fresh, policy, published
from tests.support.control_plane import Client, running_plane
from tests.support.database import connect_as, make_database


async def waiting_count(client: Client) -> float:
    return float(client.plane.metrics.waiting.collect()[0].samples[0].value)


async def until_waiting(client: Client) -> None:
    while await waiting_count(client) < 1:
        await asyncio.sleep(0.005)


async def test_a_waiting_gateway_of_another_replica_is_answered_by_a_publication(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """The long poll hangs at one control plane, the publication comes through the other."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with (
        running_plane(postgres_server, name, tmp_path) as one,
        running_plane(postgres_server, name, tmp_path) as two,
    ):
        waiting = asyncio.create_task(current(one, "?waitSeconds=25"))
        await until_waiting(one)
        first = await published(two, policy(fresh()))
        got = (await waiting).body
        assert got["sequence"] == first["sequence"]
        waiting = asyncio.create_task(current(one, f"?waitSeconds=25&sequence={got['sequence']}"))
        await until_waiting(one)
        second = await published(two, policy(fresh()))
        assert (await waiting).body["sequence"] == second["sequence"]


async def test_who_has_the_current_one_gets_no_payload(client: Client):
    """Nothing is sent again; an unknown number gets the current one, higher or lower."""
    made = await published(client, policy(fresh()))
    number = made["sequence"]
    same = (await current(client, f"?sequence={number}&waitSeconds=0.05")).body
    assert same == {"sequence": number, "payload": None, "signature": None, "keyId": None}
    for other in (number - 1, number + 1):
        got = (await current(client, f"?sequence={other}&waitSeconds=20")).body
        assert got["sequence"] == number
        assert got["payload"] is not None


async def gateway_in_list(client: Client, name: str) -> dict[str, Any]:
    listed = (await client.call("GET", "/v1/gateways")).body["gateways"]
    return dict(next(one for one in listed if one["gatewayId"] == name))


async def test_the_list_of_gateways_says_what_each_runs(client: Client):
    """Up to date, behind, and one that has nothing yet."""
    old = await published(client, policy(fresh()))
    new = await published(client, policy(fresh()))
    for name, sequence, running in (
        ("gw-new", new["sequence"], new["revision"]),
        ("gw-old", old["sequence"], old["revision"]),
        ("gw-empty", 0, None),
    ):
        query = f"?gatewayId={name}&sequence={sequence}"
        await current(client, query + (f"&running={running}" if running else ""))
    answer = (await client.call("GET", "/v1/gateways")).body
    assert answer["current"] == {"sequence": new["sequence"], "revision": new["revision"]}
    found = {one["gatewayId"]: one for one in answer["gateways"]}
    assert {name: found[name]["isUpToDate"] for name in found if name.startswith("gw-")} == {
        "gw-new": True, "gw-old": False, "gw-empty": False,
    }  # fmt: skip
    assert found["gw-empty"]["revision"] is None
    since = found["gw-old"]["runningSince"]
    await current(client, f"?gatewayId=gw-old&sequence={new['sequence']}&running={new['revision']}")
    moved = await gateway_in_list(client, "gw-old")
    assert moved["isUpToDate"]
    assert moved["runningSince"] > since


async def test_a_gateway_that_says_the_same_again_is_not_written_again(client: Client):
    """A poll in a tight loop is one write; a change is one more."""
    made = await published(client, policy(fresh()))
    query = f"?gatewayId=gw-loop&sequence={made['sequence']}&running={made['revision']}"
    await current(client, query)
    before = await gateway_in_list(client, "gw-loop")
    for _ in range(5):
        await current(client, query)
    assert await gateway_in_list(client, "gw-loop") == before
    await current(client, "?gatewayId=gw-loop")
    assert (await gateway_in_list(client, "gw-loop"))["sequence"] == 0


BAD_POLLS = {
    "a negative number": "?sequence=-1",
    "a number beyond all": "?sequence=99999999999999999999",
    "a revision that is none": "?gatewayId=g&running=latest",
    "no name": "?gatewayId=",
    "a name that is a book": f"?gatewayId={'x' * 300}",
    "for ever": "?waitSeconds=inf",
    "a parameter twice": "?sequence=1&sequence=2",
    "a parameter that is not known": "?tenant=x",
}


@pytest.mark.parametrize("name", BAD_POLLS)
async def test_a_bad_poll_is_refused(client: Client, name: str):
    """422, and nothing is noted."""
    answer = await current(client, BAD_POLLS[name])
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")


@pytest.mark.parametrize("number", ["0", "x", "-1", "1.0", "٣", "9" * 30, "current2"])
async def test_what_is_no_number_names_nothing(client: Client, number: str):
    """404 as for a number that is not there."""
    assert (await client.call("GET", f"/v1/bundles/{number}")).status == 404


async def test_a_full_table_of_gateways_refuses_no_bundle(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """Beyond the limit a new gateway is not listed, is answered, and the known stay noted."""
    made = await published(client, policy(fresh()))
    await current(client, "?gatewayId=gw-known")
    monkeypatch.setattr("controlplane.services.access.gateways.GATEWAYS_MAX", 1)
    assert (await current(client, "?gatewayId=gw-one-too-many")).status == 200
    await current(client, f"?gatewayId=gw-known&sequence={made['sequence']}")
    monkeypatch.undo()
    listed = (await client.call("GET", "/v1/gateways")).body["gateways"]
    found = {one["gatewayId"]: one["sequence"] for one in listed}
    assert found["gw-known"] == made["sequence"]
    assert "gw-one-too-many" not in found


async def test_a_silent_gateway_is_forgotten(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """When another one comes, those that were silent for too long go; the others stay."""
    await published(client, policy(fresh()))
    await current(client, "?gatewayId=gw-gone")
    await current(client, "?gatewayId=gw-here")
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    await connection.execute(
        "update gateways set last_seen_at = now() - interval '8 days' where gateway_id = 'gw-gone'"
    )
    await connection.close()
    await current(client, "?gatewayId=gw-comes")
    listed = (await client.call("GET", "/v1/gateways")).body["gateways"]
    names = {one["gatewayId"] for one in listed}
    assert {"gw-here", "gw-comes"} <= names
    assert "gw-gone" not in names


async def test_one_that_runs_files_says_so(client: Client):
    """It asks for no bundle, so nobody would know of it."""
    revision = "ab" * 32
    said = {"gatewayId": "gw_files", "revision": revision, "source": "files"}
    assert (await client.call("POST", "/v1/gateways", said, "gateway")).status == 200
    found = await gateway_in_list(client, "gw_files")
    assert (found["source"], found["revision"], found["sequence"]) == ("files", revision, 0)
    await current(client, f"?gatewayId=gw_files&running={revision}")
    assert (await gateway_in_list(client, "gw_files"))["source"] == "control"
    assert (await client.call("POST", "/v1/gateways", said, "agent")).status == 403
