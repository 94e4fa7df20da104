"""What people do at the control plane stands in the log, and whoever rewrites it is found out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from controlplane.faults import ControlFault, Fault
from controlplane.services.log.acts import ActRecords
from controlplane.services.log.growth import LogGrowth
from controlplane.services.log.signer import LogSigner, SignerState
from controlplane.services.record.retention import RetentionService
from controlplane.services.signing_keys import LOGS, load_signing_key
from controlplane.store.acts import ActStore
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.gateway_keys import GatewayKeyStore
from controlplane.store.log import LogStore
from controlplane.store.records import RecordStore
from controlplane.store.retention import RetentionStore
from controlplane.store.roles import open_embedded
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics
from gateway.record.log.checkpoint import CONTROL_PLANE
from gateway.record.verifying.report import Status
from tests.support.acts import acts_in, backfill_of, differences, report_on
from tests.support.bundles import policy
from tests.support.chains import chain
from tests.support.control_plane import Client
from tests.support.database import POOL, connect_as, everybodys
from tests.support.followed_records import Traffic
from tests.support.signed_gateway import SignedGateway, exported
from tests.support.silent_bus import SilentBus

BY_HAND: Final = Path(__file__).parents[3] / "contract" / "audit_by_hand.py"


async def answered(client: Client, resolution: str = "REJECT") -> str:
    """An approval that somebody answered; its id."""
    asked = await client.ask()
    assert (await client.resolve(asked["approvalId"], resolution)).status == 200
    return str(asked["approvalId"])


async def activated(client: Client) -> str:
    """A policy that is put in force; its id."""
    name = f"p-{uuid.uuid4().hex[:8]}"
    made = await client.call("POST", "/v1/policies", {"document": policy(name)})
    found = str(made.body["policy"]["policyId"])
    assert (await client.call("POST", f"/v1/policies/{found}/activate", {})).status == 200
    return found


async def test_what_people_do_is_in_the_export_and_signed(client: Client, tmp_path: Path):
    """Each act once, with who did it, at once; it verifies by both verifiers, and no table says
    otherwise."""
    approval, policy_id = await answered(client), await activated(client)
    body = {"scope": "agent", "name": "bot", "reason": "loops"}
    stop = (await client.call("POST", "/v1/stops", body)).body["stop"]["stopId"]
    await client.call("POST", f"/v1/stops/{stop}/lift", {"reason": "mended"})
    await client.call(
        "PUT", "/v1/retention", {"days": 400, "legalHold": False, "reason": "policy 7"}
    )
    other = await activated(client)
    off = await client.call("POST", f"/v1/policies/{other}/deactivate", {})
    assert off.status == 200, off
    traffic = Traffic(client)
    decision = traffic.decided(None)
    await traffic.ship()
    erased = await client.call("POST", f"/v1/decisions/{decision}/erase", {"reason": "asked"})
    assert erased.status == 200, erased

    log = await exported(client)
    acts = {one["event"]: one["act"] for one in acts_in(log)}
    assert set(acts) == {
        "agent_made", "approval_answered", "bundle_published", "erasure_made",
        "gateway_key_enrolled", "key_made", "policy_activated", "policy_archived",
        "retention_set", "stop_lifted", "stop_pulled",
    }  # fmt: skip
    assert acts["approval_answered"]["approval"] == approval
    assert acts["approval_answered"]["answer"] == "DENIED"
    assert acts["policy_activated"]["id"] == acts["policy_archived"]["id"] == f"{other}/1"
    assert policy_id in log
    assert acts["stop_lifted"]["id"] == acts["stop_pulled"]["id"] == stop
    assert acts["erasure_made"]["decision"] == decision
    assert all(act["by"] for act in acts.values())
    assert len(acts_in(log)) == len({(one["event"], one["act"]["id"]) for one in acts_in(log)})
    assert "policy 7" not in log

    report = await report_on(client, log)
    assert (report.breaks, await differences(client)) == ([], [])
    (own,) = (part for part in report.gateways if part.gateway == CONTROL_PLANE)
    assert own.signed_seq == own.last_seq == len(acts_in(log)) + 1
    (tmp_path / "log").write_text(log)
    (tmp_path / "key").write_text((await client.call("GET", "/v1/log")).body["key"])
    by_hand = [sys.executable, str(BY_HAND), str(tmp_path / "log"), str(tmp_path / "key")]
    done = await asyncio.to_thread(subprocess.run, by_hand, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_whoever_rewrites_a_table_is_named_by_its_record(
    client: Client, superuser: asyncpg.Connection
):
    """An answer, a policy in force, a stop that never was, an answer that nobody gave."""
    approval, policy_id = await answered(client), await activated(client)
    body = {"scope": "agent", "name": "bot", "reason": "loops"}
    stop = (await client.call("POST", "/v1/stops", body)).body["stop"]["stopId"]
    acts = acts_in(await exported(client))
    seq = {(one["event"], one["act"]["id"]): one["seq"] for one in acts}
    answer_id = next(a["act"]["id"] for a in acts if a["act"].get("approval") == approval)
    assert await differences(client) == []
    await superuser.execute(
        "update approval_answers set answer = 'APPROVED', answered_by = 'mallory' "
        "where answer_id = $1", int(answer_id),
    )  # fmt: skip
    await superuser.execute(
        "update policy_versions set document = 'something else' where policy_id = $1",
        uuid.UUID(policy_id),
    )
    await superuser.execute("delete from stops where stop_id = $1", uuid.UUID(stop))
    forged = await superuser.fetchval(
        "insert into approval_answers (tenant_id, approval_id, key_id, answered_by, answer) "
        "select tenant_id, approval_id, key_id, 'bob', 'CANCELLED' from approval_answers "
        "where answer_id = $1 returning answer_id", int(answer_id),
    )  # fmt: skip
    found = {(one["event"], one["id"]): (one["seq"], one["isThere"]) for one in
             await differences(client)}  # fmt: skip
    assert found == {
        ("approval_answered", answer_id): (seq["approval_answered", answer_id], True),
        ("policy_activated", f"{policy_id}/1"): (seq["policy_activated", f"{policy_id}/1"], True),
        ("stop_pulled", stop): (seq["stop_pulled", stop], False),
        ("approval_answered", str(forged)): (None, True),
    }


async def test_whoever_rewrites_an_acts_record_too_is_named_by_the_export(
    client: Client, superuser: asyncpg.Connection
):
    """The table and the line agree with each other, and not with what was signed."""
    approval = await answered(client)
    log = await exported(client)
    (mine,) = (one for one in acts_in(log) if one["act"].get("approval") == approval)
    index = next(n for n, line in enumerate(log.splitlines()[1:]) if approval in line)
    await superuser.execute(
        "update approval_answers set answer = 'APPROVED' where answer_id = $1",
        int(mine["act"]["id"]),
    )
    await superuser.execute(
        "update records set line = replace(line, 'DENIED', 'APPROVED') "
        "where tenant_id = $1 and gateway_id = $2 and seq = $3",
        client.tenant_id, CONTROL_PLANE, mine["seq"],
    )  # fmt: skip
    report = await report_on(client, await exported(client))
    assert report.status is Status.TAMPERED
    assert (report.breaks[0].index, report.breaks[0].seq) == (index, mine["seq"])


async def test_an_act_has_one_record_whoever_seals_it(client: Client, data_dir: Path):
    """Two replicas at once, and again: each act gets one line, in the order of what was done."""
    ids = [await answered(client) for _ in range(5)]
    database = everybodys(client.plane.database)
    key = load_signing_key(data_dir, None, LOGS)
    assert key is not None
    replica = ActRecords(
        ActStore(database),
        RecordStore(database),
        LogGrowth(LogStore(database), Metrics()),
        GatewayKeyStore(database),
        LogSigner(key, SignerState(None)),
        SilentBus(),
        Metrics(),
    )
    await asyncio.gather(*(replica.seal(client.tenant_id) for _ in range(4)))
    acts = [one["act"].get("approval") for one in acts_in(await exported(client))]
    assert [each for each in acts if each in ids] == ids


async def test_whoever_keeps_acts_from_their_records_is_named(
    client: Client, superuser: asyncpg.Connection
):
    """A head set back lets no record follow: the export is still given, and the act is told."""
    await answered(client)
    before = len(acts_in(await exported(client)))
    await superuser.execute(
        "update gateway_heads set seq = 0, hash = $3 where tenant_id = $1 and gateway_id = $2",
        client.tenant_id, CONTROL_PLANE, "0" * 64,
    )  # fmt: skip
    approval = await answered(client)
    assert len(acts_in(await exported(client))) == before
    assert await differences(client) == []
    await superuser.execute("update acts set at = now() - interval '2 minutes' where seq is null")
    (found,) = await differences(client)
    answer_id = await superuser.fetchval(
        "select answer_id from approval_answers where approval_id = $1", uuid.UUID(approval)
    )
    assert (found["seq"], found["event"]) == (None, "approval_answered")
    assert found["id"] == str(answer_id)


async def test_a_comparison_may_take_longer_than_other_statements(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """It grows with all that was ever done; other statements keep their limit."""
    await answered(client)
    await exported(client)
    owner = await connect_as(postgres_server, Role.OWNER, database_name)
    await owner.execute(
        "alter function states_now rename to states_soon; "
        "create function states_now(of_tenant uuid) returns table "
        "(family text, subject uuid, state jsonb, made_at timestamptz) language sql as "
        "'select s.* from pg_sleep(1) cross join checkrein.states_soon(of_tenant) s'"
    )
    await owner.close()
    impatient = replace(POOL, statement_seconds_max=0.5)
    database = await open_embedded(postgres_server, impatient, database_name)
    try:
        with acting_for(client.tenant_id):
            assert await ActStore(database).differing(client.tenant_id, CONTROL_PLANE, 10) == []
            with pytest.raises(ControlFault) as refused:
                await database.row("select count(*) from states_now($1)", client.tenant_id)
    finally:
        await database.close()
    assert refused.value.fault is Fault.UNAVAILABLE


async def test_no_gateway_speaks_for_the_control_plane(client: Client):
    """Its id is refused, for records and for keys."""
    gateway = SignedGateway(client, CONTROL_PLANE)
    enrolled = await gateway.enrol()
    assert (enrolled.status, enrolled.reason_code) == (422, "RECORD_KEY_INVALID")
    (line,) = chain(CONTROL_PLANE, [{"detail": "approved by everybody"}])
    shipped = await client.call(
        "POST", "/v1/records", {"gatewayId": CONTROL_PLANE, "records": [line]}, "gateway"
    )
    assert (shipped.status, shipped.reason_code) == (422, "RECORD_INVALID")


async def test_the_services_role_changes_no_act(client: Client):
    """Neither what was done, nor which record it has; nor is one forgotten."""
    await answered(client)
    await exported(client)
    database = client.plane.database
    assert database is not None
    for statement in (
        "update acts set act = '{}'",
        "update acts set seq = null",
        "update acts set seq = seq + 1",
        "delete from acts",
    ):
        with acting_for(client.tenant_id), pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.row(statement)


async def test_age_erases_bodies_and_not_who_did_what(
    client: Client, superuser: asyncpg.Connection
):
    """The control plane's lines stay; a gateway's of the same age go."""
    approval = await answered(client)
    traffic = Traffic(client)
    decision = traffic.decided(None)
    await traffic.ship()
    await exported(client)
    await superuser.execute("update records set received_at = now() - interval '40 days'")
    body = {"days": 30, "legalHold": False, "reason": "as the law has it"}
    await client.call("PUT", "/v1/retention", body)
    database = client.plane.database
    assert database is not None
    with acting_for_everybody():
        assert await RetentionService(RetentionStore(database), 0, Metrics()).sweep() > 0
    log = await exported(client)
    assert decision not in log
    assert approval in log
    assert ((await report_on(client, log)).breaks, await differences(client)) == ([], [])


async def test_what_was_done_before_gets_its_records(client: Client, superuser: asyncpg.Connection):
    """An upgrade puts what the tables hold already into the outbox: nothing is in no record."""
    await superuser.execute(
        "insert into stops (stop_id, tenant_id, scope, name, reason, by, by_key) "
        "select $1, tenant_id, 'agent', 'bot', 'loops', 'alice', key_id from api_keys "
        "where tenant_id = $2 limit 1", uuid.uuid4(), client.tenant_id,
    )  # fmt: skip
    ((event, seq),) = [(one["event"], one["seq"]) for one in await differences(client)]
    assert (event, seq) == ("stop_pulled", None)
    await superuser.execute(backfill_of(21).partition(";")[0])
    assert await differences(client) == []
    events = [one["event"] for one in acts_in(await exported(client))]
    assert events.count("stop_pulled") == 1
