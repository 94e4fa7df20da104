"""What programs ask in their own name, about a state of which they bring the digest."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Answer, Client, ask_body
from tests.support.database import connect_as
from tests.support.tenants import make_key

HASH = "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2"
OTHER = "a" * 64
FILE = "file://src/auth/jwt.rs"


def question(**changes: Any) -> dict[str, Any]:
    """As the walk-through sends it."""
    return {
        "runId": "22222222-2222-2222-2222-222222222222",
        "stepIndex": 3,
        "policyId": "POLICY_ID_FROM_STEP_1",
        "ruleId": "00000000-0000-0000-0000-000000000030",
        "reasonCode": "WRITE_NEEDS_REVIEW",
        "requestedBy": "agent-codegen",
        "witness": {"hash": HASH, "resourceId": FILE},
        "ttlSeconds": 1800,
        **changes,
    }


async def key_of(client: Client, name: str, *permissions: str) -> str:
    made = await client.call("POST", "/v1/keys", {"name": name, "permissions": list(permissions)})
    assert made.status == 201, made
    return str(made.body["key"])


async def ask(client: Client, key: str = "admin", **changes: Any) -> dict[str, Any]:
    asked = await client.call("POST", "/v1/approvals", question(**changes), key)
    assert asked.status == 201, asked
    return dict(asked.body["approval"])


async def check(client: Client, approval: dict[str, Any], digest: str, key: str = "admin"):
    path = f"/v1/approvals/{approval['approvalId']}/revalidate"
    body = {"witness": {"hash": digest, "resourceId": FILE}}
    return await client.call("POST", path, body, key)


async def use(client: Client, approval: dict[str, Any], digest: str, claim: str = "") -> Answer:
    path = f"/v1/approvals/{approval['approvalId']}/consume"
    body = {"witness": {"hash": digest}, **({"claimId": claim} if claim else {})}
    return await client.call("POST", path, body)


async def test_the_walk_through(client: Client):
    """Asked, the state unchanged, the state changed: which changes nothing but what is noted."""
    approval = await ask(client)
    assert approval["origin"] == "api"
    assert approval["stepIndex"] == 3
    assert approval["witness"]["resourceId"] == FILE
    same = await check(client, approval, HASH)
    assert (same.status, same.body) == (200, {"witnessValid": True, "reasonCode": ""})
    changed = await check(client, approval, OTHER)
    assert changed.body == {"witnessValid": False, "reasonCode": "WITNESS_HASH_MISMATCH"}
    path = f"/v1/approvals/{approval['approvalId']}"
    shown = (await client.call("GET", path)).body["approval"]
    assert (shown["status"], shown["witnessNow"]["hash"]) == ("PENDING", OTHER)


async def test_it_is_used_once_on_the_state_that_was_approved(client: Client):
    """Not before somebody approves, not on another state, not twice; a claim may ask again."""
    approval = await ask(client)
    assert (await use(client, approval, HASH)).code == "APPROVAL_NOT_CONSUMABLE"
    assert (await client.resolve(approval["approvalId"], "APPROVE")).status == 200
    refused = await use(client, approval, OTHER)
    assert (refused.status, refused.reason_code) == (409, "WITNESS_HASH_MISMATCH")
    assert (await use(client, approval, HASH, "mine")).body["approval"]["status"] == "CONSUMED"
    assert (await use(client, approval, HASH, "mine")).status == 200
    assert (await use(client, approval, HASH, "yours")).status == 409
    assert (await use(client, approval, HASH)).status == 409
    assert (await check(client, approval, HASH)).body == {
        "witnessValid": False,
        "reasonCode": "APPROVAL_CONSUMED",
    }


@pytest.mark.parametrize("origin", ["program", "gateway"])
async def test_a_claim_is_of_the_key_that_made_it(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str, origin: str
):
    """Who reads or guesses what somebody else claimed gets no second act out of it."""
    if origin == "program":
        first = await key_of(client, "carl", "RunWrite")
        second = await key_of(client, "cora", "RunWrite")
        approval = await ask(client, first)
        body = {"witness": {"hash": HASH}, "claimId": "step-1"}
    else:
        first = "gateway"
        second = await make_key(postgres_server, database_name, ["Gateway"])
        approval = await client.ask()
        body = {"requestDigest": approval["requestDigest"], "claimId": approval["decisionId"]}
    await client.resolve(approval["approvalId"], "APPROVE")
    path = f"/v1/approvals/{approval['approvalId']}/consume"
    used = [await client.call("POST", path, body, key) for key in (first, first, second)]
    assert [one.status for one in used] == [200, 200, 409]


async def test_of_many_who_use_it_one_does(client: Client):
    """Fifty at once."""
    approval = await ask(client)
    await client.resolve(approval["approvalId"], "APPROVE")
    used = await asyncio.gather(*(use(client, approval, HASH) for _ in range(50)))
    assert sorted(one.status for one in used) == [200] + [409] * 49


async def test_it_is_never_joined(client: Client):
    """Not by the same question again, and not by a gateway that asks about its digest."""
    first, second = await ask(client), await ask(client)
    assert first["approvalId"] != second["approvalId"]
    assert first["requestDigest"] == second["requestDigest"]
    await client.resolve(first["approvalId"], "APPROVE")
    joined = await client.ask(agent="agent-codegen", requestDigest=first["requestDigest"])
    assert joined["approvalId"] not in {first["approvalId"], second["approvalId"]}
    assert joined["status"] == "PENDING"
    body = {"requestDigest": first["requestDigest"], "claimId": "c"}
    path = f"/v1/approvals/{first['approvalId']}/consume"
    assert (await client.call("POST", path, body, "gateway")).status == 409
    gateways = await client.ask(witness={"hash": HASH, "state": {"x": 1}})
    await client.resolve(gateways["approvalId"], "APPROVE")
    assert (await use(client, gateways, HASH)).status == 409
    assert (await check(client, gateways, OTHER)).body["witnessValid"] is False
    path = f"/v1/approvals/{gateways['approvalId']}"
    assert (await client.call("GET", path)).body["approval"]["witnessNow"] is None


async def test_nobody_speaks_in_a_gateways_name_nor_it_in_theirs(client: Client):
    """Each form of a question from those who may ask it."""
    writer = await key_of(client, "wanda", "ApprovalWrite")
    assert (await client.call("POST", "/v1/approvals", ask_body(), writer)).status == 403
    assert (await client.call("POST", "/v1/approvals", question(), "gateway")).status == 403
    program = await key_of(client, "ci", "RunWrite")
    approval = await ask(client, program)
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    assert (await client.call("POST", path, {"resolution": "APPROVE"}, program)).status == 403
    path = f"/v1/approvals/{approval['approvalId']}/consume"
    body = {"requestDigest": approval["requestDigest"], "claimId": "c"}
    assert (await client.call("POST", path, body, program)).status == 403


async def test_who_asks_cannot_approve(client: Client):
    """Neither whom the program names nor the person whose key it uses, under any key of theirs."""
    wanda = await key_of(client, "Wade", "ApprovalRead", "ApprovalWrite")
    again = await key_of(client, "wade", "ApprovalWrite")
    named = await key_of(client, "nina", "ApprovalWrite")
    approval = await ask(client, wanda, requestedBy="Nina")
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    for key in (wanda, again, named):
        refused = await client.call("POST", path, {"resolution": "APPROVE"}, key)
        assert (refused.status, refused.reason_code) == (403, "OWN_REQUEST")
    as_nina = {"resolution": "APPROVE", "resolvedBy": "nina"}
    assert (await client.call("POST", path, as_nina)).status == 403
    as_other = {"resolution": "APPROVE", "resolvedBy": "somebody else"}
    assert (await client.call("POST", path, as_other)).status == 200


async def test_an_agent_sees_only_what_it_asked(client: Client):
    """It asks in its own name, whatever it says; what others asked is not there for it."""
    mine = await ask(client, "agent", requestedBy="somebody")
    assert mine["agent"] != "somebody"
    assert (await check(client, mine, HASH, "agent")).body["witnessValid"] is True
    other = await ask(client)
    assert (await check(client, other, HASH, "agent")).status == 404
    held = await client.ask(agent=mine["agent"], witness={"hash": HASH, "state": {}})
    assert (await check(client, held, HASH, "agent")).status == 404
    path = f"/v1/approvals/{mine['approvalId']}/resolve"
    assert (await client.call("POST", path, {"resolution": "APPROVE"}, "agent")).status == 403


BAD = {
    "no witness": {"witness": None},
    "a hash of another length": {"witness": {"hash": "ab"}},
    "a hash in capitals": {"witness": {"hash": HASH.upper()}},
    "nobody": {"requestedBy": ""},
    "no time": {"ttlSeconds": 0},
    "years": {"ttlSeconds": 10**9},
    "a step before the first": {"stepIndex": -1},
    "a huge step": {"stepIndex": 2**40},
    "an unknown field": {"approved": True},
}


async def test_a_bad_question_is_refused(client: Client):
    """422, in the words of its own form."""
    for name, change in BAD.items():
        refused = await client.call("POST", "/v1/approvals", question(**change))
        assert (refused.status, refused.code) == (422, "INVALID_ARGUMENT"), name
    for body in ([], "text", 5, {}):
        assert (await client.call("POST", "/v1/approvals", body)).status == 422, body


async def test_programs_cannot_bury_the_queue(client: Client, monkeypatch: pytest.MonkeyPatch):
    """Whatever names they take, they share one number; gateways are not among them."""
    monkeypatch.setattr("controlplane.services.approvals.programs.PENDING_COUNT_MAX", 0)
    refused = await client.call("POST", "/v1/approvals", question(requestedBy="somebody new"))
    assert (refused.status, refused.reason_code) == (429, "APPROVALS_FULL")
    assert (await client.ask())["status"] == "PENDING"


async def test_what_is_anothers_is_not_there(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Every route that takes an id, with a key of another tenant."""
    approval = await ask(client)
    key = "another-tenants-key-0123456789"
    connection = await connect_as(postgres_server, Role.SUPERUSER, database_name)
    try:
        await connection.execute(
            "with t as (insert into tenants values (gen_random_uuid(), 'another') returning *) "
            "insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, permissions) "
            "select gen_random_uuid(), tenant_id, 'eve', 'another-', $1, '{Admin}' from t",
            hashlib.sha256(key.encode()).digest(),
        )
    finally:
        await connection.close()
    bodies = {
        "resolve": {"resolution": "APPROVE"},
        "revalidate": {"witness": {"hash": HASH}},
        "consume": {"witness": {"hash": HASH}},
    }
    path = f"/v1/approvals/{approval['approvalId']}"
    for verb, body in bodies.items():
        assert (await client.call("POST", f"{path}/{verb}", body, key)).status == 404, verb
    for place in (path, f"{path}/context"):
        assert (await client.call("GET", place, key=key)).status == 404, place
    assert (await client.call("GET", "/v1/approvals", key=key)).body["approvals"] == []
    counts = (await client.call("GET", "/v1/approvals/counts", key=key)).body
    assert set(counts.values()) == {0}
    assert await client.status_of(approval["approvalId"]) == "PENDING"
