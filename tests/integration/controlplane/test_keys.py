"""Keys: told apart, rotated, revoked while they wait, and listed page by page."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from controlplane.faults import StartError
from controlplane.services.access.bootstrap import bootstrap
from controlplane.settings import BootstrapKeys
from controlplane.store.agents import AgentStore
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.keys import KeyStore
from tests.support.control_plane import (
    BY_MESSAGE_ALONE,
    TOLD_SECONDS_MAX,
    Answer,
    Client,
    ask_body,
    running_plane,
)
from tests.support.database import connect_as, everybodys


async def make(client: Client, *permissions: str, **more: Any) -> dict[str, Any]:
    body = {"name": f"p-{uuid.uuid4().hex[:8]}", "permissions": list(permissions), **more}
    made = await client.call("POST", "/v1/keys", body)
    assert made.status == 201, made
    return dict(made.body)


async def rotate(client: Client, key_id: str, seconds: int = 0, key: str = "admin") -> Answer:
    body = {"graceSeconds": seconds}
    return await client.call("POST", f"/v1/keys/{key_id}/rotate", body, key)


async def listed(client: Client, key_id: str) -> dict[str, Any]:
    keys = (await client.call("GET", "/v1/keys?limit=500")).body["keys"]
    return next(dict(key) for key in keys if key["keyId"] == key_id)


async def status_with(client: Client, key: str) -> int:
    return (await client.call("GET", "/v1/me", key=key)).status


async def test_keys_are_told_apart_by_their_first_characters(client: Client):
    """Eight of them are stored and shown; no two are the same."""
    made = [await make(client, "RunRead") for _ in range(5)]
    assert len({one["prefix"] for one in made}) == 5
    for one in made:
        assert one["key"][:8] == one["prefix"] == (await listed(client, one["keyId"]))["prefix"]


async def test_a_rotated_key_is_the_same_key_with_another_secret(client: Client):
    """Name, permissions, groups and id stay; the secret before is refused at once."""
    made = await make(client, "ApprovalRead", "ApprovalWrite", groups=["finance"])
    before = await listed(client, made["keyId"])
    rotated = await rotate(client, made["keyId"])
    assert (rotated.status, rotated.body["keyId"]) == (200, made["keyId"])
    assert rotated.body["key"] != made["key"]
    after = await listed(client, made["keyId"])
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"prefix", "rotatedAt"}
    assert await status_with(client, made["key"]) == 401
    assert await status_with(client, rotated.body["key"]) == 200


async def test_the_secret_before_is_good_for_the_grace(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """And no longer; a rotation without grace ends all that were before it."""
    made = await make(client, "RunRead")
    second = (await rotate(client, made["keyId"], 3600)).body["key"]
    assert [await status_with(client, key) for key in (made["key"], second)] == [200, 200]
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute(
            "update former_secrets set valid_until = now() where key_id = $1", made["keyId"]
        )
        assert [await status_with(client, key) for key in (made["key"], second)] == [401, 200]
        await connection.execute(
            "update former_secrets set valid_until = now() + interval '1 hour' where key_id = $1",
            made["keyId"],
        )
    finally:
        await connection.close()
    third = (await rotate(client, made["keyId"])).body["key"]
    told = [await status_with(client, key) for key in (made["key"], second, third)]
    assert told == [401, 401, 200]


async def test_revoking_ends_every_secret_of_a_key(client: Client):
    """The one in its grace too; and what is over is not rotated back to life."""
    made = await make(client, "RunRead")
    second = (await rotate(client, made["keyId"], 3600)).body["key"]
    await client.call("POST", f"/v1/keys/{made['keyId']}/revoke", {})
    assert [await status_with(client, key) for key in (made["key"], second)] == [401, 401]
    refused = await rotate(client, made["keyId"])
    assert (refused.status, refused.body["error"]["reason_code"]) == (409, "KEY_OVER")
    assert (await rotate(client, str(uuid.uuid4()))).status == 404


async def test_a_key_does_not_lock_itself_out(client: Client):
    """Rotating oneself needs a grace: the answer might be lost."""
    own = (await client.call("GET", "/v1/me")).body["keyId"]
    refused = await rotate(client, own)
    assert (refused.status, refused.body["error"]["reason_code"]) == (409, "KEY_IN_USE")


async def test_a_key_that_ends_lives_as_long_again(client: Client):
    """Rotation is how a key with an end is renewed."""
    made = await make(client, "RunRead", expiresInSeconds=600)
    before = await listed(client, made["keyId"])
    await rotate(client, made["keyId"])
    after = await listed(client, made["keyId"])
    assert after["expiresAt"] > before["expiresAt"]


async def test_gateways_learn_an_agents_new_secret_and_its_grace(client: Client):
    """The directory holds both hashes meanwhile."""
    agent = await client.call("POST", "/v1/agents", {"name": f"a-{uuid.uuid4().hex[:8]}"})
    name = agent.body["agent"]["name"]
    keys = (await client.call("GET", f"/v1/keys?name={name}")).body["keys"]
    known = (await client.call("GET", "/v1/agents/directory", key="gateway")).body["revision"]
    path = f"/v1/agents/directory?revision={known}&waitSeconds=20"
    waiting = asyncio.create_task(client.call("GET", path, key="gateway"))
    await rotate(client, keys[0]["keyId"], 3600)
    async with asyncio.timeout(TOLD_SECONDS_MAX):
        found = (await waiting).body["agents"]
    assert len(next(one for one in found if one["name"] == name)["keyHashes"]) == 2


async def test_a_secret_that_was_rotated_out_does_not_come_back(
    client: Client, tmp_path, postgres_server: EmbeddedPostgres, database_name: str
):
    """Not by a key file or a variable that still has it."""
    database = everybodys(client.plane.database)
    made = await make(client, "Admin")
    await rotate(client, made["keyId"])
    given = BootstrapKeys(made["key"], "g" * 40)
    with pytest.raises(StartError, match="revoked or known for another purpose"):
        await bootstrap(KeyStore(database), AgentStore(database), given, None)


WAITING = {
    "for bundles": "/v1/bundles/current?sequence=99&waitSeconds=25",
    "for the directory": "/v1/agents/directory?revision={revision}&waitSeconds=25",
}


@pytest.mark.parametrize("case", WAITING)
@pytest.mark.parametrize("ending", ["revoke", "rotate"])
async def test_a_long_poll_ends_with_its_key(told: Client, case: str, ending: str):
    """As soon as it is told, and with 401 instead of what it waited for."""
    made = await make(told, "Gateway")
    found = await told.call("GET", "/v1/agents/directory", key="gateway")
    path = WAITING[case].format(revision=found.body["revision"])
    gauge = told.plane.metrics.waiting
    before = gauge._value.get()
    waiting = asyncio.create_task(told.call("GET", path, key=made["key"]))
    async with asyncio.timeout(TOLD_SECONDS_MAX):
        while gauge._value.get() <= before:
            await asyncio.sleep(0.01)
    started = time.monotonic()
    await told.call("POST", f"/v1/keys/{made['keyId']}/{ending}", {})
    async with asyncio.timeout(TOLD_SECONDS_MAX):
        answer = await waiting
    assert (answer.status, answer.code) == (401, "AUTH_INVALID_CREDENTIALS")
    assert time.monotonic() - started < TOLD_SECONDS_MAX


async def test_a_long_poll_ends_at_another_replica_too(
    told: Client, postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """The one that revokes tells the others."""
    made = await make(told, "Gateway")
    at = (postgres_server, database_name, data_dir)
    async with running_plane(*at, BY_MESSAGE_ALONE) as other:
        gauge = other.plane.metrics.waiting
        path = "/v1/bundles/current?sequence=99&waitSeconds=25"
        waiting = asyncio.create_task(other.call("GET", path, key=made["key"]))
        async with asyncio.timeout(TOLD_SECONDS_MAX):
            while not gauge._value.get():
                await asyncio.sleep(0.01)
        started = time.monotonic()
        await told.call("POST", f"/v1/keys/{made['keyId']}/revoke", {})
        async with asyncio.timeout(TOLD_SECONDS_MAX):
            assert (await waiting).status == 401
        assert time.monotonic() - started < TOLD_SECONDS_MAX


async def test_what_a_poll_waited_for_is_not_for_a_key_that_ended(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Even when nobody told this replica of the end."""
    made = await make(client, "Gateway")
    asked = (await client.call("POST", "/v1/approvals", ask_body(), made["key"])).body["approval"]
    path = f"/v1/approvals/{asked['approvalId']}?waitSeconds=25"
    waiting = asyncio.create_task(client.call("GET", path, key=made["key"]))
    await asyncio.sleep(0.4)
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute(
            "update api_keys set revoked_at = now() where key_id = $1", made["keyId"]
        )
    finally:
        await connection.close()
    await client.resolve(asked["approvalId"], "APPROVE")
    async with asyncio.timeout(TOLD_SECONDS_MAX):
        assert (await waiting).status == 401


async def test_every_key_is_on_one_page_however_many_come_meanwhile(client: Client):
    """Newest first, by an opaque cursor; keys that are made between two pages are on none."""
    wanted = [(await make(client, "RunRead"))["keyId"] for _ in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await client.call("GET", f"/v1/keys?limit=2{cursor}")).body
        seen += [key["keyId"] for key in page["keys"]]
        await make(client, "RunRead")
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert len(seen) == len(set(seen))
    assert [key for key in seen if key in wanted] == wanted[::-1]


async def test_agents_come_in_pages_by_name(client: Client):
    """Each once, in order."""
    names = sorted(f"page-{number}" for number in range(5))
    for name in names:
        await client.call("POST", "/v1/agents", {"name": name})
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await client.call("GET", f"/v1/agents?limit=2{cursor}")).body
        seen += [agent["name"] for agent in page["agents"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == sorted(set(seen))
    assert set(names) <= set(seen)


BAD_CURSORS = ["x", "WzFd", "W10", "e30", "WyJhIiwiYiJd", "A" * 2000]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
async def test_a_cursor_of_ones_own_making_is_refused(client: Client, cursor: str):
    """422 with a sentence, never a fault of ours."""
    answer = await client.call("GET", f"/v1/keys?cursor={cursor}")
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")
