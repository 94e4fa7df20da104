"""Whoever rewrites who may do what, or who is reached, is found out, or is in the log himself."""

from __future__ import annotations

import uuid
from typing import Final

import asyncpg

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.acts import (
    acts_in,
    acts_of,
    admin_id,
    agent_of,
    changed,
    channel_of,
    differences,
    events_of,
    key_of,
    made,
)
from tests.support.control_plane import Client
from tests.support.database import connect_as
from tests.support.grants import give, revoke
from tests.support.reaching import database_of
from tests.support.signed_gateway import exported
from tests.support.tenants import make_key

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
    """A key, an agent, a session for the admin, a gateway's key and an offer of a grant, put there
    by hand."""
    asked = await client.ask()
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
    offered = await superuser.fetchval(
        "insert into grant_offers (tenant_id, approval_id, key_id, seconds, uses_max, this_run, "
        "same_target, risk_max) values ($1, $2, $3, 60, 2, true, true, 0) returning offer_id",
        tenant, uuid.UUID(asked["approvalId"]), admin,
    )  # fmt: skip
    assert {(one["event"], one["id"], one["seq"]) for one in await differences(client)} == {
        ("grant_offered", str(offered), None),
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
