"""Grants through the API: who may give them, giving, looking, revoking."""

from __future__ import annotations

from typing import Any

from tests.support.control_plane import Client


async def person(client: Client, name: str, *groups: str, **more: Any) -> str:
    """The key of somebody who may answer."""
    body = {
        "name": name,
        "permissions": ["ApprovalRead", "ApprovalWrite"],
        "groups": list(groups),
        **more,
    }
    made = await client.call("POST", "/v1/keys", body)
    assert made.status == 201, made
    key: str = made.body["key"]
    return key


async def approve(
    client: Client, approval: dict[str, Any], key: str = "admin", **grant: Any
) -> Any:
    """Approve with a grant; the whole answer."""
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    return await client.call("POST", path, {"resolution": "APPROVE", "grant": grant}, key)


async def give(client: Client, agent: str, wish: Any = None, **changes: Any) -> dict[str, Any]:
    """Ask for this agent and approve it with a grant; the grant."""
    approval = await client.ask(agent=agent, **changes)
    answered = await approve(client, approval, **(wish or {}))
    assert answered.status == 200, answered
    grant: dict[str, Any] = answered.body["grant"]
    assert grant["status"] == "ACTIVE"
    return grant


async def show(client: Client, grant: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """A grant and its uses, as they are now."""
    got = await client.call("GET", f"/v1/grants/{grant['grantId']}")
    assert got.status == 200, got
    return got.body["grant"], got.body["uses"]


async def revoke(client: Client, grant: dict[str, Any], key: str = "admin") -> Any:
    path = f"/v1/grants/{grant['grantId']}/revoke"
    return await client.call("POST", path, {"reason": "enough"}, key)


def terms(*groups: str, quorum: int = 1, witness: bool = False) -> dict[str, Any]:
    return {
        "groups": list(groups), "quorum": quorum, "timeoutSeconds": 60, "witnessRequired": witness,
    }  # fmt: skip
