"""What an agent's key opens: itself, and its own approvals' state. Nothing else, and no answer."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from controlplane.api.server import ROUTES
from controlplane.auth import Permission
from tests.support.control_plane import Client

FOR_AGENTS = {
    ("GET", "/v1/me"),
    ("GET", "/v1/approvals/{id}/status"),
    ("POST", "/v1/approvals"),
    ("POST", "/v1/approvals/{id}/revalidate"),
    ("POST", "/v1/approvals/{id}/consume"),
    ("GET", "/v1/runs"),
    ("POST", "/v1/runs"),
    ("GET", "/v1/runs/{id}"),
    ("GET", "/v1/runs/{id}/steps"),
    ("POST", "/v1/runs/{id}/complete"),
}
"""Each is tried here or with its resource: of another agent's thing it says that there is none."""


def test_agents_have_these_routes_and_no_other():
    """A new one must be thought about: whatever an agent can reach, its prompt can reach."""
    opened = {(one.method, one.path) for one in ROUTES if Permission.AGENT in one.needs}
    assert opened == FOR_AGENTS


async def other_agent(client: Client) -> tuple[str, str]:
    """Another agent's name and key."""
    name = f"a-{uuid.uuid4().hex[:8]}"
    made = await client.call("POST", "/v1/agents", {"name": name})
    return name, made.body["key"]


async def test_every_key_may_ask_whose_it_is(client: Client):
    """An agent's says so; no secret is in the answer."""
    mine = await client.call("GET", "/v1/me", key="agent")
    assert mine.body == {
        "tenantId": str(client.tenant_id),
        "keyId": mine.body["keyId"],
        "name": "agent",
        "permissions": ["Agent"],
        "groups": [],
        "agent": "agent",
    }
    admins = (await client.call("GET", "/v1/me")).body
    assert (admins["permissions"], admins["agent"]) == (["Admin"], None)


async def test_an_agent_reads_the_state_of_its_own_approval(client: Client):
    """Status, end and reason; what the reviewer saw and said to others stays with them."""
    asked = await client.ask()
    path = f"/v1/approvals/{asked['approvalId']}/status"
    before = (await client.call("GET", path, key="agent")).body
    assert before == {
        "approvalId": asked["approvalId"],
        "status": "PENDING",
        "expiresAt": asked["expiresAt"],
        "resolvedAt": None,
        "reasonCode": "WRITE_NEEDS_REVIEW",
        "reason": None,
    }
    await client.resolve(asked["approvalId"], "REJECT", reason="not this week")
    after = (await client.call("GET", path, key="agent")).body
    assert (after["status"], after["reason"]) == ("DENIED", "not this week")


async def test_an_agent_is_woken_by_the_answer(client: Client):
    """It may wait for it."""
    asked = await client.ask()
    path = f"/v1/approvals/{asked['approvalId']}/status?waitSeconds=20"
    waiting = asyncio.create_task(client.call("GET", path, key="agent"))
    await asyncio.sleep(0)
    await client.resolve(asked["approvalId"], "APPROVE")
    async with asyncio.timeout(15):
        assert (await waiting).body["status"] == "APPROVED"


async def test_anothers_approval_is_like_none(client: Client):
    """The same answer, waiting or not, for another agent of the same organisation."""
    _, stranger = await other_agent(client)
    asked = await client.ask()
    for known in (asked["approvalId"], str(uuid.uuid4())):
        for query in ("", "?waitSeconds=20"):
            async with asyncio.timeout(15):
                path = f"/v1/approvals/{known}/status{query}"
                answer = await client.call("GET", path, key=stranger)
            assert (answer.status, answer.code) == (404, "NOT_FOUND")
            assert answer.body["error"]["message"] == "there is no such approval"


FORBIDDEN = {
    "to read the question": ("GET", ""),
    "to read what reviewers see": ("GET", "/context"),
    "to answer": ("POST", "/resolve"),
    "to void": ("POST", "/void"),
}


@pytest.mark.parametrize("case", FORBIDDEN)
async def test_an_agent_may_not(client: Client, case: str):
    """403, of its own approval too."""
    method, rest = FORBIDDEN[case]
    asked = await client.ask()
    path = f"/v1/approvals/{asked['approvalId']}{rest}"
    body = {"resolution": "APPROVE"} if method == "POST" else None
    answer = await client.call(method, path, body, "agent")
    assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")
    assert await client.status_of(asked["approvalId"]) == "PENDING"


async def test_an_agent_does_not_consume_what_a_gateway_holds(client: Client):
    """Approved and known by its digest, it is still the gateway's to use."""
    asked = await client.ask()
    await client.resolve(asked["approvalId"], "APPROVE")
    body = {"requestDigest": asked["requestDigest"], "claimId": "mine"}
    path = f"/v1/approvals/{asked['approvalId']}/consume"
    refused = await client.call("POST", path, body, "agent")
    assert (refused.status, refused.code) == (403, "PERMISSION_DENIED")
    assert await client.status_of(asked["approvalId"]) == "APPROVED"


async def test_the_learners_mode_is_set_and_read(client: Client):
    """MONITOR until somebody says otherwise; another organisation's scope is none."""
    scope = {"scopeType": "ORG", "scopeId": str(client.tenant_id)}
    before = await client.call("GET", "/v1/learner/mode")
    assert before.body == {"scope": scope, "mode": "MONITOR", "setBy": None, "setAt": None}
    body = {"scope": scope, "mode": "ENFORCE"}
    written = await client.call("PUT", "/v1/learner/mode", body)
    assert (written.status, written.body["mode"], written.body["setBy"]) == (
        200,
        "ENFORCE",
        "admin",
    )
    query = f"?scopeType=ORG&scopeId={client.tenant_id}"
    assert (await client.call("GET", f"/v1/learner/mode{query}")).body == written.body
    elsewhere = {"scopeType": "ORG", "scopeId": str(uuid.uuid4())}
    other = await client.call("PUT", "/v1/learner/mode", {"scope": elsewhere, "mode": "MONITOR"})
    assert (other.status, other.code) == (404, "NOT_FOUND")
    assert (await client.call("GET", "/v1/learner/candidates")).status == 404
