"""Who may let an approval through: groups, a quorum of distinct people, and their races."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Client
from tests.support.database import connect_as

DONE = (200, "", "APPROVED")
COUNTED = (200, "", "PENDING")
NO_MEMBER = (403, "PERMISSION_DENIED", "PENDING")
TWICE = (409, "ALREADY_EXISTS", "PENDING")


@dataclass(frozen=True)
class Asked:
    """Terms, and the people who approve in turn with what each of them gets."""

    groups: tuple[str, ...]
    quorum: int
    answers: tuple[tuple[str, tuple[int, str, str]], ...]


QUESTIONS = {
    "without terms anybody may": Asked((), 1, (("none", DONE),)),
    "one of the group may": Asked(("finance",), 1, (("ann", DONE),)),
    "nobody else may": Asked(("finance",), 1, (("none", NO_MEMBER), ("sue", NO_MEMBER))),
    "one of several groups may": Asked(("finance", "security"), 1, (("sue", DONE),)),
    "the first of two is counted": Asked((), 2, (("ann", COUNTED), ("bob", DONE))),
    "nobody counts twice": Asked((), 2, (("ann", COUNTED), ("ann", TWICE), ("bob", DONE))),
    "two keys of one person count once": Asked((), 2, (("ann", COUNTED), ("ann2", COUNTED))),
    "all of a quorum are members": Asked(
        ("finance",), 2, (("ann", COUNTED), ("none", NO_MEMBER), ("bob", DONE))
    ),
}


async def make_people(client: Client) -> dict[str, str]:
    """A key for each person, through the API."""
    people = {
        "ann": ("ann", ["finance"]),
        "ann2": ("Ann", ["finance"]),
        "bob": ("bob", ["finance", "security"]),
        "sue": ("sue", ["security"]),
        "none": ("nobody", []),
    }
    keys = {}
    for word, (name, groups) in people.items():
        body = {"name": name, "permissions": ["ApprovalRead", "ApprovalWrite"], "groups": groups}
        made = await client.call("POST", "/v1/keys", body)
        assert made.status == 201, made
        keys[word] = made.body["key"]
    return keys


async def answer(client: Client, approval_id: str, key: str, resolution: str = "APPROVE"):
    path = f"/v1/approvals/{approval_id}/resolve"
    return await client.call("POST", path, {"resolution": resolution}, key)


def terms(groups: tuple[str, ...], quorum: int) -> dict[str, object]:
    return {
        "groups": list(groups), "quorum": quorum, "timeoutSeconds": 60, "witnessRequired": False,
    }  # fmt: skip


async def test_every_answer_counts_as_the_table_says(client: Client):
    """Groups and quorum, answer by answer, with the state that each leaves behind."""
    people = await make_people(client)
    for name, asked in QUESTIONS.items():
        approval = await client.ask(terms=terms(asked.groups, asked.quorum))
        for person, (status, code, then) in asked.answers:
            got = await answer(client, approval["approvalId"], people[person])
            assert (got.status, got.code) == (status, code), (name, person)
            assert await client.status_of(approval["approvalId"]) == then, (name, person)


async def test_one_no_is_enough_whoever_says_it(client: Client):
    """A quorum is for letting through; anybody who may answer at all may refuse, and is named."""
    people = await make_people(client)
    approval = await client.ask(terms=terms(("finance",), 2))
    await answer(client, approval["approvalId"], people["ann"])
    denied = await answer(client, approval["approvalId"], people["sue"], "REJECT")
    assert denied.body["approval"]["status"] == "DENIED"
    said = [(one["answeredBy"], one["answer"]) for one in denied.body["approval"]["answers"]]
    assert said == [("ann", "APPROVED"), ("sue", "DENIED")]


async def test_nobody_answers_in_the_name_of_another(client: Client):
    """The name of a person's own key is recorded, whatever is sent beside it."""
    people = await make_people(client)
    approval = await client.ask(terms=terms(("finance",), 1))
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    body = {"resolution": "APPROVE", "resolvedBy": "bob"}
    answered = (await client.call("POST", path, body, people["ann"])).body["approval"]
    assert answered["resolvedBy"] == "ann"
    assert [one["answeredBy"] for one in answered["answers"]] == ["ann"]


async def test_answers_at_the_same_moment_all_count(client: Client):
    """Two who approve at once make a quorum of two, each time; nobody's answer gets lost."""
    people = await make_people(client)
    for _ in range(20):
        approval = await client.ask(terms=terms((), 2))
        await asyncio.gather(
            *(answer(client, approval["approvalId"], people[one]) for one in ("ann", "bob"))
        )
        assert await client.status_of(approval["approvalId"]) == "APPROVED"


async def test_the_answer_of_a_revoked_key_counts_no_more(client: Client):
    """Ann's key is stolen and revoked: Bob alone makes no quorum of two."""
    people = await make_people(client)
    approval = await client.ask(terms=terms((), 2))
    await answer(client, approval["approvalId"], people["ann"])
    listed = (await client.call("GET", "/v1/keys")).body["keys"]
    of_ann = next(key["keyId"] for key in listed if key["name"] == "ann" and not key["revokedAt"])
    assert (await client.call("POST", f"/v1/keys/{of_ann}/revoke", {})).status == 200
    assert (await answer(client, approval["approvalId"], people["ann"])).status == 401
    got = await answer(client, approval["approvalId"], people["bob"])
    assert got.body["approval"]["status"] == "PENDING"
    got = await answer(client, approval["approvalId"], people["sue"])
    assert got.body["approval"]["status"] == "APPROVED"


async def test_no_statement_gets_past_the_quorum(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """The owner of the tables can't approve by an update, nor change or delete an answer."""
    people = await make_people(client)
    approval = await client.ask(terms=terms((), 2))
    await answer(client, approval["approvalId"], people["ann"])
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        with pytest.raises(asyncpg.CheckViolationError, match="needs 2 people"):
            await connection.execute(
                "update approvals set status = 'APPROVED' where approval_id = $1",
                approval["approvalId"],
            )
        for statement in (
            "update approval_answers set key_id = key_id",
            "delete from approval_answers",
            "truncate approval_answers",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_keys_are_made_listed_and_revoked(client: Client):
    """A key is shown once; the list tells everything but the key; a revoked one is refused."""
    body = {"name": "eve", "permissions": ["ApprovalRead"], "expiresInSeconds": 3600}
    made = (await client.call("POST", "/v1/keys", body)).body
    assert (await client.call("GET", "/v1/approvals", key=made["key"])).status == 200
    assert (await client.call("GET", "/v1/keys", key=made["key"])).status == 403
    listed = await client.call("GET", "/v1/keys")
    found = next(key for key in listed.body["keys"] if key["keyId"] == made["keyId"])
    assert (found["name"], found["permissions"], found["groups"]) == ("eve", ["ApprovalRead"], [])
    assert found["expiresAt"] > found["createdAt"]
    assert made["key"] not in str(listed.body)
    for _ in range(2):
        assert (await client.call("POST", f"/v1/keys/{made['keyId']}/revoke", {})).status == 200
    assert (await client.call("GET", "/v1/approvals", key=made["key"])).status == 401


BAD_KEYS = {
    "no permission at all": {"name": "x", "permissions": []},
    "a permission that does not exist": {"name": "x", "permissions": ["Everything"]},
    "an agent's key without its agent": {"name": "x", "permissions": ["Agent"]},
    "a group with odd signs": {"name": "x", "permissions": ["Admin"], "groups": ["A B"]},
    "a name with a space": {"name": "x y", "permissions": ["Admin"]},
    "an unknown field": {"name": "x", "permissions": ["Admin"], "admin": True},
    "an expiry in the past": {"name": "x", "permissions": ["Admin"], "expiresInSeconds": -1},
}


async def test_a_bad_key_is_not_made(client: Client):
    """Each is refused with the envelope, and nothing is added."""
    before = (await client.call("GET", "/v1/keys")).body["keys"]
    for name, body in BAD_KEYS.items():
        made = await client.call("POST", "/v1/keys", body)
        assert (made.status, made.code) == (422, "INVALID_ARGUMENT"), name
    assert (await client.call("GET", "/v1/keys")).body["keys"] == before


async def test_nobody_revokes_the_key_they_use(client: Client):
    """It would lock the last administrator out."""
    keys = (await client.call("GET", "/v1/keys")).body["keys"]
    own = next(key["keyId"] for key in keys if key["name"] == "admin")
    refused = await client.call("POST", f"/v1/keys/{own}/revoke", {})
    assert (refused.status, refused.code) == (409, "FAILED_PRECONDITION")
