"""What a reviewer is told beside a question."""

from __future__ import annotations

from typing import Any

from tests.support.chains import chain
from tests.support.control_plane import Client, ask_body

STRANGER = "11111111-1111-1111-1111-111111111111"


async def context_of(client: Client, approval: dict[str, Any], key: str = "admin") -> Any:
    path = f"/v1/approvals/{approval['approvalId']}/context"
    return await client.call("GET", path, key=key)


def decided(number: int, agent: str, outcome: str | None) -> list[dict[str, Any]]:
    """The records of a decision, as a gateway writes them."""
    act = {
        "operation": "stripe.charges.retrieve", "action": "get_charge", "kind": "read",
        "target": {"type": "charge", "id": f"ch_{number}"}, "params": {},
    }  # fmt: skip
    decision = {
        "kind": "intent", "decision_id": f"dec_{agent}_{number}", "agent": agent,
        "provider": "stripe", "effect": "ALLOW", "reason_code": "SAFE_READ", "actions": [act],
    }  # fmt: skip
    if outcome is None:
        return [decision]
    ended = {"kind": "outcome", "decision_id": decision["decision_id"], "agent": agent}
    return [decision, {**ended, "outcome": outcome, "status": 200}]


async def ingest(client: Client, gateway: str, entries: list[dict[str, Any]]) -> None:
    body = {"gatewayId": gateway, "records": chain(gateway, entries)}
    sent = await client.call("POST", "/v1/records", body, "gateway")
    assert sent.status < 300, sent


async def test_who_asks_and_what_was_before(client: Client):
    """Labels, the last ten decisions newest first with what became of them, and not those of
    another agent."""
    body = {"name": "seller", "labels": {"team": "shop"}}
    assert (await client.call("POST", "/v1/agents", body)).status == 201
    entries = [entry for n in range(12) for entry in decided(n, "seller", "executed")]
    entries += decided(99, "seller", None) + decided(1, "buyer", "executed")
    await ingest(client, "g-context", entries)
    told = (await context_of(client, await client.ask(agent="seller"))).body
    assert told["agent"] == {"name": "seller", "labels": {"team": "shop"}, "isKnown": True}
    assert [one["decisionId"] for one in told["recent"]] == [
        "dec_seller_99", *(f"dec_seller_{n}" for n in range(11, 2, -1))
    ]  # fmt: skip
    assert [one["outcome"] for one in told["recent"]][:2] == [None, "executed"]
    assert told["recent"][0]["target"] == {"type": "charge", "id": "ch_99"}
    assert told["request"]["method"] == "POST"
    assert told["request"]["fields"] == {"amount": 9000, "currency": "usd"}
    assert 1700 < told["secondsLeft"] <= 1800
    assert (await context_of(client, await client.ask(agent="nobody"))).body["agent"] == {
        "name": "nobody", "labels": {}, "isKnown": False,
    }  # fmt: skip


async def test_the_rest_of_the_request_is_shown(client: Client):
    """Not only what a mapper reads of it; and nothing where a gateway said nothing."""
    raw = {"headers": {"stripe-account": "acct_1"}, "bodyBytes": 23, "body": {"expand": ["x"]}}
    asked = await client.ask(request=raw)
    context = await client.call("GET", f"/v1/approvals/{asked['approvalId']}/context")
    assert raw.items() <= context.body["request"].items()
    bare = await client.ask()
    context = await client.call("GET", f"/v1/approvals/{bare['approvalId']}/context")
    assert context.body["request"]["headers"] == {}
    assert context.body["request"]["body"] is None


async def test_how_the_same_action_ended_before(client: Client):
    """For this agent and for everyone; other actions are not counted."""
    acts = [("a", "APPROVE"), ("a", "REJECT"), ("b", "REJECT"), ("b", "CANCEL")]
    for agent, what in acts:
        approval = await client.ask(agent=agent, action="ship", provider="shop")
        await client.resolve(approval["approvalId"], what)
    await client.ask(agent="a", action="other", provider="shop")
    told = await context_of(client, await client.ask(agent="a", action="ship", provider="shop"))
    history = told.body["history"]
    assert history["agent"] == {"APPROVED": 1, "DENIED": 1, "PENDING": 1}
    assert history["everyone"] == {"APPROVED": 1, "DENIED": 2, "CANCELLED": 1, "PENDING": 1}


async def test_whether_i_may_approve_it(client: Client):
    """By the groups of the key, and never as a machine."""
    body = {"name": "fin", "permissions": ["ApprovalRead", "ApprovalWrite"], "groups": ["finance"]}
    key = (await client.call("POST", "/v1/keys", body)).body["key"]
    terms = {**ask_body()["terms"], "groups": ["finance"]}
    approval = await client.ask(agent="lists", terms=terms)
    assert (await context_of(client, approval, key)).body["mayApprove"] is True
    assert (await context_of(client, approval)).body["mayApprove"] is False
    assert (await context_of(client, approval, "gateway")).status == 403

    mine = await client.call("GET", "/v1/approvals?mine=true&agent=lists", key=key)
    assert [one["approvalId"] for one in mine.body["approvals"]] == [approval["approvalId"]]
    others = await client.call("GET", "/v1/approvals?mine=true&agent=lists")
    assert others.body["approvals"] == []
    counts = (await client.call("GET", "/v1/approvals/counts", key=key)).body
    everyone = (await client.call("GET", "/v1/approvals/counts")).body
    assert counts["mine"] == everyone["mine"] + 1
    assert counts["pending"] == everyone["pending"] >= 1


async def test_lists_are_narrowed(client: Client):
    """By run, provider, action, and since when."""
    one = await client.ask(agent="narrow", runId="r1", provider="p1", action="a1")
    two = await client.ask(agent="narrow", runId="r2", provider="p2", action="a2")
    wanted = {
        "run=r1": [one],
        "provider=p2": [two],
        "action=a1": [one],
        "action=a1&provider=p2": [],
        f"since={two['createdAt'].replace('+', '%2B')}": [two],
        "since=2020-01-01T00:00:00Z": [two, one],
    }
    for query, found in wanted.items():
        listed = await client.call("GET", f"/v1/approvals?agent=narrow&{query}")
        ids = [each["approvalId"] for each in listed.body["approvals"]]
        assert ids == [each["approvalId"] for each in found], query
    assert (await client.call("GET", "/v1/approvals?since=yesterday")).status == 422


async def test_what_is_not_there_is_not_found(client: Client):
    """404, as for another tenant's."""
    told = await client.call("GET", f"/v1/approvals/{STRANGER}/context")
    assert told.status == 404
