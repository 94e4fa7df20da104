"""Runs: announced, read, ended. What they did is made of records by `projection`.

An agent's key sees and ends the runs of its own agent; to it, others are not there.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from controlplane.auth import Caller, Permission, require_person
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.bus import Bus, Topic
from controlplane.services.runs.places import FROM_TRAFFIC, OTHER
from controlplane.services.runs.stops import STOP_COUNT_MAX
from controlplane.services.sweeping import sweep_forever
from controlplane.store.runs import Ending, NewRun, RunFilter, RunRow, RunStore, StepRow
from controlplane.store.stops import StopStore
from controlplane.telemetry import Metrics
from gateway.model.run import LEGAL_MOVES, RunEvent, RunState
from gateway.model.stop import run_stop_name
from gateway.record.marks import REDACTED_SIGN

log = logging.getLogger(__name__)

STOP_NAME_LENGTH_MAX = 256
STOP_REASON_LENGTH_MAX = 500
"""The table of stops holds no longer ones."""

STOPS_LEFT_MIN = STOP_COUNT_MAX // 2
"""Room for stops that cancelling never takes: the kill switch has to work for whoever pulls it,
however many runs were cancelled and their stops never lifted."""

"""What stands in a run's name where a record does not show it as it was; see `gateway.record`."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """`idle_seconds_max` ends runs that traffic opened; an announced run says itself when it is
    done. `per_agent_hour_max` announced runs of one agent: a program that starts in a loop must not
    bury the others."""

    idle_seconds_max: float = 3_600.0
    per_agent_hour_max: int = 500
    sweep_seconds: float = 30.0
    sweep_count_max: int = 500


@dataclass(frozen=True, slots=True)
class NamedRun:
    """What is announced. `agent` is a name or an id, None for the agent whose key it is."""

    agent: str | None
    name: str | None
    mode: str
    goal: str


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of a run with what became of it; `outcome` is None while that is open."""

    row: StepRow
    outcome: str | None
    outcome_status: int | None
    outcome_code: str | None
    outcome_at: str | None


class RunService:
    def __init__(
        self, store: RunStore, stops: StopStore, bus: Bus, metrics: Metrics, settings: RunSettings
    ) -> None:
        self._store = store
        self._stops = stops
        self._bus = bus
        self._metrics = metrics
        self._settings = settings

    async def create(self, caller: Caller, named: NamedRun) -> RunRow:
        """Announce a run. The traffic of its agent that names it is of it; without a name of its
        own, a run is named by its id.

        Raises:
            ControlFault: FORBIDDEN for an agent's key and another agent, RUN_EXISTS, RUNS_FULL.
        """
        agent = await self._agent(caller, named.agent)
        run_id = uuid.uuid4()
        name = named.name or str(run_id)
        new = NewRun(run_id, caller.tenant_id, agent, name, named.mode, named.goal)
        row = await self._store.create(new, self._settings.per_agent_hour_max)
        if row is None:
            if await self._store.is_taken(caller.tenant_id, agent, name):
                raise ControlFault(Fault.RUN_EXISTS, f"a run `{name}` of this agent is open")
            raise ControlFault(Fault.RUNS_FULL, "this agent opened too many runs within the hour")
        await self._tell(caller)
        return row

    async def get(self, caller: Caller, run_id: uuid.UUID) -> RunRow:
        """Read it.

        Raises:
            ControlFault: NOT_FOUND, also where it is another agent's.
        """
        row = await self._store.get(caller.tenant_id, run_id)
        if row is None or not _may_see(caller, row):
            raise not_found("run")
        return row

    async def list(
        self, caller: Caller, wanted: RunFilter, before: int | None, count_max: int
    ) -> Sequence[RunRow]:
        """Newest first."""
        if _is_agent(caller):
            if wanted.agent not in (None, caller.agent):
                return []
            wanted = replace(wanted, agent=caller.agent)
        return await self._store.list(caller.tenant_id, wanted, before, count_max)

    async def steps(
        self, caller: Caller, run_id: uuid.UUID, after: int, count_max: int
    ) -> Sequence[Step]:
        """What it did, in order.

        Raises:
            ControlFault: NOT_FOUND.
        """
        await self.get(caller, run_id)
        rows = await self._store.steps(caller.tenant_id, run_id, after, count_max)
        return [_step(row) for row in rows]

    async def complete(self, caller: Caller, run_id: uuid.UUID, event: RunEvent) -> RunRow:
        """Say that it is done: COMPLETE or FAIL. Its traffic is not stopped.

        Raises:
            ControlFault: NOT_FOUND, RUN_ENDED.
        """
        row = await self.get(caller, run_id)
        by = caller.agent if _is_agent(caller) else None
        ended = await self._store.end(
            caller.tenant_id,
            run_id,
            Ending(event, LEGAL_MOVES[RunState.PENDING][event], by or caller.key_name,
                   caller.key_id, None),
        )  # fmt: skip
        return await self._ended(caller, row, ended)

    async def cancel(
        self, caller: Caller, run_id: uuid.UUID, by: str | None, reason: str
    ) -> RunRow:
        """End it and stop its traffic, on every gateway, until somebody lifts that stop.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, NOT_FOUND, RUN_ENDED, RUN_UNNAMED,
                STOPS_FULL.
        """
        require_person(caller, "cancel runs")
        row = await self.get(caller, run_id)
        stop_name = run_stop_name(row.agent, row.name)
        is_exact = row.name not in ("", OTHER) and REDACTED_SIGN not in row.name
        is_nameless = row.origin == FROM_TRAFFIC and not is_exact
        if is_nameless or len(stop_name) > STOP_NAME_LENGTH_MAX:
            raise ControlFault(
                Fault.RUN_UNNAMED, "this traffic names no run by which it could be stopped"
            )
        in_force = await self._stops.count_in_force(caller.tenant_id)
        if in_force >= STOP_COUNT_MAX - STOPS_LEFT_MIN:
            raise ControlFault(
                Fault.STOPS_FULL, "too many stops are in force; lift those of runs long gone"
            )
        ended = await self._store.end_and_stop(
            caller.tenant_id,
            run_id,
            Ending(RunEvent.CANCEL, RunState.CANCELLED, caller.person(by), caller.key_id, reason),
            _stop_reason(reason),
        )
        if ended is not None:
            self._metrics.stops.labels("pulled").inc()
            await self._bus.publish(Topic.STOPS, str(caller.tenant_id))
        return await self._ended(caller, row, ended)

    async def sweep_forever(self) -> None:
        """End what fell idle."""
        settings = self._settings

        async def sweep() -> float:
            ended = await self.sweep()
            return settings.sweep_seconds if ended < settings.sweep_count_max else 0.1

        await sweep_forever(sweep, settings.sweep_seconds, self._metrics)

    async def sweep(self) -> int:
        """End what fell idle; how many."""
        settings = self._settings
        ended = await self._store.end_idle(settings.idle_seconds_max, settings.sweep_count_max)
        for tenant_id in set(ended):
            await self._bus.publish(Topic.EVENTS, str(tenant_id))
        return len(ended)

    async def _agent(self, caller: Caller, text: str | None) -> str:
        """Who runs. A name that no agent has yet is kept as it is: nobody's traffic joins it."""
        if not _is_agent(caller):
            if text is None:
                raise ControlFault(Fault.INVALID_ARGUMENT, "`agentId`: say which agent runs")
            return await self._store.find_agent(caller.tenant_id, text) or text
        assert caller.agent is not None
        if text is not None and caller.agent != (
            await self._store.find_agent(caller.tenant_id, text)
        ):
            raise ControlFault(Fault.FORBIDDEN, "an agent's key announces runs of its own agent")
        return caller.agent

    async def _ended(self, caller: Caller, before: RunRow, ended: RunRow | None) -> RunRow:
        if ended is None:
            row = await self._store.get(caller.tenant_id, before.run_id) or before
            raise ControlFault(
                Fault.RUN_ENDED, f"this run is {row.status} already", {"status": row.status}
            )
        await self._tell(caller)
        return ended

    async def _tell(self, caller: Caller) -> None:
        await self._bus.publish(Topic.EVENTS, str(caller.tenant_id))


def _is_agent(caller: Caller) -> bool:
    return Permission.AGENT in caller.permissions


def _may_see(caller: Caller, row: RunRow) -> bool:
    return not _is_agent(caller) or row.agent == caller.agent


def _stop_reason(reason: str) -> str:
    """What stopped traffic is told; the person's words alone where there is no room for ours."""
    told = f"the run was cancelled: {reason}"
    return told if len(told) <= STOP_REASON_LENGTH_MAX else reason


def _step(row: StepRow) -> Step:
    """Join a step with the newest record of what became of it."""
    fields = json.loads(row.outcome_line) if row.outcome_line else {}
    outcome, status, code, at = (fields.get(name) for name in ("outcome", "status", "code", "at"))
    return Step(
        row,
        outcome if isinstance(outcome, str) else None,
        status if type(status) is int else None,
        code if isinstance(code, str) else None,
        at if isinstance(at, str) else None,
    )
