"""Runs and incidents under any sequence of acts, beside models of what they may do (Hypothesis).

Everything goes through the services' own stores and the real reading of records; time passes by
rewriting rows with the owner's rights.
"""

from __future__ import annotations

import uuid
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tests.support.drawn  # noqa: F401
from controlplane.services.record.lines import parse_lines
from controlplane.services.runs.projection import ProjectionService, ProjectionSettings
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.incidents import Handling, IncidentFilter, IncidentStore
from controlplane.store.overview import OverviewStore
from controlplane.store.projection import ProjectionStore
from controlplane.store.records import RecordStore
from controlplane.store.runs import Ending, NewRun, RunFilter, RunStore
from controlplane.telemetry import Metrics
from gateway.model.incident import IncidentState
from gateway.model.run import LEGAL_MOVES, RunEvent, RunState
from tests.support.chains import chain
from tests.support.followed_records import lonely_bus, moment
from tests.support.stored_machine import StoredMachine

NAMES = ("one", "two")
ENDS = (RunEvent.COMPLETE, RunEvent.FAIL, RunEvent.CANCEL)
QUICK = settings(
    max_examples=8,
    stateful_step_count=15,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Machine(StoredMachine):
    """What both machines need; a subclass of each names its database."""

    def __init__(self) -> None:
        super().__init__()
        self.agent = uuid.uuid4().hex
        self.gateway = f"gw-{uuid.uuid4().hex}"
        self.seq, self.prev = 0, "0" * 64

    @initialize()
    def open(self) -> None:
        self.connect()
        self.runs = RunStore(self.database)
        self.incidents = IncidentStore(self.database)
        self.projection = ProjectionService(
            ProjectionStore(self.database),
            self.incidents,
            OverviewStore(self.database),
            lonely_bus(),
            Metrics(),
            ProjectionSettings(batch_count_max=3),
        )
        self.key = self.add_key()

    def record(self, *entries: dict[str, Any]) -> None:
        """Store records as ingest does, and read them."""

        async def store() -> None:
            records = RecordStore(self.database)
            lines = chain(self.gateway, entries, self.seq + 1, self.prev)
            parsed = [line.record for line in parse_lines(self.gateway, lines)]
            async with records.writing(self.tenant) as connection:
                await records.append(connection, self.tenant, self.gateway, parsed)
            self.seq, self.prev = parsed[-1].seq, parsed[-1].hash
            await self.projection.catch_up()

        self.run(store())

    def decision(self, run: str | None, target: str = "t") -> dict[str, Any]:
        return {
            "kind": "intent",
            "at": moment(),
            "decision_id": uuid.uuid4().hex,
            "agent": self.agent,
            "run": run,
            "effect": "ALLOW",
            "mode": "enforce",
            "actions": [{"kind": "create", "action": "a", "target": {"type": "x", "id": target}}],
        }


class Runs(Machine):
    """`model` has every run in the order of their opening: name, origin, state, steps."""

    def __init__(self) -> None:
        super().__init__()
        self.model: list[list[Any]] = []
        self.ids: list[uuid.UUID] = []

    def newest(self, name: str) -> list[Any] | None:
        return next((run for run in reversed(self.model) if run[0] == name), None)

    @rule(name=st.sampled_from(NAMES))
    def announce(self, name: str) -> None:
        run_id = uuid.uuid4()
        new = NewRun(run_id, self.tenant, self.agent, name, "enforce", "g")
        row = self.run(self.runs.create(new, 100))
        newest = self.newest(name)
        is_free = newest is None or not LEGAL_MOVES[newest[2]]
        assert (row is not None) == is_free
        if row is not None:
            self.model.append([name, "api", RunState.PENDING, 0])

    @rule(name=st.sampled_from((*NAMES, "")), count=st.integers(1, 7))
    def act(self, name: str, count: int) -> None:
        self.record(*(self.decision(name or None) for _ in range(count)))
        run = self.newest(name)
        is_of_it = run is not None and (
            bool(LEGAL_MOVES[run[2]]) or run[1] == "api" or run[2] is RunState.CANCELLED
        )
        if run is None or not is_of_it:
            run = [name, "gateway", RunState.RUNNING, 0]
            self.model.append(run)
        run[2] = LEGAL_MOVES[run[2]].get(RunEvent.STEP, run[2])
        run[3] += count

    @precondition(lambda self: self.model)
    @rule(data=st.data(), event=st.sampled_from(ENDS))
    def end(self, data: st.DataObject, event: RunEvent) -> None:
        index = data.draw(st.integers(0, len(self.model) - 1))
        run = self.model[index]
        ending = Ending(event, LEGAL_MOVES[RunState.PENDING][event], "k", self.key, None)
        rows = self.run(self.runs.list(self.tenant, RunFilter(agent=self.agent), None, 500))
        run_id = rows[::-1][index].run_id
        ended = self.run(self.runs.end(self.tenant, run_id, ending))
        after = LEGAL_MOVES[run[2]].get(event)
        assert (ended is not None) == (after is not None)
        run[2] = after or run[2]

    @rule()
    def fall_idle(self) -> None:
        """Everything of this agent did nothing for two hours."""
        self.run(
            self.owner.execute(
                "update runs set last_step_at = last_step_at - interval '2 hours' "
                f"where agent = '{self.agent}' and status = 'RUNNING'"
            )
        )
        self.run(self.runs.end_idle(3_600, 500))
        for run in self.model:
            if run[1] == "gateway" and run[2] is RunState.RUNNING:
                run[2] = LEGAL_MOVES[run[2]][RunEvent.FALL_IDLE]

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        if not hasattr(self, "owner"):
            return
        rows = self.run(self.runs.list(self.tenant, RunFilter(agent=self.agent), None, 500))
        found = [[row.name, row.origin, row.status, row.step_count] for row in rows[::-1]]
        assert found == self.model
        for row in rows:
            steps = self.run(self.runs.steps(self.tenant, row.run_id, 0, 500))
            assert [step.step_index for step in steps] == list(range(1, row.step_count + 1))


class Incidents(Machine):
    """Unknown outcomes of one agent at two targets: what is open, how often, and who settled."""

    def __init__(self) -> None:
        super().__init__()
        self.model: list[list[Any]] = []
        self.unsettled: dict[str, int] = {}

    @rule(place_name=st.sampled_from(NAMES), count=st.integers(1, 4))
    def lose(self, place_name: str, count: int) -> None:
        """Outcomes that nobody saw."""
        decisions = [self.decision("r", place_name) for _ in range(count)]
        outcomes = [
            {
                "kind": "outcome",
                "at": moment(),
                "decision_id": one["decision_id"],
                "outcome": "unknown",
            }
            for one in decisions
        ]
        self.record(*decisions, *outcomes)
        place = next(
            (
                n
                for n, one in enumerate(self.model)
                if one[0] == f"x {place_name}" and not self.over(n)
            ),
            None,
        )
        if place is None:
            place = len(self.model)
            self.model.append([f"x {place_name}", IncidentState.OPEN, 0])
        self.model[place][2] += count
        self.unsettled |= {one["decision_id"]: place for one in decisions}

    def over(self, place: int) -> bool:
        return bool(self.model[place][1] is IncidentState.RESOLVED)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), resolves=st.booleans())
    def handle(self, data: st.DataObject, resolves: bool) -> None:
        place = data.draw(st.integers(0, len(self.model) - 1))
        one, handling = self.model[place], Handling("k", self.key, "n")
        move = self.incidents.resolve if resolves else self.incidents.acknowledge
        row = self.run(move(self.tenant, self.rows()[place].incident_id, handling))
        legal = not self.over(place) and (resolves or one[1] is IncidentState.OPEN)
        assert (row is not None) == legal
        if legal:
            one[1] = IncidentState.RESOLVED if resolves else IncidentState.ACKNOWLEDGED

    @precondition(lambda self: self.unsettled)
    @rule(data=st.data(), again=st.booleans())
    def settle(self, data: st.DataObject, again: bool) -> None:
        decision = data.draw(st.sampled_from(sorted(self.unsettled)))
        handling = Handling("k", self.key, "n")
        for is_first in (True, False) if again else (True,):
            done = self.run(self.incidents.settle(self.tenant, decision, "executed", handling))
            assert done == is_first
        place = self.unsettled.pop(decision)
        if place not in self.unsettled.values():
            self.model[place][1] = IncidentState.RESOLVED

    def rows(self) -> Any:
        wanted = IncidentFilter(agent=self.agent)
        return self.run(self.incidents.list(self.tenant, wanted, None, 500))[::-1]

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        if not hasattr(self, "owner"):
            return
        found = [[row.target, row.status, row.occurrences] for row in self.rows()]
        assert found == self.model
        open_ones = self.run(self.incidents.outcomes(self.tenant, False, self.agent, None, 500))
        assert {row.decision_id for row in open_ones} == set(self.unsettled)


def test_any_sequence_of_acts_on_runs_agrees_with_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """Announced, joined, ended, idle: every name means what the model says."""

    class OnThisDatabase(Runs):
        server = postgres_server

    OnThisDatabase.database_name = database_name
    run_state_machine_as_test(OnThisDatabase, settings=QUICK)


def test_any_sequence_of_acts_on_incidents_agrees_with_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """Lost, looked at, resolved, settled: counted once each, and closed with the last."""

    class OnThisDatabase(Incidents):
        server = postgres_server

    OnThisDatabase.database_name = database_name
    run_state_machine_as_test(OnThisDatabase, settings=QUICK)
