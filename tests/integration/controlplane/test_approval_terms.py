"""Terms beyond groups and quorum: words with a yes, who is asked next, who can't approve."""

from __future__ import annotations

import asyncio
from typing import Any

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Client, ask_body
from tests.support.database import connect_as

WRITER = ["ApprovalRead", "ApprovalWrite"]


async def person(client: Client, name: str, *groups: str) -> str:
    """A new person's key."""
    body = {"name": name, "permissions": WRITER, "groups": list(groups)}
    made = await client.call("POST", "/v1/keys", body)
    assert made.status == 201, made
    return str(made.body["key"])


def terms(**changes: Any) -> dict[str, Any]:
    return {**ask_body()["terms"], **changes}


async def resolve(client: Client, approval: dict[str, Any], key: str, what: str, why: str = ""):
    body = {"resolution": what, **({"reason": why} if why else {})}
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    return await client.call("POST", path, body, key)


async def test_a_yes_needs_words_where_the_rule_wants_them(client: Client):
    """Blanks are no words; a no needs none; each of a quorum says their own."""
    ann, bob = await person(client, "ann"), await person(client, "bob")
    approval = await client.ask(terms=terms(commentRequired=True, quorum=2))
    for nothing in ("", "  \n\t "):
        refused = await resolve(client, approval, ann, "APPROVE", nothing)
        assert (refused.status, refused.reason_code) == (422, "COMMENT_WANTED")
    assert (await resolve(client, approval, ann, "APPROVE", "ticket 7")).status == 200
    assert (await resolve(client, approval, bob, "APPROVE")).status == 422
    done = await resolve(client, approval, bob, "APPROVE", "seen it")
    assert done.body["approval"]["status"] == "APPROVED"
    said = [(one["answeredBy"], one["comment"]) for one in done.body["approval"]["answers"]]
    assert said == [("ann", "ticket 7"), ("bob", "seen it")]
    other = await client.ask(terms=terms(commentRequired=True))
    assert (await resolve(client, other, ann, "REJECT")).status == 200


async def test_who_is_asked_next_can_answer_only_then(client: Client):
    """By a person's wish: once, noted, told to followers, and no time is lost or won."""
    fin, lead = await person(client, "fin", "finance"), await person(client, "lea", "leads")
    stranger = await person(client, "stranger")
    approval = await client.ask(terms=terms(groups=["finance"], escalateTo=["leads"]))
    assert approval["escalation"] is None
    assert (await resolve(client, approval, lead, "APPROVE")).reason_code == "NOT_AN_APPROVER"
    assert (await resolve(client, approval, lead, "ESCALATE")).reason_code == "NOT_AN_APPROVER"
    assert (await resolve(client, approval, stranger, "ESCALATE")).status == 403

    escalated = await resolve(client, approval, fin, "ESCALATE", "not mine to say")
    shown = escalated.body["approval"]
    assert (escalated.status, shown["status"]) == (200, "PENDING")
    assert shown["expiresAt"] == approval["expiresAt"]
    assert shown["escalation"]["by"] == "fin"
    assert shown["escalation"]["comment"] == "not mine to say"
    assert shown["escalation"]["to"] == ["leads"]
    again = await resolve(client, approval, lead, "ESCALATE")
    assert (again.status, again.reason_code) == (409, "ESCALATED_BEFORE")
    assert (await resolve(client, approval, stranger, "APPROVE")).status == 403
    assert (await resolve(client, approval, lead, "APPROVE")).body["approval"]["status"] == (
        "APPROVED"
    )
    over = await resolve(client, approval, fin, "ESCALATE")
    assert (over.status, over.code) == (409, "APPROVAL_NOT_PENDING")


async def test_time_escalates_what_nobody_answers(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """The sweeper does it, and it is an event that is followed."""
    lead = await person(client, "lou", "leads")
    asked = terms(groups=["finance"], escalateTo=["leads"], escalateAfterSeconds=1)
    approval = await client.ask(terms=asked)
    async with asyncio.timeout(10):
        while approval["escalation"] is None:
            path = f"/v1/approvals/{approval['approvalId']}?waitSeconds=0.2"
            approval = (await client.call("GET", path)).body["approval"]
    assert (approval["escalation"]["by"], approval["status"]) == (None, "PENDING")
    assert (await resolve(client, approval, lead, "APPROVE")).status == 200
    connection = await connect_as(postgres_server, Role.SUPERUSER, database_name)
    try:
        changes = await connection.fetch(
            "select change from events where subject_id = $1 order by event_seq",
            approval["approvalId"],
        )
    finally:
        await connection.close()
    assert [row["change"] for row in changes] == ["PENDING", "ESCALATED", "APPROVED"]


async def test_whom_the_agents_label_names_cannot_approve(client: Client):
    """The label is read where agents are kept; what a gateway says of people is not asked."""
    body = {"name": "runner", "labels": {"owner": " Olga "}}
    assert (await client.call("POST", "/v1/agents", body)).status == 201
    olga, other = await person(client, "olga"), await person(client, "otto")
    approval = await client.ask(agent="runner", terms=terms(requesterLabels=["owner", "none"]))
    assert approval["requesters"] == ["olga"]
    refused = await resolve(client, approval, olga, "APPROVE")
    assert (refused.status, refused.reason_code) == (403, "OWN_REQUEST")
    assert await client.status_of(approval["approvalId"]) == "PENDING"
    assert (await resolve(client, approval, other, "APPROVE")).status == 200
    mine = await client.ask(agent="runner", terms=terms(requesterLabels=["owner"]))
    assert (await resolve(client, mine, olga, "REJECT")).status == 200


async def test_the_reason_of_a_no_is_there_for_the_agent(client: Client):
    """What the gateway reads to tell the agent why."""
    approval = await client.ask()
    await client.resolve(approval["approvalId"], "DENY", reason="refunded last week")
    path = f"/v1/approvals/{approval['approvalId']}"
    told = (await client.call("GET", path, key="gateway")).body["approval"]
    assert (told["status"], told["comment"]) == ("DENIED", "refunded last week")
    assert [one["through"] for one in told["answers"]] == ["api"]
