"""The answer of a key that was taken away lets nothing through any more."""

from __future__ import annotations

from typing import Any

from tests.support.control_plane import Client, fresh_digest


async def make_person(client: Client, name: str) -> dict[str, Any]:
    body = {"name": name, "permissions": ["ApprovalRead", "ApprovalWrite"]}
    made: dict[str, Any] = (await client.call("POST", "/v1/keys", body)).body
    return made


async def approve(client: Client, approval: dict[str, Any], person: dict[str, Any]) -> str:
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    told = await client.call("POST", path, {"resolution": "APPROVE"}, person["key"])
    status: str = told.body["approval"]["status"]
    return status


async def revoke(client: Client, person: dict[str, Any]) -> None:
    told = await client.call("POST", f"/v1/keys/{person['keyId']}/revoke", {})
    assert told.status == 200


async def test_what_a_revoked_key_approved_is_not_used_but_asked_anew(client: Client):
    """A stolen key approved, and was revoked before the agent sent it: the approval can't be used,
    and the same act is a new question."""
    thief, ann = await make_person(client, "thief"), await make_person(client, "ann")
    digest = fresh_digest()
    first = await client.ask(requestDigest=digest)
    assert await approve(client, first, thief) == "APPROVED"
    await revoke(client, thief)

    refused = await client.consume(first, "claim-1")
    assert (refused.status, refused.code) == (409, "APPROVAL_NOT_CONSUMABLE")
    second = await client.ask(requestDigest=digest)
    assert (second["status"], second["approvalId"] != first["approvalId"]) == ("PENDING", True)
    assert await client.status_of(first["approvalId"]) == "CANCELLED"
    assert await approve(client, second, ann) == "APPROVED"
    assert (await client.consume(second, "claim-2")).status == 200


async def test_a_quorum_that_holds_without_the_revoked_key_still_holds(client: Client):
    """One person approved by two keys, of which one is left: they are still one of the two."""
    one, other = await make_person(client, "eve"), await make_person(client, "EVE")
    asked = {"groups": [], "quorum": 2, "timeoutSeconds": 60, "witnessRequired": False}
    approval = await client.ask(terms=asked)
    assert await approve(client, approval, one) == "PENDING"
    assert await approve(client, approval, other) == "PENDING"
    assert await approve(client, approval, await make_person(client, "bob")) == "APPROVED"
    await revoke(client, one)
    assert (await client.consume(approval, "claim-1")).status == 200


async def test_what_was_used_stays_used(client: Client):
    """Revoked after the release: the claim that used it hears the same again."""
    eve = await make_person(client, "late")
    approval = await client.ask()
    await approve(client, approval, eve)
    assert (await client.consume(approval, "claim-1")).status == 200
    await revoke(client, eve)
    assert (await client.consume(approval, "claim-1")).status == 200
