"""Every route with another organisation's ids: nothing is there, and nothing of it is listed."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from controlplane.api.server import ROUTES
from controlplane.auth import Permission
from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import Client, fresh_digest
from tests.support.followed_records import Traffic
from tests.support.grants import give
from tests.support.tenants import make_key, make_tenant

WITNESS = {"hash": "a" * 64, "resourceId": "file://x"}

BODIES: dict[str, Any] = {
    "POST /v1/approvals/{id}/resolve": {"resolution": "APPROVE"},
    "POST /v1/approvals/{id}/revalidate": {"witness": WITNESS},
    "POST /v1/approvals/{id}/consume": {"witness": WITNESS, "claimId": "c"},
    "POST /v1/approvals/{id}/void": {"reasonCode": "POLICY_CHANGED"},
    "PATCH /v1/agents/{id}": {"enabled": False},
    "POST /v1/stops/{id}/lift": {"reason": "theirs"},
    "POST /v1/runs/{id}/complete": {"terminalStatus": "FAILED"},
    "POST /v1/incidents/{id}/resolve": {"note": "theirs"},
    "POST /v1/outcomes/{decision}/settle": {"outcome": "executed", "note": "theirs"},
    "POST /v1/grants/{id}/revoke": {"reason": "theirs"},
    "POST /v1/decisions/{decision}/erase": {"reason": "theirs"},
    "PATCH /v1/channels/{id}": {"enabled": False},
    "POST /v1/channels/{id}/people": {"people": []},
    "POST /v1/policies/{id}/versions": {"document": "apiVersion: checkrein/v1"},
}
"""What a route needs to get as far as looking for the thing; the others take `{}`."""

TELL_NOTHING = {
    "POST /v1/limits/reservations/{token}/start": {"started": False},
    "POST /v1/limits/reservations/{token}/settle": {},
    "POST /v1/limits/reservations/{token}/release": {},
}
"""A token that is not one's own is like one that was never given: the same answer for both."""

OWN_NAMES = {"/v1/gateways/{gateway}/key"}
"""What a path names in the caller's own tenant, whoever else uses that name; `test_log` looks."""

PLACED = [one for one in ROUTES if "{" in one.path and one.path not in OWN_NAMES]
NAMED = {f"{one.method} {one.path}": one for one in PLACED}

EMPTY = {
    "/v1/approvals": "approvals",
    "/v1/approvals/answered": "answered",
    "/v1/decisions": "decisions",
    "/v1/agents": "agents",
    "/v1/agents/directory": "agents",
    "/v1/limits": "limits",
    "/v1/stops": "stops",
    "/v1/stops?all=true": "stops",
    "/v1/runs": "runs",
    "/v1/incidents": "incidents",
    "/v1/outcomes": "outcomes",
    "/v1/grants": "grants",
    "/v1/bundles": "bundles",
    "/v1/gateways": "gateways",
    "/v1/channels": "channels",
    "/v1/deliveries": "deliveries",
    "/v1/streams": "streams",
    "/v1/policies": "policies",
    "/v1/log/anchors": "anchors",
    "/v1/log/acts": "differences",
    "/v1/erasures": "erasures",
}
NO_LISTS = {
    "/v1/records",
    "/v1/me", "/v1/learner/mode", "/v1/approvals/counts", "/v1/keys", "/v1/bundles/key",
    "/v1/bundles/current", "/v1/exports/decisions", "/v1/exports/records", "/v1/log",
    "/v1/log/checkpoint", "/v1/log/checkpoints", "/v1/log/proof", "/v1/log/consistency",
    "/v1/log/export", "/v1/retention",
}  # fmt: skip
"""What is of the caller alone, or (`/v1/keys`) has at least their own key; `test_explorer` looks at
exports, `test_log` at the log. Every tenant has records of its own first keys."""


async def one_of_each(client: Client) -> dict[str, str]:
    """Something of every kind, by the first word of its path, under names of its own."""
    name = f"theirs-{uuid.uuid4().hex[:8]}"

    async def make(path: str, body: Any, *place: str, key: str = "admin") -> str:
        answer = await client.call("POST", path, body, key)
        assert answer.status == 201, answer
        found = answer.body
        for field in place:
            found = found[field]
        return str(found)

    scope = {"scopeType": "ORG", "scopeId": str(client.tenant_id)}
    rule = {
        "ruleId": str(uuid.uuid4()), "priority": 10, "targetType": "TOOL",
        "targetSelector": "read_file", "action": "ALLOW", "reasonCode": "READ", "enabled": True,
    }  # fmt: skip
    policy = {"scope": scope, "name": name, "defaultAction": "DENY", "rules": [rule]}
    incident = {"scope": scope, "severity": "LOW", "reasonCode": "X", "title": "t", "summary": "s"}
    channel = {"name": name, "webhook": {"url": "https://example.com/"}}
    person = {"name": name, "permissions": ["RunRead"]}
    demand = {
        "owner": "o", "now": 1_000_000, "claims": [{
            "limit": "l", "key": "k", "amount": 1, "max": 5, "since": 0, "windowSeconds": 60,
            "effect": "BLOCK", "mode": "enforce",
        }],
    }  # fmt: skip
    limited = await client.call("POST", "/v1/limits/reservations", demand, "gateway")
    asked = await client.ask(requestDigest=fresh_digest())
    traffic = Traffic(client)
    decision = traffic.decided("r", sends=True, agent=name)
    traffic.outcome(decision, "unknown")
    await traffic.ship()
    return {
        "approvals": asked["approvalId"],
        "agents": await make("/v1/agents", {"name": name}, "agent", "agentId"),
        "keys": await make("/v1/keys", person, "keyId"),
        "stops": await make(
            "/v1/stops", {"scope": "run", "name": "x", "reason": "r"}, "stop", "stopId"
        ),
        "runs": await make("/v1/runs", {"scope": scope, "agentId": "agent"}, "runId"),
        "incidents": await make("/v1/incidents", incident, "incident", "incidentId"),
        "grants": str((await give(client, name))["grantId"]),
        "channels": await make("/v1/channels", channel, "channel", "channelId"),
        "policies": await make("/v1/policies", policy, "policy", "policyId"),
        "limits": limited.body["token"],
        "deliveries": str(uuid.uuid4()),
        "outcomes": decision,
        "decisions": decision,
        "bundles": "1",
    }


@pytest.fixture
async def strangers(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
) -> dict[str, str]:
    """Keys of another organisation that open everything there is to open."""
    tenant = await make_tenant(postgres_server, database_name)
    everything = [one.value for one in Permission if one is not Permission.AGENT]
    people = [name for name in everything if name != "Gateway"]
    keys = {
        "person": await make_key(postgres_server, database_name, people, tenant=tenant),
        "gateway": await make_key(postgres_server, database_name, ["Gateway"], tenant=tenant),
    }
    for name, key in keys.items():
        client.keys[name + "-stranger"] = key
    return {name: name + "-stranger" for name in keys}


def key_for(one: Any, strangers: dict[str, str]) -> str:
    return strangers["gateway" if one.needs == {Permission.GATEWAY} else "person"]


def query(path: str) -> str:
    return "?before=1&after=1" if path.endswith("/diff") else ""


async def test_anothers_things_are_not_there(client: Client, strangers: dict[str, str]):
    """404 for every route and every kind of thing, reading and writing."""
    things = await one_of_each(client)
    wrong = {}
    for name, one in NAMED.items():
        thing = things[one.path.split("/")[2]]
        path = one.path.replace("{version}", "1")
        path = re.sub(r"\{(id|sequence|decision|token)\}", thing, path)
        body = None if one.method == "GET" else BODIES.get(name, {})
        answer = await client.call(one.method, path + query(path), body, key_for(one, strangers))
        if name in TELL_NOTHING:
            assert (answer.status, answer.body) == (200, TELL_NOTHING[name])
        elif (answer.status, answer.code) != (404, "NOT_FOUND"):
            wrong[name] = (answer.status, answer.body)
    assert wrong == {}, list(wrong.items())


async def test_our_own_things_are_there(client: Client):
    """The same ids for ourselves, so that the test above proves something."""
    things = await one_of_each(client)
    for name, one in NAMED.items():
        kind = one.path.split("/")[2]
        if one.method != "GET" or kind in {"bundles", "outcomes"}:
            continue
        path = one.path.replace("{id}", things[kind]).replace("{version}", "1")
        answer = await client.call("GET", path + query(path))
        assert answer.status == 200, (name, answer)


def test_every_list_is_looked_at():
    """A new one must be thought about."""
    lists = {one.path for one in ROUTES if one.method == "GET" and "{" not in one.path}
    assert lists == {path.partition("?")[0] for path in EMPTY} | NO_LISTS


async def test_nothing_of_anothers_is_listed(client: Client, strangers: dict[str, str]):
    """In no list, and in no count."""
    await one_of_each(client)
    by_path = {one.path: one for one in ROUTES if one.method == "GET"}
    for path, name in EMPTY.items():
        one = by_path[path.partition("?")[0]]
        answer = await client.call("GET", path, key=key_for(one, strangers))
        assert (answer.status, answer.body.get(name)) == (200, []), (path, answer)
    counts = (await client.call("GET", "/v1/approvals/counts", key=strangers["person"])).body
    assert set(counts.values()) == {0}
    keys = (await client.call("GET", "/v1/keys", key=strangers["person"])).body["keys"]
    assert {key["name"] for key in keys} == {"made"}
    records = (await client.call("GET", "/v1/records", key=strangers["person"])).body["records"]
    acts = [json.loads(record["line"]).get("act", {}) for record in records]
    assert {act.get("key") for act in acts} - {None} == {key["keyId"] for key in keys}
    assert {act.get("name") for act in acts} - {None} == {"made"}
