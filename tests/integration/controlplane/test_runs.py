"""Runs over HTTP on a real database: announced, joined by traffic, ended once, really stopped."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import asyncpg
import pytest

from controlplane.services.runs import lifecycle as runs_service
from controlplane.services.runs.stops import STOP_COUNT_MAX
from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.model.run import LEGAL_MOVES, RunState
from tests.support.control_plane import Answer, Client
from tests.support.database import connect_as
from tests.support.followed_records import Traffic
from tests.support.tenants import make_key, make_tenant


async def announce(client: Client, key: str = "admin", **body: Any) -> dict[str, Any]:
    """Announce a run of `agent` under a fresh name; the run."""
    said = {"agentId": "agent", "goal": "close tickets", **body}
    answer = await client.call("POST", "/v1/runs", said, key)
    assert answer.status == 201, answer
    return dict(answer.body)


async def read_run(client: Client, run_id: str, key: str = "admin") -> dict[str, Any]:
    answer = await client.call("GET", f"/v1/runs/{run_id}", key=key)
    assert answer.status == 200, answer
    return dict(answer.body)


async def test_a_run_is_announced_as_the_walk_through_does(client: Client):
    """The agent is nobody's id, the answer has `runId`, and it is completed without a step."""
    scope = {"scopeType": "ORG", "scopeId": str(client.tenant_id)}
    body = {
        "scope": scope,
        "agentId": "11111111-1111-1111-1111-111111111111",
        "mode": "enforce",
        "goal": "Refactor auth module to use JWT",
    }
    made = await client.call("POST", "/v1/runs", body)
    assert (made.status, made.body["status"]) == (201, "PENDING")
    run_id = made.body["runId"]
    found = await client.call("GET", f"/v1/runs?scopeId={client.tenant_id}&scopeType=ORG&limit=1")
    assert [run["runId"] for run in found.body["runs"]] == [run_id]
    done = await client.call("POST", f"/v1/runs/{run_id}/complete", {"terminalStatus": "COMPLETED"})
    assert (done.status, done.body["status"]) == (200, "COMPLETED")


async def test_traffic_joins_the_run_that_it_names(client: Client):
    """By the id; the run then runs, and its steps are in order with what became of each."""
    run = await announce(client)
    traffic = Traffic(client)
    first = traffic.decided(run["name"], effect="ALLOW", sends=True)
    traffic.outcome(first, "executed", status=200)
    second = traffic.decided(run["name"], effect="BLOCK", reason_code="TOO_MUCH")
    traffic.outcome(second, "refused", code="TOO_MUCH")
    await traffic.ship()
    now = await read_run(client, run["runId"])
    assert (now["status"], now["stepCount"], now["blockedCount"]) == ("RUNNING", 2, 1)
    answer = await client.call("GET", f"/v1/runs/{run['runId']}/steps")
    steps = answer.body["steps"]
    assert [(step["stepIndex"], step["decisionId"]) for step in steps] == [(1, first), (2, second)]
    assert steps[0]["outcome"]["outcome"] == "executed"
    assert (steps[1]["effect"], steps[1]["outcome"]["code"]) == ("BLOCK", "TOO_MUCH")


async def test_a_decision_that_was_approved_is_one_step(client: Client):
    """The intent after an approval is the same decision's second record."""
    run = await announce(client)
    traffic = Traffic(client)
    held = traffic.decided(run["name"], effect="REQUIRE_APPROVAL")
    approval = {"id": str(uuid.uuid4()), "state": "CONSUMED", "answered_by": "a", "comment": None}
    traffic.decided(
        run["name"], effect="REQUIRE_APPROVAL", sends=True, decision_id=held, approval=approval
    )
    await traffic.ship()
    now = await read_run(client, run["runId"])
    assert (now["stepCount"], now["heldCount"]) == (1, 1)


async def test_traffic_that_names_no_announced_run_opens_one(client: Client):
    """One for each agent and name; traffic without a name has one of its own."""
    traffic, name = Traffic(client), uuid.uuid4().hex
    for run_name in (name, name, None):
        traffic.decided(run_name, effect="ALLOW", sends=True)
    traffic.decided(name, effect="ALLOW", sends=True, agent="somebody-else")
    await traffic.ship()
    found = await client.call("GET", "/v1/runs?limit=500")
    mine = {
        (run["agent"], run["name"]): run["stepCount"]
        for run in found.body["runs"]
        if run["origin"] == "gateway"
    }
    assert mine["agent", name] == 2
    assert mine["somebody-else", name] == 1
    assert mine["agent", ""] >= 1


async def test_another_agents_run_is_not_joined(client: Client):
    """Who names another agent's run has one of their own."""
    run = await announce(client)
    traffic = Traffic(client)
    traffic.decided(run["name"], effect="ALLOW", sends=True, agent="mallory")
    await traffic.ship()
    assert (await read_run(client, run["runId"]))["status"] == "PENDING"


async def test_traffic_after_the_end_is_still_shown_there(client: Client):
    """Records come later than the end that a program reports; the end stays as it was."""
    run = await announce(client)
    path = f"/v1/runs/{run['runId']}/complete"
    ended = await client.call("POST", path, {"terminalStatus": "FAILED"})
    traffic = Traffic(client)
    traffic.decided(run["name"], effect="ALLOW", sends=True)
    await traffic.ship()
    now = await read_run(client, run["runId"])
    assert (now["status"], now["stepCount"]) == ("FAILED", 1)
    assert now["endedAt"] == ended.body["endedAt"]


async def test_a_cancelled_run_is_stopped_on_gateways(client: Client):
    """A stop of exactly this agent's run comes into force with the cancelling."""
    run = await announce(client)
    path = f"/v1/runs/{run['runId']}/cancel"
    ended = await client.call("POST", path, {"reason": "wrong input", "cancelledBy": "ann"})
    assert (ended.body["status"], ended.body["endedBy"]) == ("CANCELLED", "ann")
    stops = (await client.call("GET", "/v1/stops", key="gateway")).body["stops"]
    (stop,) = (each for each in stops if each["name"] == f"agent+{run['name']}")
    assert (stop["scope"], stop["by"]) == ("run", "ann")
    assert "wrong input" in stop["reason"]
    completed = await client.call(
        "POST", f"/v1/runs/{run['runId']}/complete", {"terminalStatus": "COMPLETED"}
    )
    assert completed.status == 409


async def test_cancelling_leaves_room_for_the_kill_switch(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """Where many runs stay stopped, no further one is cancelled, and everything else can be."""
    monkeypatch.setattr(runs_service, "STOPS_LEFT_MIN", STOP_COUNT_MAX - 1)
    first, second = await announce(client), await announce(client)
    await client.call("POST", f"/v1/runs/{first['runId']}/cancel", {})
    refused = await client.call("POST", f"/v1/runs/{second['runId']}/cancel", {})
    assert (refused.status, refused.body["error"]["reason_code"]) == (429, "STOPS_FULL")
    body = {"scope": "agent", "name": "x", "reason": "r"}
    assert (await client.call("POST", "/v1/stops", body)).status == 201


async def test_completing_stops_nothing(client: Client):
    """A run that is done may have stragglers."""
    run = await announce(client)
    before = (await client.call("GET", "/v1/stops")).body["stops"]
    path = f"/v1/runs/{run['runId']}/complete"
    await client.call("POST", path, {"terminalStatus": "COMPLETED"})
    assert (await client.call("GET", "/v1/stops")).body["stops"] == before


async def test_traffic_without_a_name_can_not_be_cancelled(client: Client):
    """There is nothing by which a gateway could tell it; the answer says so."""
    traffic = Traffic(client)
    traffic.decided(None, effect="ALLOW", sends=True, agent="nameless")
    await traffic.ship()
    runs = (await client.call("GET", "/v1/runs?agent=nameless")).body["runs"]
    answer = await client.call("POST", f"/v1/runs/{runs[0]['runId']}/cancel", {})
    assert (answer.status, answer.body["error"]["reason_code"]) == (409, "RUN_UNNAMED")


async def test_of_ends_that_race_one_wins(client: Client):
    """Twelve at once; eleven get 409, and there is at most one stop."""
    run = await announce(client)
    base = f"/v1/runs/{run['runId']}"

    async def end(number: int) -> Answer:
        if number % 2:
            return await client.call("POST", f"{base}/cancel", {"reason": "r"})
        return await client.call("POST", f"{base}/complete", {"terminalStatus": "COMPLETED"})

    answers = await asyncio.gather(*map(end, range(12)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 11
    stops = (await client.call("GET", "/v1/stops")).body["stops"]
    cancelled = (await read_run(client, run["runId"]))["status"] == "CANCELLED"
    assert sum(run["name"] in str(stop["name"]) for stop in stops) == cancelled


async def test_an_agents_key_has_its_own_runs_alone(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """It announces, reads and completes its own; others' are not there, and it cancels nothing."""
    made = await client.call("POST", "/v1/runs", {"goal": "g"}, "agent")
    assert (made.status, made.body["agent"]) == (201, "agent")
    own = f"/v1/runs/{made.body['runId']}"
    other = await announce(client, agentId="another-agent")
    theirs = f"/v1/runs/{other['runId']}"
    for path in (own, f"{own}/steps"):
        assert (await client.call("GET", path, key="agent")).status == 200
    for path in (theirs, f"{theirs}/steps"):
        assert (await client.call("GET", path, key="agent")).status == 404
    done = {"terminalStatus": "COMPLETED"}
    assert (await client.call("POST", f"{theirs}/complete", done, "agent")).status == 404
    listed = (await client.call("GET", "/v1/runs?limit=500", key="agent")).body["runs"]
    assert {run["agent"] for run in listed} == {"agent"}
    none = await client.call("GET", "/v1/runs?agent=another-agent", key="agent")
    assert none.body["runs"] == []
    for name in ("another-agent", "nobody"):
        refused = await client.call("POST", "/v1/runs", {"agentId": name}, "agent")
        assert refused.status == 403
    assert (await client.call("POST", f"{own}/cancel", {}, "agent")).status == 403
    assert (await client.call("POST", f"{own}/complete", done, "agent")).status == 200


async def test_another_tenants_runs_are_not_there(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Neither by id, nor by scope, nor in a list."""
    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    run = await announce(client)
    base = f"/v1/runs/{run['runId']}"
    calls = [
        ("GET", base, None),
        ("GET", f"{base}/steps", None),
        ("POST", f"{base}/complete", {"terminalStatus": "COMPLETED"}),
        ("POST", f"{base}/cancel", {}),
        ("GET", f"/v1/runs?scopeId={client.tenant_id}", None),
        (
            "POST",
            "/v1/runs",
            {"agentId": "a", "scope": {"scopeType": "ORG", "scopeId": str(client.tenant_id)}},
        ),
    ]
    for method, path, body in calls:
        assert (await client.call(method, path, body, key)).status == 404, path
    assert (await client.call("GET", "/v1/runs", key=key)).body["runs"] == []
    assert (await read_run(client, run["runId"]))["status"] == "PENDING"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"agentId": ""},
        {"agentId": "a", "mode": "off"},
        {"agentId": "a", "goal": "g" * 2001},
        {"agentId": "a", "name": "two words"},
        {"agentId": "a", "name": "a:b"},
        {"agentId": "a", "name": "(other)"},
        {"agentId": "a\nb"},
        {"agentId": "a", "colour": "red"},
        {"agentId": "a", "scope": {"scopeType": "TEAM", "scopeId": str(uuid.UUID(int=7))}},
    ],
    ids=str,
)
async def test_what_can_not_be_announced(client: Client, body: dict[str, Any]):
    """Each is refused before it reaches the database."""
    assert (await client.call("POST", "/v1/runs", body)).status == 422


async def test_a_name_means_one_open_run(client: Client):
    """A second one waits until the first has ended; its traffic then is the second's."""
    name = f"nightly-{uuid.uuid4().hex}"
    first = await announce(client, name=name)
    again = await client.call("POST", "/v1/runs", {"agentId": "agent", "name": name})
    assert (again.status, again.body["error"]["reason_code"]) == (409, "RUN_EXISTS")
    path = f"/v1/runs/{first['runId']}/complete"
    await client.call("POST", path, {"terminalStatus": "COMPLETED"})
    second = await announce(client, name=name)
    traffic = Traffic(client)
    traffic.decided(name, effect="ALLOW", sends=True)
    await traffic.ship()
    assert (await read_run(client, second["runId"]))["stepCount"] == 1
    assert (await read_run(client, first["runId"]))["stepCount"] == 0


async def test_steps_come_in_pages_without_loss(client: Client):
    """Each once, in order."""
    run = await announce(client)
    traffic = Traffic(client)
    made = [traffic.decided(run["name"], effect="ALLOW", sends=True) for _ in range(7)]
    await traffic.ship()
    seen: list[str] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = await client.call("GET", f"/v1/runs/{run['runId']}/steps?limit=3&cursor={cursor}")
        seen += [step["decisionId"] for step in page.body["steps"]]
        cursor = page.body["nextCursor"]
    assert seen == made


async def test_the_schema_knows_the_same_moves_as_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """Every pair of states: the trigger lets pass exactly what `LEGAL_MOVES` has."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    tenant = uuid.uuid4()
    try:
        await connection.execute("insert into tenants values ($1, $2)", tenant, str(tenant))
        for old in RunState:
            for new in RunState:
                run_id = uuid.uuid4()
                await connection.execute(
                    "insert into runs (run_id, tenant_id, agent, name, origin, mode, status, "
                    "ended_at) values ($1, $2, 'a', $3, 'api', 'enforce', $4, $5)",
                    run_id, tenant, str(run_id), old,
                    None if LEGAL_MOVES[old] else await connection.fetchval("select now()"),
                )  # fmt: skip
                legal = new is old or new in LEGAL_MOVES[old].values()
                try:
                    await connection.execute(
                        "update runs set status = $2, ended_at = case when $2 in "
                        "('PENDING', 'RUNNING') then null else coalesce(ended_at, now()) end "
                        "where run_id = $1",
                        run_id, new,
                    )  # fmt: skip
                    moved = True
                except asyncpg.CheckViolationError:
                    moved = False
                assert moved == legal, (old, new)
    finally:
        await connection.close()


async def test_steps_never_change_whoever_asks(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Not in the parent and not in a partition, and the service's role has no right to try."""
    run = await announce(client)
    traffic = Traffic(client)
    traffic.decided(run["name"], effect="ALLOW", sends=True)
    await traffic.ship()
    for role in (Role.OWNER, Role.APPLICATION):
        connection = await connect_as(postgres_server, role, database_name)
        try:
            part = await connection.fetchval(
                "select tableoid::regclass::text from run_steps limit 1"
            )
            assert part.startswith("run_steps_2")
            for statement in (
                "update run_steps set effect = 'BLOCK'",
                "delete from run_steps",
                "truncate run_steps",
                f"delete from {part}",
                f"truncate {part}",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()
