"""Who may do what here, and who is reached: each change has its record, and whoever rewrites the
table is found out."""

from __future__ import annotations

import asyncio
import json
import uuid

import asyncpg

from controlplane.auth import hash_key
from controlplane.store.sessions import SessionStore
from controlplane.store.tenancy import acting_for
from tests.support.acts import (
    SECRET,
    acts_in,
    acts_of,
    admin_id,
    agent_of,
    backfill_of,
    changed,
    channel_of,
    differences,
    events_of,
    key_of,
    made,
    report_on,
    signed_in,
)
from tests.support.control_plane import Client
from tests.support.grants import give, revoke
from tests.support.signed_gateway import SignedGateway, exported


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
    """Who gave and who ended; who signed in; whose credential enrolled which key. And who set the
    learner's mode."""
    scope = {"scopeType": "ORG", "scopeId": str(client.tenant_id)}
    await changed(client, "PUT", "/v1/learner/mode", {"scope": scope, "mode": "ENFORCE"})
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
    (mode,) = (one["act"] for one in acts if one["event"] == "learner_mode_set")
    assert (mode["mode"], mode["by"]) == ("ENFORCE", "admin")
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
    key, agent, session, tenant = uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), client.tenant_id
    for statement, values in (
        ("insert into agents (agent_id, tenant_id, name) values ($1, $2, 'old')", (agent, tenant)),
        (
            ("insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, permissions) "
            "values ($1, $2, 'old', 'cr_', sha256('m'), '{Admin}')"), (key, tenant),
        ),
        (
            ("insert into sessions (session_id, tenant_id, key_id, token_hash, signed_in_by) "
            "values ($1, $2, $3, sha256('c'), 'key')"), (session, tenant, key),
        ),
    ):  # fmt: skip
        await superuser.execute(statement, *values)
    assert len(await differences(client)) == 3
    await superuser.execute(backfill_of(21))
    assert await differences(client) == []
    assert await events_of(client, str(key)) == [("key_found", "unknown")]
    assert await events_of(client, str(agent)) == [("agent_found", "unknown")]
    assert await events_of(client, str(session)) == [("session_begun", "old")]
    assert await superuser.fetchval("select count(*) from acts where seq is null") == 0


async def test_of_changes_at_once_the_last_record_is_of_the_last(client: Client):
    """Nobody's change is left out, and the row says what its newest record says."""
    agent, channel = await agent_of(client), await channel_of(client)
    people = [await key_of(client, name) for name in ("ann", "ben", "cat")]
    await asyncio.gather(
        *(
            client.call("PATCH", f"/v1/agents/{agent}", {"enabled": number % 2 == 0})
            for number in range(8)
        ),
        *(
            client.call(
                "POST", f"/v1/channels/{channel}/people",
                {"people": [{"address": f"U{number}", "keyId": key}]},
            )
            for number, key in enumerate(people)
        ),
    )  # fmt: skip
    assert await differences(client) == []
    told = await acts_of(client, agent)
    assert len({one["act"]["id"] for one in told}) == len(told)
    shown = (await client.call("GET", "/v1/agents")).body["agents"]
    (enabled,) = (one["enabled"] for one in shown if one["agentId"] == agent)
    assert told[-1]["act"]["enabled"] == enabled
