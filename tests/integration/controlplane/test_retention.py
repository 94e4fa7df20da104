"""What is erased is gone everywhere, and everything verifies as before: on a real database."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from controlplane.services.record.retention import RetentionService
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.retention import RetentionStore
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics
from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.trust import Trust
from tests.support.control_plane import Client, running_plane
from tests.support.dashboard import browsing
from tests.support.database import connect_as
from tests.support.followed_records import Traffic
from tests.support.signed_gateway import SIGNING_SOON, exported, signed_log

SECRET = "ch_the_name_of_somebody"


@pytest.fixture(scope="module")
async def client(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Any
) -> AsyncIterator[Client]:
    """A control plane that signs at once."""
    async with running_plane(postgres_server, database_name, data_dir, SIGNING_SOON) as found:
        yield found


async def asked_and_ended(client: Client) -> str:
    """A decision that a person was asked about and denied, with a planted word in all of it."""
    traffic, agent = Traffic(client), f"agent-{uuid.uuid4().hex}"
    decision = traffic.decided("run", agent=agent, target=SECRET, message=f"about {SECRET}")
    asked = await client.ask(
        decisionId=decision,
        target={"type": "charge", "id": SECRET},
        params={"to": SECRET},
        path=f"/v1/{SECRET}",
        message=SECRET,
        summary=SECRET,
        witness={"hash": "a" * 64, "state": {"status": SECRET}},
    )
    await client.resolve(asked["approvalId"], "REJECT")
    traffic.outcome(decision, "unknown")
    await traffic.ship()
    for incident in (await client.call("GET", f"/v1/incidents?agent={agent}")).body["incidents"]:
        path = f"/v1/incidents/{incident['incidentId']}/resolve"
        await client.call("POST", path, {"note": "seen"})
    return decision


async def set_rule(client: Client, days: int | None, hold: bool = False) -> Any:
    body = {"days": days, "legalHold": hold, "reason": "as the law has it"}
    return await client.call("PUT", "/v1/retention", body)


async def erase(client: Client, decision: str) -> Any:
    return await client.call("POST", f"/v1/decisions/{decision}/erase", {"reason": "they asked"})


async def grow_old(superuser: asyncpg.Connection) -> None:
    """Let everything have come forty days ago."""
    for table, column in (
        ("records", "received_at"), ("approvals", "created_at"), ("incidents", "last_seen_at"),
    ):  # fmt: skip
        await superuser.execute(f"update {table} set {column} = now() - interval '40 days'")


async def sweep(client: Client, default_days: int = 0) -> int:
    database = client.plane.database
    assert database is not None
    with acting_for_everybody():
        return await RetentionService(RetentionStore(database), default_days, Metrics()).sweep()


async def everything(superuser: asyncpg.Connection) -> str:
    """Every row of every table, as text."""
    tables = await superuser.fetch(
        "select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'checkrein' and relkind in ('r', 'p') and not relispartition"
    )
    parts = [
        await superuser.fetchval(
            f"select string_agg(to_jsonb(t)::text, E'\\n') from checkrein.{row['relname']} t"
        )
        for row in tables
    ]
    return "\n".join(part for part in parts if part)


async def verified(client: Client) -> int:
    """Verify the whole log without us; how many of its lines are erased."""
    view = await signed_log(client)
    log = await exported(client)
    report = verify_stream(io.BytesIO(log.encode()), Trust((VerifierKey.parse(view["key"]),)))
    assert report.breaks == []
    return sum(part.erased_count for part in report.gateways)


async def test_a_decision_that_is_erased_is_gone_and_verifies(
    client: Client, superuser: asyncpg.Connection
):
    """From every table; what is left of it is said wherever it was shown."""
    decision, other = await asked_and_ended(client), await asked_and_ended(client)
    gateway = next(
        one["gatewayId"]
        for one in (await client.call("GET", "/v1/records?last=1000")).body["records"]
        if decision in one["line"]
    )
    before = await verified(client)
    done = await erase(client, decision)
    assert (done.status, done.body["erasure"]["records"]) == (200, 2), done
    assert done.body["erasure"]["reason"] == "they asked"
    left = (await everything(superuser)).splitlines()
    told = [line for line in left if SECRET in line]
    assert told
    assert not [line for line in told if decision in line]
    assert await verified(client) == before + 2
    found = (await client.call("GET", f"/v1/decisions?decision={decision}")).body["decisions"][0]
    assert (found["erased"], found["effect"], found["params"]) == (True, "ALLOW", None)
    whole = (await client.call("GET", f"/v1/decisions?decision={other}")).body["decisions"][0]
    assert (whole["erased"], whole["target"]["id"]) == (False, SECRET)
    lines = (await client.call("GET", f"/v1/records?gatewayId={gateway}")).body["records"]
    places = [json.loads(one["line"])["erased"] for one in lines]
    assert [(one["seq"], one["hash"]) for one in places] == [
        (each["seq"], each["hash"]) for each in lines
    ]
    assert places[1]["prev"] == places[0]["hash"]
    page = await client.call("GET", f"/v1/log/proof?decisionId={decision}")
    assert [proof["line"] for proof in page.body["proofs"]] == [None, None]
    assert (await erase(client, decision)).reason_code == "ERASED_BEFORE"


BY_THE_SERVICE = {
    "erase a line by hand": "update records set line = null",
    "erase without a note": "select erase_records(null, null, null)",
    "write an erasure": "insert into erasures (cause) values ('AGE')",
    "skip what is young": "update retention_cursors set record_id = 0",
}


async def test_the_service_erases_by_its_two_functions_alone(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """INVARIANT(erasure-is-told): the role that a taken-over control plane has can't do more."""
    connection = await connect_as(postgres_server, Role.APPLICATION, database_name)
    try:
        for statement in BY_THE_SERVICE.values():
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


DEEDS = {
    "erase a line and its hash": "update records set line = null, hash = repeat('0', 64)",
    "unwrite an erasure": "delete from erasures",
    "say another reason": "update erasures set reason = 'harmless'",
    "change what a step was": "update run_steps set action = 'read'",
    "change a step's target": "update run_steps set target_id = 'ch_2'",
    "put words into a question": "update approvals set erased_at = now(), summary = 'harmless'",
    "count another number of times": "update incidents set erased_at = now(), occurrences = 99",
}


async def test_erasing_opens_no_other_door(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Not even to the owner of the tables: what may be emptied may be nothing else."""
    await erase(client, await asked_and_ended(client))
    await asked_and_ended(client)
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        for statement in DEEDS.values():
            with pytest.raises(asyncpg.PostgresError, match="append-only"):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_every_page_of_what_is_erased_opens_and_says_so(client: Client):
    """A reader that finds nothing must learn why; no page needs what is gone."""
    decision = await asked_and_ended(client)
    assert (await erase(client, decision)).status == 200
    found = (await client.call("GET", f"/v1/decisions?decision={decision}")).body["decisions"][0]
    approval = found["approvalId"]
    for path in (f"/v1/approvals/{approval}", f"/v1/approvals/{approval}/context"):
        answer = await client.call("GET", path)
        assert answer.status == 200, answer
        assert SECRET not in json.dumps(answer.body)
    runs = (await client.call("GET", f"/v1/runs?agent={found['agent']}")).body["runs"]
    incidents = (await client.call("GET", f"/v1/incidents?agent={found['agent']}")).body
    async with browsing(client) as browser:
        await browser.sign_in()
        pages = {
            "decision": f"/dashboard/decisions/{decision}?verify=record",
            "whole chain": f"/dashboard/decisions/{decision}?verify=chain",
            "audit": f"/dashboard/audit?q=decision:{decision}",
            "approval": f"/dashboard/approvals/{approval}",
            "run": f"/dashboard/runs/{runs[0]['runId']}",
            "incident": f"/dashboard/incidents/{incidents['incidents'][0]['incidentId']}",
        }
        for name, path in pages.items():
            page = await browser.get(path)
            assert page.status == 200, (name, page.status)
            assert SECRET not in page.text, name
            if name in {"decision", "whole chain"}:
                assert "is erased" in page.text
                assert "the hash alone is left" in page.text


async def test_a_chain_with_erased_lines_goes_on(client: Client):
    """The gateway's next line follows the hash of one whose words are gone."""
    traffic = Traffic(client)
    decision = traffic.decided("run", agent=f"agent-{uuid.uuid4().hex}")
    await traffic.ship()
    assert (await erase(client, decision)).status == 200
    traffic.outcome(decision, "executed")
    await traffic.ship()
    hashes = [
        (one["hash"], hashlib.sha256(one["line"].encode()).hexdigest())
        for one in (await client.call("GET", f"/v1/records?gatewayId={traffic.gateway}")).body[
            "records"
        ]
    ]
    assert [stored == computed for stored, computed in hashes] == [False, True]


async def test_what_is_too_old_is_erased_by_itself(client: Client, superuser: asyncpg.Connection):
    """Of every table that repeats it; what is young stays, and the deed is written down."""
    old = await asked_and_ended(client)
    await grow_old(superuser)
    young = await asked_and_ended(client)
    assert await sweep(client) == 0
    await set_rule(client, 30)
    assert await sweep(client) > 0
    assert await sweep(client) == 0
    left = [line for line in (await everything(superuser)).splitlines() if SECRET in line]
    assert [line for line in left if young in line]
    assert not [line for line in left if old in line]
    assert await verified(client) >= 2
    told = (await client.call("GET", "/v1/erasures")).body["erasures"][0]
    assert (told["cause"], told["erasedBy"]) == ("AGE", "checkrein")
    assert told["records"] >= 2
    assert told["approvals"] >= 1
    await set_rule(client, 0)


async def test_under_a_legal_hold_nothing_is_erased(client: Client, superuser: asyncpg.Connection):
    """Neither by age nor on request, until it is lifted; who set it stays written."""
    decision = await asked_and_ended(client)
    await grow_old(superuser)
    await set_rule(client, 30, hold=True)
    assert await sweep(client, default_days=1) == 0
    assert (await erase(client, decision)).reason_code == "ERASURE_HELD"
    assert SECRET in await everything(superuser)
    found = (await client.call("GET", "/v1/retention")).body
    assert (found["legalHold"], found["reason"]) == (True, "as the law has it")
    await set_rule(client, 0)
    assert (await erase(client, decision)).status == 200


async def test_what_is_asked_about_still_is_not_erased(client: Client):
    """A person must see what they answer."""
    traffic = Traffic(client)
    decision = traffic.decided("run", agent=f"agent-{uuid.uuid4().hex}")
    await traffic.ship()
    await client.ask(decisionId=decision)
    assert (await erase(client, decision)).reason_code == "ERASURE_TOO_SOON"


async def test_nobody_erases_what_is_anothers(client: Client):
    """The functions have the owner's rights, and ask whom a session acts for all the same."""
    database = client.plane.database
    assert database is not None
    with acting_for(uuid.uuid4()), pytest.raises(asyncpg.InsufficientPrivilegeError):
        await RetentionStore(database).erase_old(client.tenant_id, 1, 10)
