"""Which bundle is in force and what was used of a grant: each has its record, and whoever rewrites
the table is found out."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from typing import Any, Final

import asyncpg

from controlplane.services.record.retention import RetentionService
from controlplane.store.approvals import ApprovalStore
from controlplane.store.grants import GrantStore
from controlplane.store.retention import RetentionStore
from controlplane.store.tenancy import acting_for_everybody
from controlplane.telemetry import Metrics
from tests.support.acts import (
    SECRET,
    acts_in,
    admin_id,
    backfill_of,
    differences,
    report_on,
)
from tests.support.bundles import current, fresh, policy, published
from tests.support.control_plane import Client
from tests.support.followed_records import Traffic
from tests.support.grants import give, revoke, show
from tests.support.signed_gateway import exported

WAIT_SECONDS_MAX: Final = 60.0
USED: Final = ("grant_used", "grant_use_given_back")


async def told(client: Client, *events: str) -> list[dict[str, Any]]:
    """The records of these events, in their order."""
    return [one for one in acts_in(await exported(client)) if one["event"] in events]


async def used(client: Client, agent: str) -> str:
    """An approval that the agent has got by a grant; its id."""
    asked = await client.ask(agent=agent)
    assert asked["status"] == "APPROVED", asked
    return str(asked["approvalId"])


async def voided(client: Client, approval: str) -> None:
    path = f"/v1/approvals/{approval}/void"
    answer = await client.call("POST", path, {"reasonCode": "WITNESS_HASH_MISMATCH"}, "gateway")
    assert answer.status == 200, answer


# --- bundles --------------------------------------------------------------------------------------


async def test_each_publication_has_a_record(client: Client):
    """Also the one that goes back to an older bundle; a publication that changes nothing has none.
    It says who, and what; the comment and the files stay out of it."""
    first, second = policy(fresh()), policy(fresh())
    await published(client, first, comment=SECRET)
    await published(client, second)
    again = await client.call("POST", "/v1/bundles/1/activate", {})
    assert again.status == 201, again
    same = await client.call("POST", "/v1/bundles/3/activate", {})
    assert same.status == 200, same
    got = (await current(client)).body
    acts = [one["act"] for one in await told(client, "bundle_published")]
    assert [act["id"] for act in acts] == ["1", "2", "3"]
    assert acts[0]["revision"] == acts[2]["revision"] != acts[1]["revision"]
    assert acts[2]["payload"] == hashlib.sha256(got["payload"].encode()).hexdigest()
    assert (acts[2]["signature"], acts[2]["signing_key"]) == (got["signature"], got["keyId"])
    admin = await admin_id(client)
    assert {(act["by"], act["by_key"]) for act in acts} == {("admin", admin)}
    log = await exported(client)
    assert SECRET not in log
    assert "refunds are for people" in got["payload"]
    assert "refunds are for people" not in log
    assert ((await report_on(client, log)).breaks, await differences(client)) == ([], [])


BUNDLES_TAMPERED: Final = {
    "a bundle says something else": (
        "update bundles set payload = replace(payload, 'BLOCK', 'ALLOW') where sequence = 1",
        ("1", True),
    ),
    "a bundle is of another revision": (
        f"update bundles set revision = '{'0' * 64}' where sequence = 2", ("2", True),
    ),
    "somebody else has published it": (
        "update bundles set created_by = 'alice' where sequence = 3", ("3", True),
    ),
    "the newest bundle is gone, so that the one before it is in force": (
        "delete from bundles where sequence = 4", ("4", False),
    ),
    "a bundle is there that nobody published": (
        ("insert into bundles (tenant_id, sequence, revision, mappers_digest, payload, signature, "
        "key_id, created_by, created_at) select tenant_id, 5, revision, mappers_digest, payload, "
        "signature, key_id, created_by, created_at from bundles where sequence = 1"),
        ("5", True),
    ),
}  # fmt: skip
"""Sentence -> statement, which bundle is named, whether its row is there."""


async def test_whoever_rewrites_what_is_in_force_is_named(
    client: Client, superuser: asyncpg.Connection
):
    """As the database's superuser, with every trigger out of the way."""
    for _ in range(4):
        await published(client, policy(fresh()))
    seqs = {one["act"]["id"]: one["seq"] for one in await told(client, "bundle_published")}
    await _each_is_named(client, superuser, BUNDLES_TAMPERED, "bundle_published", seqs)


async def _each_is_named(
    client: Client,
    superuser: asyncpg.Connection,
    tampering: dict[str, tuple[str, tuple[str, bool]]],
    event: str,
    seqs: dict[str, int],
) -> None:
    assert await differences(client) == []
    for case, (statement, (row, is_there)) in tampering.items():
        before = await differences(client)
        assert (await superuser.execute(statement)).endswith(" 1"), case
        (new,) = [one for one in await differences(client) if one not in before]
        assert new == {
            "seq": seqs.get(row), "event": event, "id": row, "isThere": is_there
        }, case  # fmt: skip
    assert len(await differences(client)) == len(tampering)


# --- uses of grants -------------------------------------------------------------------------------


async def test_each_use_of_a_grant_has_a_record(client: Client):
    """The act that was asked about is the first one; one that comes to nothing has a second record,
    since it can be had again."""
    grant = await give(client, "counts", {"uses": 3, "amount": {"max": 90_000, "currency": "USD"}})
    asked = await client.ask(agent="counts")
    assert (await client.consume(asked, "claim")).status == 200
    given_back = await used(client, "counts")
    await voided(client, given_back)
    again = await used(client, "counts")
    assert (await client.ask(agent="counts"))["status"] == "PENDING"
    records = await told(client, *USED)
    assert [(one["event"], one["act"]["approval"]) for one in records] == [
        ("grant_used", grant["approvalId"]),
        ("grant_used", asked["approvalId"]),
        ("grant_used", given_back),
        ("grant_use_given_back", given_back),
        ("grant_used", again),
    ]
    acts = [one["act"] for one in records]
    assert {act["grant"] for act in acts} == {grant["grantId"]}
    assert [(act["amount"], act["by"]) for act in acts if "amount" in act] == [
        (9_000, "counts")
    ] * 4  # fmt: skip
    assert (acts[3]["id"], acts[3]["approval_status"]) == (acts[2]["id"], "CANCELLED")
    log = await exported(client)
    assert ((await report_on(client, log)).breaks, await differences(client)) == ([], [])


USES_TAMPERED: Final = {
    "a use is gone": ("delete from grant_uses where use_id = {0}", (0, False), "grant_used"),
    "a use was of less": (
        "update grant_uses set amount = 1 where use_id = {1}", (1, True), "grant_used",
    ),
    "a use is of another grant": (
        "update grant_uses set grant_id = '{grant}' where use_id = {2}", (2, True), "grant_used",
    ),
    "a use is given back whose act was sent": (
        "update grant_uses set given_back_at = now() where use_id = {3}", (3, True),
        "grant_use_given_back",
    ),
    "a use is not given back any more": (
        "update grant_uses set given_back_at = null where use_id = {4}", (4, False),
        "grant_use_given_back",
    ),
    "what came to nothing holds again": (
        ("update approvals set status = 'APPROVED' where approval_id = "
        "(select approval_id from grant_uses where use_id = {5})"), (5, True),
        "grant_use_given_back",
    ),
}  # fmt: skip
"""Sentence -> statement, which use is named, whether what it told of is there, by which record."""


async def test_whoever_rewrites_what_was_used_is_named(
    client: Client, superuser: asyncpg.Connection
):
    """As the database's superuser, with every trigger out of the way."""
    other = await give(client, "other", {"uses": 3})
    await give(client, "spends", {"uses": 9})
    approvals = [await used(client, "spends") for _ in range(5)]
    for approval in approvals[3:]:
        await voided(client, approval)
    records = [one for one in await told(client, *USED)
               if one["act"]["grant"] != other["grantId"]]  # fmt: skip
    seqs = {(one["event"], one["act"]["id"]): one["seq"] for one in records}
    ids = [one["act"]["id"] for one in records if one["event"] == "grant_used"]
    assert await differences(client) == []
    for case, (statement, (place, is_there), event) in USES_TAMPERED.items():
        before = await differences(client)
        status = await superuser.execute(statement.format(*ids, grant=other["grantId"]))
        assert status.endswith(" 1"), case
        (new,) = [one for one in await differences(client) if one not in before]
        assert new == {
            "seq": seqs.get((event, ids[place])), "event": event, "id": ids[place],
            "isThere": is_there,
        }, case  # fmt: skip
    assert len(await differences(client)) == len(USES_TAMPERED)


async def test_a_grant_that_was_used_up_is_not_made_usable_unseen(
    client: Client, superuser: asyncpg.Connection
):
    """Its uses and their acts are deleted, and it is used again: the records of both stay told."""
    grant = await give(client, "twice", {"uses": 2})
    await used(client, "twice")
    assert (await client.ask(agent="twice"))["status"] == "PENDING"
    spent = [one["seq"] for one in await told(client, "grant_used")]
    of_grant = uuid.UUID(grant["grantId"])
    await superuser.execute("delete from grant_uses where grant_id = $1", of_grant)
    await superuser.execute("delete from acts where event = 'grant_used'")
    for _ in range(2):
        await used(client, "twice")
    assert (await show(client, grant))[0]["usesCount"] == 2
    assert len(await told(client, "grant_used")) == 4
    assert [(one["seq"], one["event"], one["isThere"]) for one in await differences(client)] == [
        (seq, "grant_used", False) for seq in spent
    ]


async def test_a_use_that_nobody_made_is_named(client: Client, superuser: asyncpg.Connection):
    """It would take what people gave from the agent, or make an answer look like one of a grant."""
    grant = await give(client, "robbed", {"uses": 3})
    asked = await client.ask(agent="elsewhere")
    forged = await superuser.fetchval(
        "insert into grant_uses (tenant_id, grant_id, approval_id) values ($1, $2, $3) "
        "returning use_id",
        client.tenant_id, uuid.UUID(grant["grantId"]), uuid.UUID(asked["approvalId"]),
    )  # fmt: skip
    assert await differences(client) == [
        {"seq": None, "event": "grant_used", "id": str(forged), "isThere": True}
    ]


async def test_of_many_at_once_those_that_are_uses_have_records(client: Client):
    """Who finds the grant used up leaves none; nobody's is left out."""
    grant = await give(client, "crowd", {"uses": 5})
    await asyncio.gather(*(client.ask(agent="crowd") for _ in range(40)))
    _, uses = await show(client, grant)
    acts = [one["act"]["approval"] for one in await told(client, "grant_used")]
    assert sorted(acts) == sorted(use["approvalId"] for use in uses)
    assert len(acts) == 5
    assert await differences(client) == []


async def test_what_ends_by_itself_is_missed_by_nobody(
    client: Client, superuser: asyncpg.Connection
):
    """Uses whose approval lapsed, grants that are over or revoked, bodies that are erased by age:
    the sweepers of all of them leave nothing that looks rewritten."""
    short = await give(client, "short", {"seconds": 1, "uses": 3})
    long = await give(client, "long", {"uses": 3})
    lapsed = await used(client, "long")
    await published(client, policy(fresh()))
    await superuser.execute(
        "update approvals set expires_at = now() - interval '2 days' where approval_id = $1",
        uuid.UUID(lapsed),
    )
    database = client.plane.database
    assert database is not None
    approvals, grants = ApprovalStore(database), GrantStore(database)
    give_up = time.monotonic() + WAIT_SECONDS_MAX
    with acting_for_everybody():
        while (
            await superuser.fetchval(
                "select state from grants where grant_id = $1", uuid.UUID(short["grantId"])
            )
        ) != "EXPIRED":
            assert time.monotonic() < give_up
            await approvals.sweep(100)
            await grants.sweep(100)
            await asyncio.sleep(0.1)
    await used(client, "long")
    assert (await revoke(client, long)).status == 200
    traffic = Traffic(client)
    traffic.decided(None)
    await traffic.ship()
    body = {"days": 30, "legalHold": False, "reason": "as the law has it"}
    await client.call("PUT", "/v1/retention", body)
    await superuser.execute("update records set received_at = now() - interval '40 days'")
    with acting_for_everybody():
        assert await RetentionService(RetentionStore(database), 0, Metrics()).sweep() > 0
    given_back = [one["act"] for one in await told(client, "grant_use_given_back")]
    assert (lapsed, "LAPSED") in [(act["approval"], act["approval_status"]) for act in given_back]
    assert "CANCELLED" in {act["approval_status"] for act in given_back}
    log = await exported(client)
    assert ((await report_on(client, log)).breaks, await differences(client)) == ([], [])


async def test_what_was_there_before_gets_its_records(
    client: Client, superuser: asyncpg.Connection
):
    """An upgrade finds bundles and uses that no act tells of; who published is known by name."""
    await published(client, policy(fresh()))
    await give(client, "before", {"uses": 3})
    await voided(client, await used(client, "before"))
    names = ("bundle_published", *USED)
    await exported(client)
    # As a database of that time: these acts are in no outbox and in no record.
    await superuser.execute("update bundles set created_by_key = null")
    await superuser.execute("delete from acts where event = any ($1)", list(names))
    await superuser.execute(
        "update records set line = null where gateway_id = 'control-plane' and "
        "line::jsonb ->> 'event' = any ($1)", list(names),
    )  # fmt: skip
    assert {(one["seq"], one["event"]) for one in await differences(client)} == {
        (None, name) for name in names
    }
    await superuser.execute(backfill_of(22))
    assert await differences(client) == []
    acts = await told(client, *names)
    assert [one["event"] for one in acts] == [
        "bundle_published", "grant_used", "grant_used", "grant_use_given_back",
    ]  # fmt: skip
    assert (acts[0]["act"]["by"], acts[0]["act"]["by_key"]) == ("admin", None)
