"""A gateway voids an approval at the same moment as somebody answers or uses it."""

from __future__ import annotations

import asyncio

from tests.support.control_plane import Answer, Client

ROUNDS = 25


async def void(client: Client, approval_id: str) -> Answer:
    body = {"reasonCode": "WITNESS_HASH_MISMATCH"}
    path = f"/v1/approvals/{approval_id}/void"
    return await client.call("POST", path, body, client.keys["gateway"])


async def test_what_is_void_is_not_used_and_what_is_used_is_not_void(client: Client):
    """One of the two wins, and the approval is as the winner left it."""
    for _ in range(ROUNDS):
        approval = await client.ask()
        approval_id = approval["approvalId"]
        await client.resolve(approval_id, "APPROVE")
        used, voided = await asyncio.gather(
            client.consume(approval, "claim"), void(client, approval_id)
        )
        assert sorted((used.status, voided.status)) == [200, 409]
        wanted = "CONSUMED" if used.status == 200 else "CANCELLED"
        assert await client.status_of(approval_id) == wanted


async def test_no_answer_brings_back_what_is_void(client: Client):
    """Whoever comes first, it ends as void, and can't be used."""
    for _ in range(ROUNDS):
        approval = await client.ask()
        approval_id = approval["approvalId"]
        answered, voided = await asyncio.gather(
            client.resolve(approval_id, "APPROVE"), void(client, approval_id)
        )
        assert voided.status == 200
        assert answered.status in (200, 409)
        assert await client.status_of(approval_id) == "CANCELLED"
        assert (await client.consume(approval, "claim")).status == 409


async def test_only_a_gateway_voids(client: Client):
    """An agent's key could otherwise ask anew until somebody says yes; people cancel instead."""
    approval = await client.ask()
    path = f"/v1/approvals/{approval['approvalId']}/void"
    for role in ("agent", "admin"):
        told = await client.call(
            "POST", path, {"reasonCode": "WITNESS_HASH_MISMATCH"}, client.keys[role]
        )
        assert told.status == 403, role
    assert await client.status_of(approval["approvalId"]) == "PENDING"
