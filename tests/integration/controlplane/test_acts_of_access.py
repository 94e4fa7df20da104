"""Who may do what here, and who is reached: each change has its record, and whoever rewrites the
table is found out."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from controlplane.auth import hash_key
from controlplane.services.access.keys import KeyService
from controlplane.services.access.sessions import SessionService
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.keys import KeyStore
from controlplane.store.migrations import load_migrations
from controlplane.store.sessions import SessionStore
from controlplane.store.tenancy import acting_for
from controlplane.telemetry import Metrics
from tests.support.acts import acts_in, acts_of, differences, report_on
from tests.support.control_plane import Client
from tests.support.database import connect_as, everybodys, make_database
from tests.support.grants import give, revoke
from tests.support.reaching import database_of
from tests.support.signed_gateway import SignedGateway, exported
from tests.support.silent_bus import SilentBus
from tests.support.tenants import make_key

BACKFILL: Final = "insert into acts (tenant_id, event, row_id, act, at)"
SECRET: Final = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def database_name(postgres_server: EmbeddedPostgres) -> str:
    """A database for each test: some are rewritten, and stay so."""
    return make_database(postgres_server)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """With keys of its own."""
    return tmp_path


async def made(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a POST that makes something answers."""
    answer = await client.call("POST", path, body)
    assert answer.status in {200, 201}, answer
    return dict(answer.body)


async def changed(client: Client, method: str, path: str, body: dict[str, Any]) -> None:
    answer = await client.call(method, path, body)
    assert answer.status == 200, answer


async def key_of(client: Client, name: str = "carol") -> str:
    """A person's key; its id."""
    body = {"name": name, "permissions": ["ApprovalRead"], "groups": ["finance"]}
    return str((await made(client, "/v1/keys", body))["keyId"])


async def agent_of(client: Client, name: str = "billing") -> str:
    """An agent; its id."""
    answer = await made(client, "/v1/agents", {"name": name, "labels": {"team": SECRET}})
    return str(answer["agent"]["agentId"])


async def channel_of(client: Client, name: str = "hook") -> str:
    """A webhook; its id."""
    body = {"name": name, "webhook": {"url": f"https://example.com/{SECRET}"}}
    return str((await made(client, "/v1/channels", body))["channel"]["channelId"])


async def signed_in(client: Client) -> None:
    """A session of the admin."""
    database = everybodys(client.plane.database)
    keys = KeyService(KeyStore(database), SilentBus())
    sessions = SessionService(SessionStore(database), keys, Metrics())
    await sessions.sign_in(client.keys["admin"])


async def events_of(client: Client, subject: str) -> list[tuple[str, str]]:
    """What was done with a row, and by whom."""
    return [(one["event"], one["act"]["by"]) for one in await acts_of(client, subject)]


async def test_every_change_of_a_key_an_agent_or_a_channel_has_a_record(client: Client):
    """Once each, with who did it and all that the row then says; a repeat that changes nothing has
    none. Nothing secret stands in them."""
    key, agent, channel = await key_of(client), await agent_of(client), await channel_of(client)
    await changed(client, "POST", f"/v1/keys/{key}/rotate", {"graceSeconds": 60})
    await changed(client, "POST", f"/v1/keys/{key}/revoke", {})
    await changed(client, "POST", f"/v1/keys/{key}/revoke", {})
    for is_enabled in (False, False, True):
        await changed(client, "PATCH", f"/v1/agents/{agent}", {"enabled": is_enabled})
    person = await key_of(client, "dave")
    people = {"people": [{"address": "U1", "keyId": person}]}
    slack = await made(
        client, "/v1/channels",
        {"name": "chat", "slack": {"channel": "C1", "botToken": SECRET, "signingSecret": SECRET}},
    )  # fmt: skip
    chat = slack["channel"]["channelId"]
    for _ in range(2):
        await changed(client, "POST", f"/v1/channels/{chat}/people", people)
    await changed(client, "PATCH", f"/v1/channels/{channel}", {"enabled": False})
    await changed(client, "POST", f"/v1/channels/{channel}/remove", {})

    def by_admin(*events: str) -> list[tuple[str, str]]:
        return [(event, "admin") for event in events]

    assert await events_of(client, key) == by_admin("key_made", "key_rotated", "key_revoked")
    assert await events_of(client, agent) == by_admin(
        "agent_made", "agent_disabled", "agent_enabled"
    )
    assert await events_of(client, channel) == by_admin(
        "channel_made", "channel_changed", "channel_removed"
    )
    assert await events_of(client, chat) == by_admin("channel_made", "channel_changed")
    rotated = (await acts_of(client, key))[1]["act"]
    assert (rotated["permissions"], rotated["groups"]) == (["ApprovalRead"], ["finance"])
    assert rotated["by_key"] == await admin_id(client)

    log = await exported(client)
    assert ((await report_on(client, log)).breaks, await differences(client)) == ([], [])
    told = json.dumps(acts_in(log))
    assert SECRET not in told
    assert not [name for name, text in client.keys.items() if text in told]
    assert not [name for name, text in client.keys.items() if hash_key(text).hex() in told]


async def admin_id(client: Client) -> str:
    keys = (await client.call("GET", "/v1/keys?name=admin")).body["keys"]
    return str(keys[0]["keyId"])


async def test_a_fresh_installation_tells_its_first_keys(client: Client):
    """And the agent that is there from the start, and the key that the control plane signs with."""
    acts = acts_in(await exported(client))
    assert sorted((one["event"], one["act"].get("name"), one["act"]["by"]) for one in acts) == [
        ("agent_made", "agent", "checkrein"),
        ("gateway_key_enrolled", None, "checkrein"),
        ("key_made", "admin", "checkrein"),
        ("key_made", "agent", "checkrein"),
        ("key_made", "gateway", "checkrein"),
    ]
    assert await differences(client) == []


async def test_grants_sessions_and_gateways_keys_have_records(client: Client):
    """Who gave and who ended; who signed in; whose credential enrolled which key."""
    grant = await give(client, "spends", {"uses": 3})
    assert (await revoke(client, grant)).status == 200
    await signed_in(client)
    gateway = SignedGateway(client)
    for _ in range(2):
        assert (await gateway.enrol()).status == 200
    acts = acts_in(await exported(client))
    of_grant = [one for one in acts if one["act"]["id"] == grant["grantId"]]
    assert [(one["event"], one["act"]["by"]) for one in of_grant] == [
        ("grant_given", "admin"), ("grant_revoked", "admin"),
    ]  # fmt: skip
    (offer,) = (one["act"] for one in acts if one["event"] == "grant_offered")
    assert (offer["approval"], offer["uses_max"], offer["by"]) == (
        grant["approvalId"], 3, "admin",
    )  # fmt: skip
    assert (of_grant[0]["act"]["uses_max"], of_grant[0]["act"]["approval"]) == (
        3, grant["approvalId"],
    )  # fmt: skip
    (session,) = (one["act"] for one in acts if one["event"] == "session_begun")
    assert (session["by"], session["by_key"]) == ("admin", await admin_id(client))
    (key,) = (one["act"] for one in acts if one["act"].get("gateway_id") == gateway.id)
    assert (key["verifier_key"], key["by"]) == (gateway.signer.verifier_key, "gateway")
    assert await differences(client) == []


async def test_a_change_that_fails_has_no_record(client: Client):
    """A name that is taken, a person whose key is not there, a key of a hash that is known."""
    agent, channel = await agent_of(client), await channel_of(client)
    before = acts_in(await exported(client))
    taken = await client.call("POST", "/v1/agents", {"name": "billing"})
    people = {"people": [{"address": "U1", "keyId": str(uuid.uuid4())}]}
    nobody = await client.call("POST", f"/v1/channels/{channel}/people", people)
    gone = await client.call("PATCH", f"/v1/agents/{uuid.uuid4()}", {"enabled": False})
    assert (taken.status, nobody.status >= 400, gone.status) == (409, True, 404)
    assert acts_in(await exported(client)) == before
    assert [event for event, _ in await events_of(client, agent)] == ["agent_made"]


TAMPERING: Final = {
    "a revoked key holds again": (
        "update api_keys set revoked_at = null where key_id = $1", "revoked", "key_revoked", True,
    ),
    "a key may do more": (
        "update api_keys set permissions = '{Admin}' where key_id = $1", "key", "key_made", True,
    ),
    "a key is of another group": (
        "update api_keys set groups = '{board}' where key_id = $1", "other", "key_made", True,
    ),
    "a key has another secret": (
        "update api_keys set key_hash = sha256('mine') where key_id = $1", "third", "key_made",
        True,
    ),
    "a key has a secret beside its own": (
        ("insert into former_secrets select sha256('too'), tenant_id, key_id, now() + '1 day' "
        "from api_keys where key_id = $1"), "fourth", "key_made", True,
    ),
    "a disabled agent is enabled": (
        "update agents set enabled = true where agent_id = $1", "stopped", "agent_disabled", True,
    ),
    "an agent has other labels": (
        "update agents set labels = '{}' where agent_id = $1", "labelled", "agent_made", True,
    ),
    "an agent is gone": (
        "delete from agents where agent_id = $1", "lost", "agent_made", False,
    ),
    "a channel sends elsewhere": (
        ("update channels set settings = replace(settings, 'example.com', 'evil.test') "
        "where channel_id = $1"), "channel", "channel_made", True,
    ),
    "somebody else is meant by an address": (
        "insert into channel_people select tenant_id, $1, 'U666', key_id from api_keys limit 1",
        "peopled", "channel_made", True,
    ),
    "a removed channel is back": (
        "update channels set removed_at = null, enabled = true where channel_id = $1", "removed",
        "channel_removed", True,
    ),
    "a grant lasts longer": (
        "update grants set expires_at = expires_at + '1 year' where grant_id = $1", "grant",
        "grant_given", True,
    ),
    "a revoked grant is in force": (
        ("update grants set state = 'ACTIVE', ended_at = null, ended_by = null, "
        "ended_by_key = null, end_reason = null where grant_id = $1"), "ended", "grant_revoked",
        False,
    ),
}  # fmt: skip
"""Sentence -> statement, whose row, the record that is named, whether the row is still there."""


async def things(client: Client) -> dict[str, str]:
    """One of everything that is tampered with; the ids."""
    found = {name: await key_of(client, name) for name in ("key", "other", "third", "fourth")}
    found["revoked"] = await key_of(client, "gone")
    await changed(client, "POST", f"/v1/keys/{found['revoked']}/revoke", {})
    for name in ("stopped", "labelled"):
        found[name] = await agent_of(client, name)
    answer = await made(client, "/v1/agents", {"name": "lost"})
    found["lost"] = str(answer["agent"]["agentId"])
    await changed(client, "PATCH", f"/v1/agents/{found['stopped']}", {"enabled": False})
    for name in ("channel", "peopled", "removed"):
        found[name] = await channel_of(client, name)
    await changed(client, "POST", f"/v1/channels/{found['removed']}/remove", {})
    found["grant"] = (await give(client, "one", {"uses": 3}))["grantId"]
    ended = await give(client, "two", {"uses": 3})
    assert (await revoke(client, ended)).status == 200
    found["ended"] = ended["grantId"]
    return found


async def test_whoever_rewrites_who_may_do_what_is_named(
    client: Client, superuser: asyncpg.Connection
):
    """As the database's superuser, with every trigger out of the way."""
    ids = await things(client)
    assert await differences(client) == []
    for case, (statement, of, event, is_there) in TAMPERING.items():
        before = await differences(client)
        status = await superuser.execute(statement, uuid.UUID(ids[of]))
        assert status.endswith(" 1"), case
        new = [one for one in await differences(client) if one not in before]
        assert [(one["event"], one["id"], one["isThere"]) for one in new] == [
            (event, ids[of], is_there)
        ], case
        assert new[0]["seq"] is not None, case
    assert len(await differences(client)) == len(TAMPERING)


async def test_rows_that_nobody_made_are_named(client: Client, superuser: asyncpg.Connection):
    """A key, an agent, a session for the admin, and a gateway's key, put there by hand."""
    await exported(client)
    key, agent, session = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    tenant, admin = client.tenant_id, uuid.UUID(await admin_id(client))
    await superuser.execute(
        "insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, permissions) "
        "values ($1, $2, 'mallory', 'cr_', sha256('m'), '{Admin}')", key, tenant,
    )  # fmt: skip
    await superuser.execute(
        "insert into agents (agent_id, tenant_id, name) values ($1, $2, 'mole')", agent, tenant
    )
    await superuser.execute(
        "insert into sessions (session_id, tenant_id, key_id, token_hash, signed_in_by) "
        "values ($1, $2, $3, sha256('c'), 'key')", session, tenant, admin,
    )  # fmt: skip
    enrolled = await superuser.fetchval(
        "insert into gateway_keys (tenant_id, gateway_id, key, proof) "
        "values ($1, 'gw_mole', 'k', 'p') returning key_seq", tenant,
    )  # fmt: skip
    assert {(one["event"], one["id"], one["seq"]) for one in await differences(client)} == {
        ("key_found", str(key), None),
        ("agent_found", str(agent), None),
        ("session_begun", str(session), None),
        ("gateway_key_enrolled", str(enrolled), None),
    }


async def test_whoever_writes_by_hand_is_in_the_log_with_his_role(
    client: Client, postgres_server: EmbeddedPostgres
):
    """The owner of the tables, whose triggers are on: a key of his own, more for another one, and a
    channel that is deleted, which nothing here ever is."""
    carol, channel = await key_of(client), await channel_of(client)
    await make_key(postgres_server, database_of(client), ["Admin"])
    owner = await connect_as(postgres_server, Role.OWNER, database_of(client))
    try:
        await owner.execute(
            "update api_keys set permissions = '{Admin}' where key_id = $1", uuid.UUID(carol)
        )
        await owner.execute("delete from channels where channel_id = $1", uuid.UUID(channel))
        await owner.execute(
            "insert into former_secrets select sha256('too'), tenant_id, key_id, now() + '1 day' "
            "from api_keys where key_id = $1", uuid.UUID(carol),
        )  # fmt: skip
    finally:
        await owner.close()
    by = f"database role {Role.OWNER.value}"
    assert await events_of(client, carol) == [
        ("key_made", "admin"), ("key_changed", by), ("key_changed", by),
    ]  # fmt: skip
    assert (await acts_of(client, carol))[-1]["act"]["permissions"] == ["Admin"]
    acts = acts_in(await exported(client))
    assert ("key_made", by) in [(one["event"], one["act"]["by"]) for one in acts]
    assert await events_of(client, channel) == [("channel_made", "admin"), ("channel_deleted", by)]
    (missed,) = await differences(client)
    assert (missed["event"], missed["id"], missed["isThere"]) == ("channel_deleted", channel, False)


async def test_the_next_change_does_not_hide_a_rewritten_row(
    client: Client, superuser: asyncpg.Connection
):
    """Its act holds the whole row, what was put there by hand too: that is told before it, for
    good, and is not laid on who made the change."""
    agent, key = await agent_of(client), await key_of(client)
    await superuser.execute("update agents set labels = '{}' where agent_id = $1", uuid.UUID(agent))
    await superuser.execute(
        "update api_keys set permissions = '{Admin}' where key_id = $1", uuid.UUID(key)
    )
    await changed(client, "PATCH", f"/v1/agents/{agent}", {"enabled": False})
    await changed(client, "POST", f"/v1/keys/{key}/rotate", {"graceSeconds": 0})
    assert await events_of(client, agent) == [
        ("agent_made", "admin"), ("agent_rewritten", "unknown"), ("agent_disabled", "admin"),
    ]  # fmt: skip
    assert [event for event, _ in await events_of(client, key)] == [
        "key_made", "key_rewritten", "key_rotated",
    ]  # fmt: skip
    assert {(one["event"], one["id"], one["isThere"]) for one in await differences(client)} == {
        ("agent_rewritten", agent, True), ("key_rewritten", key, True),
    }  # fmt: skip


async def test_sessions_that_are_forgotten_are_missed_by_nobody(client: Client):
    """They are deleted a day after they are over; their records stay."""
    await signed_in(client)
    await exported(client)
    plane = client.plane
    assert plane.database is not None
    with acting_for(client.tenant_id):
        await SessionStore(plane.database).forget(0, 10)
    assert "session_begun" in {one["event"] for one in acts_in(await exported(client))}
    assert await differences(client) == []


async def test_what_was_there_before_gets_its_records(
    client: Client, superuser: asyncpg.Connection
):
    """An upgrade finds rows that no act tells of, and says so: who made them isn't known."""
    await signed_in(client)
    await give(client, "old", {"uses": 3})
    await channel_of(client)
    await exported(client)
    await superuser.execute("delete from acts")
    await superuser.execute("delete from records")
    await superuser.execute("delete from gateway_heads")
    found = {(one["event"], one["seq"]) for one in await differences(client)}
    wanted = {"agent_found", "channel_found", "grant_given", "key_found", "session_begun"}
    assert {event for event, _ in found} >= wanted
    assert {seq for _, seq in found} == {None}
    (migration,) = (one for one in load_migrations() if one.version == 21)
    await superuser.execute(migration.sql[migration.sql.index(BACKFILL) :])
    assert await superuser.fetchval("select count(*) from acts where seq is null") > 0
    events = [row[0] for row in await superuser.fetch("select distinct event from acts")]
    assert wanted <= set(events)
    await superuser.execute("delete from gateway_signed_heads")
    acts = (await client.call("GET", "/v1/log/acts")).body
    assert acts == {"differences": []}
