"""Incidents over HTTP on a real database: reported, opened by what records show, handled."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.model.incident import LEGAL_MOVES, IncidentState
from tests.support.chains import chain
from tests.support.control_plane import Client, ask_body, fresh_digest
from tests.support.database import connect_as
from tests.support.followed_records import Traffic
from tests.support.tenants import make_key, make_tenant


async def report(client: Client, **more: Any) -> dict[str, Any]:
    body = {"severity": "HIGH", "reasonCode": "SHELL_BLOCKED", "title": "tried a shell", **more}
    answer = await client.call("POST", "/v1/incidents", body)
    assert answer.status == 201, answer
    return dict(answer.body["incident"])


async def incidents(client: Client, **query: str) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in {"limit": "500", **query}.items())
    answer = await client.call("GET", f"/v1/incidents?{text}")
    assert answer.status == 200, answer
    return list(answer.body["incidents"])


async def settle(client: Client, decision_id: str, **more: Any) -> int:
    body = {"outcome": "executed", "note": "seen in the provider's own list", **more}
    return (await client.call("POST", f"/v1/outcomes/{decision_id}/settle", body)).status


async def test_an_incident_goes_its_way_as_the_walk_through_does(client: Client):
    """Opened with a run, acknowledged by somebody, resolved with a note."""
    run = (await client.call("POST", "/v1/runs", {"agentId": "coder"})).body
    made = await report(
        client,
        scope={"scopeType": "ORG", "scopeId": str(client.tenant_id)},
        runId=run["runId"],
        summary="Agent tried: rm -rf /tmp/build && make deploy",
    )
    assert (made["status"], made["agent"], made["runId"]) == ("OPEN", "coder", run["runId"])
    path = f"/v1/incidents/{made['incidentId']}"
    seen = await client.call("POST", f"{path}/acknowledge", {"acknowledgedBy": "operator-alice"})
    assert seen.body["incident"]["status"] == "ACKNOWLEDGED"
    assert seen.body["incident"]["acknowledgedBy"] == "operator-alice"
    assert (await client.call("POST", f"{path}/acknowledge", {})).status == 409
    assert (await client.call("POST", f"{path}/resolve", {})).status == 422
    over = await client.call("POST", f"{path}/resolve", {"note": "shell removed"})
    assert (over.body["incident"]["status"], over.body["incident"]["note"]) == (
        "RESOLVED",
        "shell removed",
    )
    again = await client.call("POST", f"{path}/resolve", {"note": "again"})
    assert (again.status, again.body["error"]["reason_code"]) == (409, "INCIDENT_HANDLED")


async def test_an_outcome_that_nobody_saw_waits_for_a_person(client: Client):
    """Its incident is resolved with the last of them, and never counts a read."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    made = [traffic.decided("r", sends=True, agent=agent) for _ in range(2)]
    read = traffic.decided("r", sends=True, agent=agent, kind="read")
    for decision_id in (*made, read):
        traffic.outcome(decision_id, "unknown", code="upstream.timed_out")
    await traffic.ship()
    (incident,) = await incidents(client, agent=agent)
    assert (incident["reasonCode"], incident["occurrences"]) == ("OUTCOME_UNKNOWN", 2)
    assert incident["decisionIds"] == made
    listed = await client.call("GET", f"/v1/outcomes?status=unknown&agent={agent}")
    assert [each["decisionId"] for each in listed.body["outcomes"]] == made[::-1]
    assert await settle(client, made[0]) == 200
    assert (await incidents(client, agent=agent))[0]["status"] == "OPEN"
    assert await settle(client, made[1], outcome="not_executed", settledBy="ann") == 200
    assert (await incidents(client, agent=agent))[0]["status"] == "RESOLVED"
    assert await settle(client, made[1]) == 409
    assert await settle(client, "dec_nobody") == 404
    settled = await client.call("GET", f"/v1/outcomes?status=settled&agent={agent}")
    assert {each["outcome"] for each in settled.body["outcomes"]} == {"executed", "not_executed"}
    assert settled.body["outcomes"][0]["settledBy"] == "ann"


async def test_two_who_settle_the_last_two_at_once_resolve_the_incident(client: Client):
    """Neither may leave it to the other."""
    for _ in range(5):
        traffic, agent = Traffic(client), uuid.uuid4().hex
        made = [traffic.decided("r", sends=True, agent=agent) for _ in range(2)]
        for decision_id in made:
            traffic.outcome(decision_id, "unknown")
        await traffic.ship()
        assert await asyncio.gather(*(settle(client, each) for each in made)) == [200, 200]
        assert (await incidents(client, agent=agent))[0]["status"] == "RESOLVED"


async def test_of_several_who_settle_one_outcome_one_is_heard(client: Client):
    """The others get 409, and what was written first stays."""
    traffic = Traffic(client)
    decision_id = traffic.decided("r", sends=True, agent=uuid.uuid4().hex)
    traffic.outcome(decision_id, "unknown")
    await traffic.ship()
    statuses = await asyncio.gather(*(settle(client, decision_id) for _ in range(6)))
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]


async def test_what_a_lost_gateway_left_open_is_unknown(client: Client):
    """It says at its start that it went down in the midst of acts; those with an outcome are not
    among them."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    done = traffic.decided("r", sends=True, agent=agent, target="ch_done")
    traffic.outcome(done, "executed")
    lost = traffic.decided("r", sends=True, agent=agent, target="ch_lost")
    traffic.entry(kind="gateway", event="recovered", detail="1 intents have no outcome")
    later = traffic.decided("r", sends=True, agent=agent, target="ch_later")
    await traffic.ship()
    (incident,) = await incidents(client, agent=agent)
    assert (incident["decisionIds"], incident["target"]) == ([lost], "charge ch_lost")
    assert later not in incident["decisionIds"]


@pytest.mark.parametrize(
    ("code", "severity"),
    [("WITNESS_HASH_MISMATCH", "HIGH"), ("WITNESS_UNAVAILABLE", "MEDIUM")],
)
async def test_a_witness_that_failed_is_one_incident_with_its_approvals(
    client: Client, code: str, severity: str
):
    """Ten times the same is one, with the newest links."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    approval = {"id": str(uuid.uuid4()), "state": "CANCELLED", "answered_by": None, "comment": None}
    for _ in range(10):
        held = traffic.decided("r", effect="REQUIRE_APPROVAL", agent=agent)
        traffic.outcome(held, "refused", code=code, approval=approval)
    await traffic.ship()
    (incident,) = await incidents(client, agent=agent)
    assert (incident["reasonCode"], incident["severity"]) == (code, severity)
    assert (incident["occurrences"], len(incident["decisionIds"])) == (10, 10)
    assert incident["approvalIds"] == [approval["id"]]


async def test_an_agent_that_is_blocked_again_and_again(client: Client):
    """Twenty within five minutes open it, nineteen do not, nor what is spread over a day, nor what
    was only watched or stopped."""
    now = datetime.now(UTC)
    cases: dict[str, tuple[int, timedelta, dict[str, Any], int]] = {
        "nineteen": (19, timedelta(seconds=1), {}, 0),
        "twenty": (20, timedelta(seconds=1), {}, 1),
        "spread": (30, timedelta(minutes=5), {}, 0),
        "watched": (30, timedelta(seconds=1), {"mode": "monitor"}, 0),
        "stopped": (30, timedelta(seconds=1), {"reason_code": "KILL_SWITCH"}, 0),
    }
    traffic, mark = Traffic(client), uuid.uuid4().hex
    for name, (count, gap, more, _) in cases.items():
        for number in range(count):
            at = now - gap * (count - number)
            traffic.decided("r", effect="BLOCK", agent=f"{name}-{mark}", at=at, **more)
    await traffic.ship()
    for name, (_, _, _, expected) in cases.items():
        assert len(await incidents(client, agent=f"{name}-{mark}")) == expected, name
    for _ in range(3):
        traffic.decided("r", effect="BLOCK", agent=f"twenty-{mark}")
        await traffic.ship()
    (incident,) = await incidents(client, agent=f"twenty-{mark}")
    assert incident["occurrences"] == 23


async def test_a_denied_act_that_is_asked_again(client: Client):
    """It links to the approval that was denied; another act of the agent opens nothing."""
    digest, agent = fresh_digest(), uuid.uuid4().hex
    asked = await client.call(
        "POST", "/v1/approvals", ask_body(agent=agent, requestDigest=digest), "gateway"
    )
    approval_id = asked.body["approval"]["approvalId"]
    await client.resolve(approval_id, "REJECT", reason="no")
    traffic = Traffic(client)
    traffic.decided("r", effect="REQUIRE_APPROVAL", agent=agent, digest="e" * 64)
    await traffic.ship()
    assert await incidents(client, agent=agent) == []
    again = traffic.decided("r", effect="REQUIRE_APPROVAL", agent=agent, digest=digest)
    await traffic.ship()
    (incident,) = await incidents(client, agent=agent)
    assert incident["reasonCode"] == "DENIED_RETRIED"
    assert (incident["decisionIds"], incident["approvalIds"]) == ([again], [approval_id])


async def test_pulling_the_kill_switch_is_an_incident(client: Client):
    """Whoever pulls it, with why."""
    name = uuid.uuid4().hex
    body = {"scope": "agent", "name": name, "reason": "refunds in a loop", "by": "ann"}
    assert (await client.call("POST", "/v1/stops", body)).status == 201
    (incident,) = await incidents(client, agent=name)
    assert (incident["reasonCode"], incident["severity"]) == ("KILL_SWITCH", "HIGH")
    assert (incident["title"], incident["summary"]) == (
        f"Agent {name} is stopped by ann",
        "refunds in a loop",
    )


async def test_cancelling_a_run_is_none(client: Client):
    """A person ended a run: nothing is left to look at."""
    run = (await client.call("POST", "/v1/runs", {"agentId": "agent"})).body
    await client.call("POST", f"/v1/runs/{run['runId']}/cancel", {})
    assert all(run["name"] not in each["title"] for each in await incidents(client))


async def test_records_that_contradict_the_stored_ones_are_an_incident(client: Client):
    """A conflict is critical; a gap is said too; each gateway has one of each."""
    traffic = Traffic(client)
    traffic.entry(kind="gateway", event="started", detail="")
    await traffic.ship()
    gateway = traffic.gateway
    other = chain(gateway, [{"detail": "another past"}])
    for _ in range(3):
        body = {"gatewayId": gateway, "records": other}
        assert (await client.call("POST", "/v1/records", body, "gateway")).status == 409
    gap = chain(gateway, [{}], first=7)
    await client.call("POST", "/v1/records", {"gatewayId": gateway, "records": gap}, "gateway")
    found = {
        each["reasonCode"]: (each["severity"], each["occurrences"])
        for each in await incidents(client)
        if gateway in each["title"]
    }
    assert found == {"RECORD_CONFLICT": ("CRITICAL", 3), "RECORD_GAP": ("MEDIUM", 1)}


async def test_what_comes_again_after_it_was_resolved_is_a_new_incident(client: Client):
    """The old one stays as somebody left it."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    for _ in range(2):
        traffic.outcome(traffic.decided("r", sends=True, agent=agent), "unknown")
        await traffic.ship()
        newest = (await incidents(client, agent=agent))[0]
        path = f"/v1/incidents/{newest['incidentId']}/resolve"
        assert (await client.call("POST", path, {"note": "looked"})).status == 200
    found = await incidents(client, agent=agent)
    assert [(each["status"], each["occurrences"]) for each in found] == [("RESOLVED", 1)] * 2


async def test_filters_find_what_they_name(client: Client):
    """Each alone; a filter of nothing known finds nothing."""
    run = (await client.call("POST", "/v1/runs", {"agentId": "filtered"})).body
    made = await report(client, severity="LOW", runId=run["runId"], reasonCode=run["runId"])
    since = made["openedAt"]
    for query in (
        {"agent": "filtered"},
        {"runId": run["runId"]},
        {"reasonCode": run["runId"]},
        {"severity": "LOW", "status": "OPEN", "since": since},
    ):
        assert made["incidentId"] in {
            each["incidentId"] for each in await incidents(client, **query)
        }, query
    assert await incidents(client, agent="filtered", severity="CRITICAL") == []
    assert await incidents(client, runId=str(uuid.uuid4())) == []


async def test_another_tenants_incidents_are_not_there(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Neither by id, nor its run, nor its outcomes."""
    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    made = await report(client)
    run = (await client.call("POST", "/v1/runs", {"agentId": "agent"})).body
    traffic = Traffic(client)
    decision_id = traffic.decided("r", sends=True, agent=uuid.uuid4().hex)
    traffic.outcome(decision_id, "unknown")
    await traffic.ship()
    path = f"/v1/incidents/{made['incidentId']}"
    body = {"severity": "LOW", "reasonCode": "A", "title": "t", "runId": run["runId"]}
    settled = {"outcome": "executed", "note": "n"}
    for method, where, sent in (
        ("GET", path, None),
        ("POST", f"{path}/acknowledge", {}),
        ("POST", f"{path}/resolve", {"note": "n"}),
        ("POST", "/v1/incidents", body),
        ("POST", f"/v1/outcomes/{decision_id}/settle", settled),
    ):
        assert (await client.call(method, where, sent, key)).status == 404, where
    assert (await client.call("GET", "/v1/incidents", key=key)).body["incidents"] == []
    assert (await client.call("GET", "/v1/outcomes", key=key)).body["outcomes"] == []


@pytest.mark.parametrize("key", ["agent", "gateway"])
async def test_machines_handle_no_incident(client: Client, key: str):
    """Nor do they settle an outcome or read any."""
    made = await report(client)
    path = f"/v1/incidents/{made['incidentId']}"
    for method, where, body in (
        ("GET", path, None),
        ("POST", f"{path}/resolve", {"note": "n"}),
        ("POST", "/v1/outcomes/dec_1/settle", {"outcome": "executed", "note": "n"}),
    ):
        assert (await client.call(method, where, body, key)).status == 403


async def test_the_schema_knows_the_same_moves_as_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """Every pair of states: the trigger lets pass exactly what `LEGAL_MOVES` has."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    tenant = uuid.uuid4()
    columns = "incident_id, tenant_id, origin, severity, reason_code, title, opened_by, status"
    try:
        await connection.execute("insert into tenants values ($1, $2)", tenant, str(tenant))
        for old in IncidentState:
            for new in IncidentState:
                incident_id = uuid.uuid4()
                await connection.execute(
                    f"insert into incidents ({columns}, acknowledged_at, resolved_at) values "
                    "($1, $2, 'api', 'LOW', 'r', 't', 'x', $3, now(), "
                    "case when $3 = 'RESOLVED' then now() end)",
                    incident_id, tenant, old,
                )  # fmt: skip
                try:
                    await connection.execute(
                        "update incidents set status = $2, resolved_at = "
                        "case when $2 = 'RESOLVED' then now() end where incident_id = $1",
                        incident_id, new,
                    )  # fmt: skip
                    moved = True
                except asyncpg.CheckViolationError:
                    moved = False
                legal = new in LEGAL_MOVES[old].values()
                stays = new is old and old is not IncidentState.RESOLVED
                assert moved == (legal or stays), (old, new)
    finally:
        await connection.close()
