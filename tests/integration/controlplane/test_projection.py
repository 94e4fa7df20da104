"""The reading of records into runs and incidents: each record once, in order, whoever is killed."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from dataclasses import replace
from typing import Any

import pytest

from controlplane.assembly import Limits
from controlplane.services.runs.lifecycle import RunService, RunSettings
from controlplane.services.runs.projection import ProjectionService, ProjectionSettings
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.incidents import OPEN_COUNT_MAX, IncidentStore, Sighting
from controlplane.store.months import MonthStore
from controlplane.store.overview import OverviewStore
from controlplane.store.projection import ProjectionStore
from controlplane.store.runs import RunStore
from controlplane.store.stops import StopStore
from controlplane.telemetry import Metrics
from gateway.model.incident import Severity
from tests.support.control_plane import LIMITS, Client, running_plane
from tests.support.database import connect_as, everybodys
from tests.support.followed_records import Traffic, is_read, lonely_bus, until_read

FEW = ProjectionSettings(batch_count_max=5)


@pytest.fixture
async def client(own_client: Client) -> Client:
    """A control plane for each test: one kills its reader, and one has it count a fault."""
    return own_client


def reader(client: Client, settings: ProjectionSettings = FEW) -> ProjectionService:
    """Another replica's reader on the same database."""
    database = client.plane.database
    assert database is not None
    return ProjectionService(
        ProjectionStore(database),
        IncidentStore(database),
        OverviewStore(database),
        lonely_bus(),
        Metrics(),
        settings,
    )


async def runs_of(client: Client, agent: str) -> dict[str, dict[str, Any]]:
    answer = await client.call("GET", f"/v1/runs?agent={agent}&limit=500")
    return {run["name"]: run for run in answer.body["runs"]}


async def steps_of(client: Client, run: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.call("GET", f"/v1/runs/{run['runId']}/steps?limit=500")
    return list(answer.body["steps"])


async def test_several_readers_count_each_record_once(client: Client):
    """Five beside the control plane's own, on small batches, while records come."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    made = []
    for _ in range(10):
        made += [traffic.decided("r", sends=True, agent=agent) for _ in range(12)]
        await traffic.ship(waits=False)
        await asyncio.gather(*(reader(client).catch_up() for _ in range(5)))
    await until_read(client)
    run = (await runs_of(client, agent))["r"]
    steps = await steps_of(client, run)
    assert [step["decisionId"] for step in steps] == made
    assert [step["stepIndex"] for step in steps] == list(range(1, 121))
    assert run["stepCount"] == 120


async def test_a_reader_that_dies_in_a_batch_leaves_nothing_of_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """Whatever statement it dies before: the next reader finds all to be done, once."""
    agent, deaths = uuid.uuid4().hex, []
    for method in ("find_runs", "open_run", "add_steps", "steps_of", "note_unknown"):

        async def dies(*_: object, method: str = method) -> None:
            deaths.append(method)
            raise asyncio.CancelledError

        with monkeypatch.context() as broken:
            # The class: the control plane's own reader dies too.
            broken.setattr(ProjectionStore, method, dies)
            traffic = Traffic(client)
            decision_id = traffic.decided(method, sends=True, agent=agent)
            traffic.outcome(decision_id, "unknown")
            await traffic.ship(waits=False)
            with contextlib.suppress(asyncio.CancelledError):
                while method not in deaths:
                    await reader(client).catch_up()
        # Its own reader is dead; what it does itself still makes records meanwhile.
        while not await is_read(client):
            await reader(client).catch_up()
    runs = await runs_of(client, agent)
    assert {name: run["stepCount"] for name, run in runs.items()} == dict.fromkeys(
        ("find_runs", "open_run", "add_steps", "steps_of", "note_unknown"), 1
    )
    answer = await client.call("GET", f"/v1/outcomes?agent={agent}")
    assert len(answer.body["outcomes"]) == 5
    assert set(deaths) == set(runs)


async def test_a_record_that_can_not_be_read_hides_no_other(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """It is left out; those before and after it count."""
    agent, real = uuid.uuid4().hex, ProjectionStore.add_steps

    async def choosy(self: ProjectionStore, connection: Any, tenant: Any, steps: Any, counts: Any):
        if any(step.target_id == "ch_poison" for _, _, step in steps):
            raise ValueError("poison")
        await real(self, connection, tenant, steps, counts)

    monkeypatch.setattr(ProjectionStore, "add_steps", choosy)
    traffic = Traffic(client)
    first = traffic.decided("r", sends=True, agent=agent)
    traffic.decided("r", sends=True, agent=agent, target="ch_poison")
    last = traffic.decided("r", sends=True, agent=agent)
    await traffic.ship()
    steps = await steps_of(client, (await runs_of(client, agent))["r"])
    assert [step["decisionId"] for step in steps] == [first, last]


STRANGE: dict[str, dict[str, Any]] = {
    "no actions": {"actions": []},
    "actions of another type": {"actions": "all"},
    "an action that is none": {"actions": [7, None, []]},
    "a target of another type": {"actions": [{"target": [1]}]},
    "huge texts": {"message": "m" * 100_000, "run": "r" * 10_000, "rule": "x" * 10_000},
    "NUL everywhere": {"run": "a\0b", "message": "\0", "policy": "\0"},
    "a risk out of range": {"risk": {"score": 10**9}},
    "a risk that is a truth": {"risk": {"score": True}},
    "a time before all time": {"at": "0001-01-01T00:00:00.000000Z"},
    "a time after all time": {"at": "9999-12-31T23:59:59.999999Z"},
    "no time": {"at": "yesterday"},
    "an unknown mode": {"mode": "chaos"},
    "a digest of another type": {"digest": 5},
    "an approval of another type": {"approval": "yes"},
}


@pytest.mark.parametrize("what", STRANGE)
async def test_a_strange_decision_is_still_a_step(client: Client, what: str):
    """Gateways send what they send: bounded, storable, and in its agent's runs."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    traffic.entry(
        kind="decision",
        decision_id=uuid.uuid4().hex,
        agent=agent,
        effect="REQUIRE_APPROVAL",
        **STRANGE[what],
    )
    await traffic.ship()
    (run,) = (await runs_of(client, agent)).values()
    (step,) = await steps_of(client, run)
    assert len(str(step)) < 4_000
    assert client.plane.metrics.bugs._value.get() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "decision"},
        {"kind": "decision", "decision_id": 1, "agent": 2, "effect": "ALLOW"},
        {"kind": "decision", "decision_id": "d", "agent": "a", "effect": "MAYBE"},
        {"kind": "decision", "decision_id": "d", "agent": "a", "effect": ["ALLOW"]},
        {"kind": "outcome", "decision_id": "nobody's", "outcome": "unknown"},
        {"kind": "outcome", "decision_id": None, "outcome": {}},
        {"kind": "gateway", "event": ["recovered"]},
        {"kind": "refusal", "code": 1},
    ],
    ids=str,
)
async def test_what_tells_of_nothing_is_passed_over(client: Client, fields: dict[str, Any]):
    """No step, no incident, no fault."""
    traffic = Traffic(client)
    traffic.entry(**fields)
    await traffic.ship()
    assert client.plane.metrics.bugs._value.get() == 0


async def test_an_agent_can_not_open_runs_without_end(
    postgres_server: EmbeddedPostgres, database_name: str, tmp_path: Any
):
    """Beyond so many within an hour, its traffic is of one run."""
    limits = replace(LIMITS, projection=replace(FEW, runs_per_agent_hour_max=3))
    async with running_plane(postgres_server, database_name, tmp_path, limits) as client:
        traffic, agent = Traffic(client), uuid.uuid4().hex
        for number in range(12):
            traffic.decided(f"run-{number}", sends=True, agent=agent)
        traffic.decided("run-0", sends=True, agent=agent)
        await traffic.ship()
        runs = await runs_of(client, agent)
        assert {name: run["stepCount"] for name, run in runs.items()} == {
            "run-0": 2,
            "run-1": 1,
            "run-2": 1,
            "(other)": 9,
        }


async def test_incidents_of_chosen_names_are_bounded(client: Client):
    """Beyond so many that are open, the surplus of a reason is counted on one."""
    database = client.plane.database
    store = IncidentStore(everybodys(database))
    tenant = uuid.uuid4()
    await everybodys(database).row(
        "insert into tenants (tenant_id, name) values ($1, $2)", tenant, str(tenant)
    )
    now = (await everybodys(database).rows("select now() as at"))[0]["at"]
    await everybodys(database).rows(
        "insert into incidents (incident_id, tenant_id, origin, severity, reason_code, title, "
        "group_key, opened_by) select gen_random_uuid(), $1, 'watch', 'LOW', 'X', 't', n::text, "
        "'x' from generate_series(1, $2::int) n",
        tenant,
        OPEN_COUNT_MAX,
    )
    found = {
        await store.note(Sighting(tenant, f"g{number}", Severity.LOW, "X", "t", "", now))
        for number in range(20)
    }
    known = await store.note(Sighting(tenant, "7", Severity.LOW, "X", "t", "", now))
    assert len(found) == 1
    assert known not in found
    row = await store.get(tenant, found.pop())
    assert row is not None
    assert row.occurrences == 20


async def test_a_run_that_traffic_opened_ends_when_it_falls_idle(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """One that was announced does not; the next traffic of the name opens another one."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    announced = (await client.call("POST", "/v1/runs", {"agentId": agent, "name": "told"})).body
    for name in ("told", "seen"):
        traffic.decided(name, sends=True, agent=agent)
    await traffic.ship()
    owner = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await owner.execute(
            "update runs set last_step_at = last_step_at - interval '2 hours' where agent = $1",
            agent,
        )
    finally:
        await owner.close()
    database = everybodys(client.plane.database)
    service = RunService(
        RunStore(database), StopStore(database), lonely_bus(), Metrics(), RunSettings()
    )
    assert await service.sweep() == 1
    runs = await runs_of(client, agent)
    assert (runs["seen"]["status"], runs["seen"]["endReason"]) == ("COMPLETED", "IDLE")
    assert (runs["told"]["runId"], runs["told"]["status"]) == (announced["runId"], "RUNNING")
    traffic.decided("seen", sends=True, agent=agent)
    await traffic.ship()
    answer = await client.call("GET", f"/v1/runs?agent={agent}&status=RUNNING")
    assert {run["name"] for run in answer.body["runs"]} == {"told", "seen"}


async def test_a_step_is_seen_at_once(client: Client):
    """Within 200 ms of its record's arrival, in the middle of ten tries."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    waits = []
    for _ in range(10):
        traffic.decided("r", sends=True, agent=agent)
        await traffic.ship(waits=False)
        begun = time.monotonic()
        await until_read(client)
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[5] < 0.2, waits


async def test_partitions_of_the_months_to_come_are_there(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """The service's role makes them without any right on tables, and again without a fault."""
    database = everybodys(client.plane.database)
    await MonthStore(database).make(5)
    await MonthStore(database).make(5)
    owner = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        parts = await owner.fetch(
            "select inhrelid::regclass::text as name from pg_inherits "
            "where inhparent = 'run_steps'::regclass"
        )
    finally:
        await owner.close()
    assert len({row["name"] for row in parts}) == 7


def test_the_control_planes_own_limits_are_sane():
    """An agent of one installation may open more runs than a person reads, and fewer than hurt."""
    assert 100 <= Limits().projection.runs_per_agent_hour_max <= 10_000
