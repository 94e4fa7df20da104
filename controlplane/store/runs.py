"""The tables `runs` and `run_steps`: what programs did, from their start to their end."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from gateway.model.moves import sources_of
from gateway.model.run import LEGAL_MOVES, RunEvent, RunState

_SQL = load_queries("runs")


@dataclass(frozen=True, slots=True)
class NewRun:
    """`name` is what the program calls it in its proxy credentials."""

    run_id: uuid.UUID
    tenant_id: uuid.UUID
    agent: str
    name: str
    mode: str
    goal: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """`origin` is `api` for a run that was announced, `gateway` for one that traffic opened."""

    run_seq: int
    run_id: uuid.UUID
    agent: str
    name: str
    origin: str
    mode: str
    goal: str
    status: RunState
    created_at: datetime
    started_at: datetime | None
    last_step_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    step_count: int
    blocked_count: int
    held_count: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """One decision of a run. `outcome_line` is the newest record of what became of it."""

    step_index: int
    decision_id: str
    record_id: int
    decided_at: datetime
    provider: str
    operation: str
    action: str
    kind: str
    target_type: str
    target_id: str
    action_count: int
    effect: str
    mode: str
    policy: str | None
    rule: str | None
    reason_code: str
    message: str
    risk: int | None
    outcome_line: str | None
    approval_id: uuid.UUID | None
    approval_status: str | None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """`since`: it did something or was announced from then on."""

    agent: str | None = None
    status: RunState | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends, through whom, with which key, and why."""

    event: RunEvent
    state: RunState
    by: str
    key_id: uuid.UUID
    reason: str | None


class RunStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_agent(self, tenant_id: uuid.UUID, text: str) -> str | None:
        """The name of the agent that the text names or is the id of."""
        row = await self._database.row(_SQL["find_agent"], tenant_id, text)
        return None if row is None else str(row["name"])

    async def create(self, new: NewRun, per_hour_max: int) -> RunRow | None:
        """Announce a run; None where the agent opened too many, or one of this name is open."""
        row = await self._database.row(
            _SQL["create"],
            new.run_id,
            new.tenant_id,
            new.agent,
            new.name,
            new.mode,
            new.goal,
            RunState.PENDING,
            per_hour_max,
        )
        return None if row is None else _row(row)

    async def is_taken(self, tenant_id: uuid.UUID, agent: str, name: str) -> bool:
        """Whether a run of this name is open."""
        row = await self._database.row(_SQL["is_taken"], tenant_id, agent, name)
        return row is not None and bool(row["taken"])

    async def get(self, tenant_id: uuid.UUID, run_id: uuid.UUID) -> RunRow | None:
        row = await self._database.row(_SQL["get"], tenant_id, run_id)
        return None if row is None else _row(row)

    async def list(
        self, tenant_id: uuid.UUID, wanted: RunFilter, before: int | None, count_max: int
    ) -> Sequence[RunRow]:
        """Newest first; `before` is the `run_seq` of the last one seen."""
        rows = await self._database.rows(
            _SQL["list"], tenant_id, wanted.agent, wanted.status, wanted.since, before, count_max
        )
        return [_row(row) for row in rows]

    async def end(self, tenant_id: uuid.UUID, run_id: uuid.UUID, ending: Ending) -> RunRow | None:
        """End it; None when it is not open (any more)."""
        row = await self._database.row(_SQL["end"], *_ending_values(tenant_id, run_id, ending))
        return None if row is None else _row(row)

    async def end_and_stop(
        self, tenant_id: uuid.UUID, run_id: uuid.UUID, ending: Ending, stop_reason: str
    ) -> RunRow | None:
        """End it and put a stop of its traffic in force, both or neither."""
        row = await self._database.row(
            _SQL["end_and_stop"],
            *_ending_values(tenant_id, run_id, ending),
            uuid.uuid4(),
            stop_reason,
        )
        return None if row is None else _row(row)

    async def end_idle(self, idle_seconds: float, count_max: int) -> Sequence[uuid.UUID]:
        """End runs that traffic opened and that did nothing for so long; the tenant of each."""
        rows = await self._database.rows(
            _SQL["end_idle"], idle_seconds, RunState.COMPLETED, count_max
        )
        return [row["tenant_id"] for row in rows]

    async def steps(
        self, tenant_id: uuid.UUID, run_id: uuid.UUID, after: int, count_max: int
    ) -> Sequence[StepRow]:
        """Steps of a run after an index, in order, with what is known of each now."""
        rows = await self._database.rows(_SQL["steps"], tenant_id, run_id, after, count_max)
        return [_step(row) for row in rows]


def _ending_values(tenant_id: uuid.UUID, run_id: uuid.UUID, ending: Ending) -> tuple[object, ...]:
    return (
        tenant_id,
        run_id,
        list(sources_of(LEGAL_MOVES, ending.event)),
        ending.state,
        ending.by,
        ending.key_id,
        ending.reason,
    )


def _row(row: Row) -> RunRow:
    return RunRow(
        row["run_seq"],
        row["run_id"],
        row["agent"],
        row["name"],
        row["origin"],
        row["mode"],
        row["goal"],
        RunState(row["status"]),
        row["created_at"],
        row["started_at"],
        row["last_step_at"],
        row["ended_at"],
        row["ended_by"],
        row["end_reason"],
        row["step_count"],
        row["blocked_count"],
        row["held_count"],
    )


def _step(row: Row) -> StepRow:
    return StepRow(
        row["step_index"],
        row["decision_id"],
        row["record_id"],
        row["decided_at"],
        row["provider"],
        row["operation"],
        row["action"],
        row["kind"],
        row["target_type"],
        row["target_id"],
        row["action_count"],
        row["effect"],
        row["mode"],
        row["policy"],
        row["rule"],
        row["reason_code"],
        row["message"],
        row["risk"],
        row["outcome_line"],
        row["approval_id"],
        row["approval_status"],
    )
