"""Agents, their keys and the directory; the bootstrap of a fresh installation."""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.faults import StartError
from controlplane.services.access.bootstrap import bootstrap
from controlplane.services.waiting import WaitingSettings
from controlplane.settings import BootstrapKeys
from controlplane.store.agents import AgentStore
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.keys import KeyStore
from tests.support.control_plane import LIMITS, Answer, Client, running_plane
from tests.support.database import make_database, open_test_database


async def test_a_new_agent_gets_a_key_once_and_is_in_the_directory(client: Client):
    """The directory holds the hash of the key, the key itself is never told again."""
    name = f"a-{uuid.uuid4().hex[:8]}"
    made = await client.call("POST", "/v1/agents", {"name": name, "labels": {"team": "x"}})
    assert made.status == 201
    key = made.body["key"]
    assert re.fullmatch(r"cr_[a-z2-9]{5}_agent_[\w-]{43}", key)
    found = (await client.call("GET", "/v1/agents/directory", key="gateway")).body
    entry = next(one for one in found["agents"] if one["name"] == name)
    assert entry["keyHashes"] == [hashlib.sha256(key.encode()).hexdigest()]
    assert (entry["labels"], entry["enabled"]) == ({"team": "x"}, True)
    listed = await client.call("GET", "/v1/agents")
    assert key not in str(listed.body)
    assert name in [one["name"] for one in listed.body["agents"]]


async def test_a_name_is_taken_once(client: Client):
    """The second is a 409 and makes no key."""
    name = f"a-{uuid.uuid4().hex[:8]}"
    await client.call("POST", "/v1/agents", {"name": name})
    again = await client.call("POST", "/v1/agents", {"name": name})
    assert (again.status, again.code) == (409, "ALREADY_EXISTS")


@pytest.fixture
async def sleepy(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Client]:
    """A control plane whose waiters hear of a change by being woken, or not in time."""
    name = await asyncio.to_thread(make_database, postgres_server)
    limits = replace(LIMITS, waiting=WaitingSettings(reread_seconds=3_600))
    async with running_plane(postgres_server, name, tmp_path, limits) as found:
        yield found


async def directory_after(client: Client, change: Callable[[], Awaitable[Answer]]) -> Answer:
    """What a gateway that waits for a new directory is told when there is a change."""
    before = (await client.call("GET", "/v1/agents/directory", key="gateway")).body
    query = f"?waitSeconds=30&revision={before['revision']}"
    waiting = asyncio.create_task(client.call("GET", f"/v1/agents/directory{query}", key="gateway"))
    while client.plane.metrics.waiting.collect()[0].samples[0].value < 1:
        await asyncio.sleep(0.005)
    assert (await change()).status == 200
    # Unwoken, it would be told at the end of its time.
    async with asyncio.timeout(15):
        after = await waiting
    assert after.body["revision"] != before["revision"]
    return after


async def test_a_revoked_key_leaves_the_directory_and_the_waiter_wakes(sleepy: Client):
    """A stolen key is no gateway's any more; the agent is still known."""
    made = await sleepy.call("POST", "/v1/agents", {"name": "robbed"})
    listed = (await sleepy.call("GET", "/v1/keys")).body["keys"]
    key_id = next(one["keyId"] for one in listed if one["agent"] == "robbed")
    after = await directory_after(
        sleepy, lambda: sleepy.call("POST", f"/v1/keys/{key_id}/revoke", {})
    )
    [robbed] = [one for one in after.body["agents"] if one["name"] == "robbed"]
    assert robbed["keyHashes"] == []
    assert (await sleepy.call("GET", "/v1/agents", key=made.body["key"])).status == 401


async def test_a_disabled_agent_leaves_the_directory_and_the_waiter_wakes(sleepy: Client):
    """The long poll for a new revision ends; enabled again, it is back."""
    client = sleepy
    name = f"a-{uuid.uuid4().hex[:8]}"
    made = await client.call("POST", "/v1/agents", {"name": name})
    path = f"/v1/agents/{made.body['agent']['agentId']}"
    before = (await client.call("GET", "/v1/agents/directory", key="gateway")).body
    after = await directory_after(client, lambda: client.call("PATCH", path, {"enabled": False}))
    assert name not in [one["name"] for one in after.body["agents"]]
    # An agent's key reads nothing here: 403 while it is valid, 401 from now on.
    assert (await client.call("GET", "/v1/agents", key=made.body["key"])).status == 401
    await client.call("PATCH", path, {"enabled": True})
    back = (await client.call("GET", "/v1/agents/directory", key="gateway")).body
    assert back["revision"] == before["revision"]
    assert (await client.call("GET", "/v1/agents", key=made.body["key"])).status == 403


@pytest.fixture
async def stores(postgres_server: EmbeddedPostgres, tmp_path: Path):
    """Key and agent stores on an empty database."""
    name = await asyncio.to_thread(make_database, postgres_server)
    database = await open_test_database(postgres_server, name)
    yield KeyStore(database), AgentStore(database)
    await database.close()


async def test_bootstrap_is_repeatable(stores, tmp_path: Path):
    """The second start changes no key and adds no row; the files are private."""
    first = await bootstrap(*stores, BootstrapKeys(), tmp_path)
    keys = {file.name: file.read_text() for file in tmp_path.glob("*.key")}
    assert sorted(keys) == ["admin.key", "agent.key", "gateway.key"]
    assert {oct(file.stat().st_mode & 0o777) for file in tmp_path.glob("*.key")} == {"0o600"}
    assert await bootstrap(*stores, BootstrapKeys(), tmp_path) == first
    assert {file.name: file.read_text() for file in tmp_path.glob("*.key")} == keys
    assert all(text.endswith("\n") and text.startswith("cr_") for text in keys.values())


async def test_keys_of_files_come_into_a_new_database(
    stores, postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """The database was lost, the files were not: the same keys open the new one."""
    await bootstrap(*stores, BootstrapKeys(), tmp_path)
    key = (tmp_path / "admin.key").read_text().strip()
    name = await asyncio.to_thread(make_database, postgres_server)
    database = await open_test_database(postgres_server, name)
    try:
        fresh = KeyStore(database), AgentStore(database)
        await bootstrap(*fresh, BootstrapKeys(), tmp_path)
        found = await fresh[0].find(hashlib.sha256(key.encode()).digest())
    finally:
        await database.close()
    assert found is not None
    assert found.permissions == ("Admin",)


async def test_a_lost_file_gets_a_fresh_key(stores, tmp_path: Path):
    """The new key works beside the old one, which stays valid until it is revoked."""
    await bootstrap(*stores, BootstrapKeys(), tmp_path)
    old = (tmp_path / "gateway.key").read_text().strip()
    (tmp_path / "gateway.key").unlink()
    await bootstrap(*stores, BootstrapKeys(), tmp_path)
    new = (tmp_path / "gateway.key").read_text().strip()
    assert new != old
    for key in (old, new):
        assert await stores[0].find(hashlib.sha256(key.encode()).digest()) is not None


async def test_given_keys_are_used_and_written_nowhere(stores, tmp_path: Path):
    """What the operator keeps elsewhere does not appear on this disk."""
    given = BootstrapKeys("A" * 40, "G" * 40, "B" * 40)
    told = await bootstrap(*stores, given, tmp_path)
    assert (told.admin_key_file, told.gateway_key_file, told.agent_key_file) == (None,) * 3
    assert list(tmp_path.iterdir()) == []
    assert (await stores[0].find(hashlib.sha256(b"G" * 40).digest())).permissions == ("Gateway",)


async def test_one_key_for_two_purposes_is_refused(stores, tmp_path: Path):
    """A gateway's key that is the admin's would let a gateway approve."""
    same = "S" * 40
    with pytest.raises(StartError, match="another purpose"):
        await bootstrap(*stores, BootstrapKeys(same, same, None), tmp_path)
