"""One answer for a while: what a grant covers, how often, for whom, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Client
from tests.support.database import connect_as
from tests.support.grants import approve, give, person, revoke, show, terms
from tests.support.tenants import make_key, make_tenant


async def test_one_answer_lets_as_many_through_as_it_says(client: Client):
    """Three in all: the one that was asked about and two more, each consumed once; the fourth
    asks people."""
    grant = await give(client, "counts", {"uses": 3})
    for used in (2, 3):
        asked = await client.ask(agent="counts")
        assert (asked["status"], asked["grantId"]) == ("APPROVED", grant["grantId"])
        assert asked["resolvedBy"] == "admin (grant)"
        assert (await client.consume(asked, "claim")).status == 200
        assert (await client.consume(asked, "another")).status == 409
        shown, uses = await show(client, grant)
        assert (shown["usesCount"], shown["usesMax"], len(uses)) == (used, 3, used)
        assert uses[0]["approvalId"] == asked["approvalId"]
    fourth = await client.ask(agent="counts")
    assert (fourth["status"], fourth["grantId"]) == ("PENDING", None)


async def test_who_gave_it_is_named_with_each_use(client: Client):
    """The answers of a use are those of the people, and say that they came through a grant."""
    ann = await person(client, "ann-names")
    approval = await client.ask(agent="names")
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    body = {"resolution": "APPROVE", "reason": "ticket 4711", "grant": {}}
    assert (await client.call("POST", path, body, ann)).status == 200
    used = await client.ask(agent="names")
    got = (await client.call("GET", f"/v1/approvals/{used['approvalId']}")).body["approval"]
    assert [(one["answeredBy"], one["through"], one["comment"]) for one in got["answers"]] == [
        ("ann-names", "grant", "ticket 4711")
    ]
    assert (got["resolvedBy"], got["comment"]) == ("ann-names (grant)", "ticket 4711")


async def test_amounts_are_added_up_over_all_uses(client: Client):
    """200.00 in all: 90.00 was asked about, 90.00 more fit, another 90.00 don't, 20.00 do."""
    grant = await give(client, "sums", {"amount": {"max": 20_000, "currency": "USD"}, "uses": 50})
    assert grant["amount"] == {
        "param": "amount", "currency": "usd", "max": 20_000, "eachMax": None, "used": 9_000,
    }  # fmt: skip
    for amount, status in ((9_000, "APPROVED"), (9_000, "PENDING"), (2_000, "APPROVED")):
        asked = await client.ask(agent="sums", params={"amount": amount, "currency": "usd"})
        assert asked["status"] == status
    assert (await show(client, grant))[0]["amount"]["used"] == 20_000
    more = await client.ask(agent="sums", params={"amount": 1, "currency": "usd"})
    assert more["status"] == "PENDING"
    nothing = await client.ask(agent="sums", params={"amount": 0, "currency": "usd"})
    assert nothing["status"] == "APPROVED"


async def test_a_hundred_at_once_get_no_more_than_there_are(client: Client):
    """Ten uses, one of them taken: exactly nine of a hundred pass, and the others ask people."""
    grant = await give(client, "crowd", {"uses": 10})
    asked = await asyncio.gather(*(client.ask(agent="crowd") for _ in range(100)))
    assert sorted(one["status"] for one in asked) == ["APPROVED"] * 9 + ["PENDING"] * 91
    assert (await show(client, grant))[0]["usesCount"] == 10


async def test_the_same_act_asked_at_once_is_one_use(client: Client):
    """Those who join the approval take nothing of the grant."""
    grant = await give(client, "joined", {"uses": 10})
    digest = (await client.ask(agent="elsewhere"))["requestDigest"]
    asked = await asyncio.gather(
        *(client.ask(agent="joined", requestDigest=digest) for _ in range(8))
    )
    assert len({one["approvalId"] for one in asked}) == 1
    assert {one["status"] for one in asked} == {"APPROVED"}
    assert (await show(client, grant))[0]["usesCount"] == 2


async def test_a_use_that_comes_to_nothing_is_given_back_once(client: Client):
    """The gateway voids it: the agent may use the grant again for it."""
    grant = await give(client, "back", {"uses": 2})
    used = await client.ask(agent="back")
    assert (await client.ask(agent="back"))["status"] == "PENDING"
    path = f"/v1/approvals/{used['approvalId']}/void"
    body = {"reasonCode": "WITNESS_HASH_MISMATCH"}
    assert (await client.call("POST", path, body, "gateway")).status == 200
    assert (await client.call("POST", path, body, "gateway")).status == 409
    shown, uses = await show(client, grant)
    assert (shown["usesCount"], [use["givenBackAt"] is None for use in uses]) == (1, [False, True])
    again = await client.ask(agent="back")
    assert again["status"] == "APPROVED"
    assert (await client.consume(again, "c")).status == 200
    assert (await show(client, grant))[0]["usesCount"] == 2


async def test_revoked_it_covers_nothing_from_then_on(client: Client):
    """Nor what it has let through already and was not sent yet."""
    grant = await give(client, "ends", {"uses": 10})
    sent, waiting = await client.ask(agent="ends"), await client.ask(agent="ends")
    assert (await client.consume(sent, "c")).status == 200
    revoked = await revoke(client, grant)
    assert (revoked.status, revoked.body["grant"]["status"]) == (200, "REVOKED")
    assert revoked.body["grant"]["endReason"] == "enough"
    assert await client.status_of(waiting["approvalId"]) == "CANCELLED"
    assert await client.status_of(grant["approvalId"]) == "CANCELLED"
    assert (await client.consume(waiting, "c")).status == 409
    assert await client.status_of(sent["approvalId"]) == "CONSUMED"
    assert (await client.ask(agent="ends"))["status"] == "PENDING"
    again = await revoke(client, grant)
    assert (again.status, again.body["error"]["reason_code"]) == (409, "GRANT_OVER")
    assert (await show(client, grant))[0]["usesCount"] == 1


async def test_revoked_at_the_same_moment_none_gets_by(client: Client):
    """Asks, uses and the revocation race: what is not consumed by then is cancelled."""
    for number in range(5):
        agent = f"race-{number}"
        grant = await give(client, agent, {"uses": 50})

        async def use(agent: str = agent) -> str:
            asked = await client.ask(agent=agent)
            if asked["status"] == "APPROVED":
                await client.consume(asked, "c")
            return str(asked["approvalId"])

        used, _ = await asyncio.gather(
            asyncio.gather(*(use() for _ in range(10))), revoke(client, grant)
        )
        states = [await client.status_of(one) for one in used]
        assert set(states) <= {"CONSUMED", "CANCELLED", "PENDING"}, states
        shown = (await show(client, grant))[0]
        assert shown["usesCount"] == states.count("CONSUMED")


async def test_a_key_that_is_over_answers_nothing_more(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Whoever gave it could not approve by now; so their grant can't either."""
    ann = await person(client, "ann-over", expiresInSeconds=3600)
    approval = await client.ask(agent="over")
    assert (await approve(client, approval, ann)).status == 200
    assert (await client.ask(agent="over"))["status"] == "APPROVED"
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute(
            "update api_keys set expires_at = now() - interval '1 second' where name = 'ann-over'"
        )
    finally:
        await connection.close()
    assert (await client.ask(agent="over"))["status"] == "PENDING"


async def test_what_is_given_for_a_run_ends_with_it(client: Client):
    """The next run of the same name asks again; a grant for any run goes on."""
    run = (await client.call("POST", "/v1/runs", {"agentId": "runner", "name": "nightly"})).body
    narrow = await give(client, "runner", {"run": True}, runId="nightly")
    wide = await give(client, "runner", {}, runId="nightly", rule="other")
    waiting = await client.ask(agent="runner", runId="nightly")
    assert waiting["status"] == "APPROVED"
    path = f"/v1/runs/{run['runId']}/complete"
    assert (await client.call("POST", path, {"terminalStatus": "COMPLETED"})).status == 200
    shown, _ = await show(client, narrow)
    assert (shown["status"], shown["endReason"]) == ("REVOKED", "the run nightly is over")
    assert await client.status_of(waiting["approvalId"]) == "CANCELLED"
    assert (await client.ask(agent="runner", runId="nightly"))["status"] == "PENDING"
    assert (await client.ask(agent="runner", runId="nightly", rule="other"))["status"] == "APPROVED"
    assert (await show(client, wide))[0]["status"] == "ACTIVE"


async def test_it_ends_with_the_key_of_who_gave_it(client: Client):
    """A stolen key's grants are worth nothing, at once, and what they let through neither."""
    ann = await person(client, "ann-ends")
    approval = await client.ask(agent="stolen")
    grant = (await approve(client, approval, ann)).body["grant"]
    used = await client.ask(agent="stolen")
    keys = (await client.call("GET", "/v1/keys")).body["keys"]
    key_id = next(key["keyId"] for key in keys if key["name"] == "ann-ends")
    assert (await client.call("POST", f"/v1/keys/{key_id}/revoke", {})).status == 200
    shown, _ = await show(client, grant)
    assert shown["status"] == "REVOKED"
    assert shown["endReason"] == "the key of ann-ends was revoked"
    assert (await client.consume(used, "c")).status == 409
    assert (await client.ask(agent="stolen"))["status"] == "PENDING"


async def test_a_quorum_gives_the_narrowest_of_what_all_offered(client: Client):
    """Two people of finance have to agree, on the grant too; then both stand behind each use."""
    ann, bob = await person(client, "ann-q", "finance"), await person(client, "bob-q", "finance")
    asked = {"agent": "both", "terms": terms("finance", quorum=2)}
    approval = await client.ask(**asked)
    usd = {"currency": "usd"}
    first = await approve(client, approval, ann, uses=9, seconds=60, amount={"max": 50_000, **usd})
    assert (first.body["approval"]["status"], first.body["grant"]) == ("PENDING", None)
    second = await approve(client, approval, bob, uses=5, riskMax=41, amount={"max": 90_000, **usd})
    grant = second.body["grant"]
    assert (grant["usesMax"], grant["riskMax"], grant["amount"]["max"]) == (5, 41, 50_000)
    assert grant["givenBy"] == ["ann-q", "bob-q"]
    used = await client.ask(**asked)
    assert (used["status"], used["resolvedBy"]) == ("APPROVED", "ann-q, bob-q (grant)")
    got = (await client.call("GET", f"/v1/approvals/{used['approvalId']}")).body["approval"]
    assert len(got["answers"]) == 2
    stricter = await client.ask(**{**asked, "terms": terms("finance", quorum=3)})
    assert stricter["status"] == "PENDING"


USD = {"params": {"amount": 1, "fee": 1, "currency": "usd"}}

NO_AGREEMENT: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "the first only says yes": (USD, None, {}),
    "the second only says yes": (USD, {}, None),
    "they bound different things": (
        {"params": {"fee": 1, "tax": 1, "currency": "usd"}},
        {"amount": {"param": "fee", "max": 10, "currency": "usd"}},
        {"amount": {"param": "tax", "max": 10, "currency": "usd"}},
    ),
    "one of them bounds nothing": (
        {"params": {"fee": 1, "currency": "usd"}},
        {"amount": {"param": "fee", "max": 10, "currency": "usd"}},
        {},
    ),
}


async def test_without_agreement_there_is_a_yes_and_no_grant(client: Client):
    """Nobody's yes is stretched beyond what they said."""
    keys = [await person(client, "ann-n"), await person(client, "bob-n")]
    for name, (question, *offers) in NO_AGREEMENT.items():
        asked = {"agent": "halves", "terms": terms(quorum=2), **question}
        approval = await client.ask(**asked)
        path = f"/v1/approvals/{approval['approvalId']}/resolve"
        for key, offer in zip(keys, offers, strict=True):
            body = {"resolution": "APPROVE", **({} if offer is None else {"grant": offer})}
            answered = await client.call("POST", path, body, key)
            assert answered.status == 200, (name, answered)
            assert answered.body.get("grant") is None, name
        assert answered.body["approval"]["status"] == "APPROVED", name
        assert (await client.ask(**asked))["status"] == "PENDING", name


async def test_an_answer_that_is_replayed_gives_nothing_more(client: Client):
    """The same body twice: one grant, as it was."""
    approval = await client.ask(agent="replay")
    first = await approve(client, approval, uses=2)
    again = await approve(client, approval, uses=1000)
    assert (first.status, again.status) == (200, 409)
    listed = (await client.call("GET", "/v1/grants?agent=replay")).body["grants"]
    assert [grant["usesMax"] for grant in listed] == [2]


async def test_a_plain_yes_gives_no_grant(client: Client):
    """Nor does a no, which can't carry one."""
    approval = await client.ask(agent="plain")
    answered = await client.resolve(approval["approvalId"], "APPROVE")
    assert "grant" not in answered.body
    assert (await client.ask(agent="plain"))["status"] == "PENDING"
    other = await client.ask(agent="plain")
    denied = await client.resolve(other["approvalId"], "REJECT", grant={})
    assert (denied.status, denied.code) == (422, "INVALID_ARGUMENT")


async def test_machines_neither_read_nor_give_nor_revoke(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """An agent's key, a gateway's, and a gateway's that may answer too."""
    grant = await give(client, "machines")
    mixed = await make_key(
        postgres_server, database_name, ["Gateway", "ApprovalWrite", "ApprovalRead"]
    )
    approval = await client.ask(agent="machines", rule="other")
    for key in ("agent", "gateway", mixed):
        assert (await revoke(client, grant, key)).status == 403, key
        assert (await approve(client, approval, key)).status == 403, key
    for key in ("agent", "gateway"):
        assert (await client.call("GET", "/v1/grants", key=key)).status == 403
        assert (await client.call("GET", f"/v1/grants/{grant['grantId']}", key=key)).status == 403
    assert (await show(client, grant))[0]["status"] == "ACTIVE"


async def test_another_tenant_sees_and_uses_none_of_it(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """404 for its id, nothing in the list, and the same question of theirs asks their people."""
    grant = await give(client, "shared-name")
    tenant = await make_tenant(postgres_server, database_name)
    admin = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    gateway = await make_key(postgres_server, database_name, ["Gateway"], tenant=tenant)
    assert (await client.call("GET", f"/v1/grants/{grant['grantId']}", key=admin)).status == 404
    assert (await revoke(client, grant, admin)).status == 404
    assert (await client.call("GET", "/v1/grants", key=admin)).body["grants"] == []
    client.keys["gateway"], ours = gateway, client.keys["gateway"]
    try:
        assert (await client.ask(agent="shared-name"))["status"] == "PENDING"
    finally:
        client.keys["gateway"] = ours
    assert (await client.ask(agent="shared-name"))["status"] == "APPROVED"


async def test_grants_are_listed_newest_first_page_by_page(client: Client):
    """By agent and state; a page goes on where the last one ended."""
    made = [await give(client, "pages", rule=f"r{number}") for number in range(3)]
    await revoke(client, made[1])
    ids = [grant["grantId"] for grant in reversed(made)]
    first = (await client.call("GET", "/v1/grants?agent=pages&limit=2")).body
    assert [grant["grantId"] for grant in first["grants"]] == ids[:2]
    cursor = first["nextCursor"]
    rest = (await client.call("GET", f"/v1/grants?agent=pages&limit=2&cursor={cursor}")).body
    assert ([grant["grantId"] for grant in rest["grants"]], rest["nextCursor"]) == (ids[2:], None)
    active = (await client.call("GET", "/v1/grants?agent=pages&status=ACTIVE")).body["grants"]
    assert [grant["grantId"] for grant in active] == [ids[0], ids[2]]
    assert (await client.call("GET", "/v1/grants?status=OPEN")).status == 422


async def test_a_grant_covers_nothing_that_its_giver_asks_for(client: Client):
    """Neither under a key's name, nor under one that was said with a key that several share."""
    await client.call("POST", "/v1/agents", {"name": "hers", "labels": {"owner": "Alice"}})
    approval = await client.ask(agent="hers")
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    body = {"resolution": "APPROVE", "resolvedBy": "alice ", "grant": {"uses": 9}}
    given = await client.call("POST", path, body)
    assert given.status == 200, given
    asked = await client.ask(agent="hers")
    assert asked["status"] == "APPROVED"
    wanted = {**terms(), "requesterLabels": ["owner"]}
    assert (await client.ask(agent="hers", terms=wanted))["status"] == "PENDING"
