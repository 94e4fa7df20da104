"""What the projection reads and writes: records in order, runs, steps, unknown outcomes.

Everything of one batch is done on one connection, in the transaction that moves the cursor.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from gateway.model.moves import sources_of
from gateway.model.run import LEGAL_MOVES, RunEvent, RunState

_SQL = load_queries("projection")


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as it is read here."""

    record_id: int
    gateway_id: str
    seq: int
    kind: str
    line: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class LockedRun:
    """A run that nobody else changes for the time of the transaction."""

    run_id: uuid.UUID
    origin: str
    status: RunState
    ended_at: datetime | None
    step_count: int


@dataclass(frozen=True, slots=True)
class NewStep:
    """One decision, as it is first known. `run_name` is empty where the traffic names none;
    `digest` is what a person would be asked about."""

    record_id: int
    recorded_at: datetime
    decided_at: datetime
    decision_id: str
    agent: str
    run_name: str
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
    digest: str | None


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A step that was stored before, with what an incident tells of it."""

    run_id: uuid.UUID
    record_id: int
    decision_id: str
    agent: str
    provider: str
    operation: str
    action: str
    kind: str
    target_type: str
    target_id: str
    approval_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class StepCount:
    """What a batch adds to a run."""

    run_id: uuid.UUID
    steps: int
    blocked: int
    held: int
    first_at: datetime
    last_at: datetime


class ProjectionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def behind(self, count_max: int) -> Sequence[uuid.UUID]:
        """Tenants whose records are not all read."""
        return [row["tenant_id"] for row in await self._database.rows(_SQL["behind"], count_max)]

    async def ensure_cursor(self, tenant_id: uuid.UUID) -> None:
        """Begin at a tenant's first record, unless it was begun before."""
        await self._database.rows(_SQL["ensure_cursor"], tenant_id)

    @asynccontextmanager
    async def batch(
        self, tenant_id: uuid.UUID, count_max: int
    ) -> AsyncIterator[tuple[Any, Sequence[SeenRecord]]]:
        """A transaction with the next records of a tenant, and its connection; none of them where
        another replica reads. What the block does and the cursor's move happen together."""
        async with self._database.transaction() as connection:
            claimed = await connection.fetchrow(_SQL["claim"], tenant_id)
            if claimed is None:
                yield connection, ()
                return
            rows = await connection.fetch(
                _SQL["records"], tenant_id, claimed["record_id"], count_max
            )
            yield connection, [_record(row) for row in rows]
            if rows:
                await connection.execute(_SQL["move"], tenant_id, rows[-1]["record_id"])

    async def find_runs(
        self, connection: Any, tenant_id: uuid.UUID, names: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], LockedRun]:
        """The newest run that each pair of agent and name means, locked."""
        rows = await connection.fetch(
            _SQL["find_runs"],
            tenant_id,
            [agent for agent, _ in names],
            [name for _, name in names],
        )
        meant = {(row["agent"], row["name"]): row["run_id"] for row in rows}
        locked = await connection.fetch(_SQL["lock_runs"], tenant_id, list(set(meant.values())))
        by_id = {row["run_id"]: _run(row) for row in locked}
        return {pair: by_id[run_id] for pair, run_id in meant.items()}

    async def opened_lately(
        self, connection: Any, tenant_id: uuid.UUID, agents: Sequence[str]
    ) -> Mapping[str, int]:
        """How many runs each agent opened within the hour."""
        rows = await connection.fetch(_SQL["opened_lately"], tenant_id, list(agents))
        return {row["agent"]: row["count"] for row in rows}

    async def open_run(
        self, connection: Any, tenant_id: uuid.UUID, first: NewStep, name: str
    ) -> LockedRun:
        """Open a run that traffic begins; the one of that name that is open already, if any."""
        row = await connection.fetchrow(
            _SQL["open_run"],
            uuid.uuid4(),
            tenant_id,
            first.agent,
            name,
            first.mode,
            first.decided_at,
        )
        return _run(row)

    async def add_steps(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        steps: Sequence[tuple[uuid.UUID, int, NewStep]],
        counts: Sequence[StepCount],
    ) -> None:
        """Append steps, each with its run and its index, and count them on their runs."""
        await connection.execute(
            _SQL["insert_steps"],
            tenant_id,
            [run_id for run_id, _, _ in steps],
            [index for _, index, _ in steps],
            *([getattr(step, name) for _, _, step in steps] for name in _STEP_COLUMNS),
        )
        await connection.execute(
            _SQL["count_steps"],
            tenant_id,
            [count.run_id for count in counts],
            [count.steps for count in counts],
            [count.blocked for count in counts],
            [count.held for count in counts],
            [count.first_at for count in counts],
            [count.last_at for count in counts],
            list(sources_of(LEGAL_MOVES, RunEvent.STEP)),
            LEGAL_MOVES[RunState.PENDING][RunEvent.STEP],
        )

    async def steps_of(
        self, connection: Any, tenant_id: uuid.UUID, decision_ids: Sequence[str]
    ) -> Mapping[str, StoredStep]:
        """The first step of each decision."""
        rows = await connection.fetch(_SQL["steps_of_decisions"], tenant_id, list(decision_ids))
        return {row["decision_id"]: _stored(row) for row in rows}

    async def count_blocks(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        windows: Mapping[str, tuple[datetime, datetime]],
        count_max: int,
    ) -> Mapping[str, int]:
        """How often each agent was blocked in its window; at most `count_max` are counted."""
        rows = await connection.fetch(
            _SQL["count_blocks"],
            tenant_id,
            list(windows),
            [begin for begin, _ in windows.values()],
            [end for _, end in windows.values()],
            count_max,
        )
        return {row["agent"]: row["count"] for row in rows}

    async def denied_before(
        self, connection: Any, tenant_id: uuid.UUID, held: Sequence[NewStep]
    ) -> Mapping[str, uuid.UUID]:
        """Of steps that wait for a person, those whose very act was denied lately: the approval
        that was denied, by decision."""
        rows = await connection.fetch(
            _SQL["denied_before"],
            tenant_id,
            [step.decision_id for step in held],
            [step.agent for step in held],
            [step.digest for step in held],
            [step.decided_at for step in held],
        )
        return {row["decision_id"]: row["approval_id"] for row in rows}

    async def open_intents(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        before: SeenRecord,
        look_back: int,
        count_max: int,
    ) -> Sequence[str]:
        """Decisions of a gateway that were about to be sent before a record of it, and of which no
        outcome is known."""
        rows = await connection.fetch(
            _SQL["open_intents"],
            tenant_id,
            before.gateway_id,
            before.seq,
            before.seq - look_back,
            count_max,
        )
        return [row["decision_id"] for row in rows]

    async def note_unknown(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        step: StoredStep,
        at: datetime,
        code: str | None,
        incident_id: uuid.UUID,
    ) -> None:
        """Put an act whose end nobody saw on the list of those that a person has to settle."""
        await connection.execute(
            _SQL["note_unknown"],
            tenant_id,
            step.decision_id,
            step.record_id,
            step.agent,
            step.run_id,
            step.provider,
            step.operation,
            step.action,
            step.kind,
            step.target_type,
            step.target_id,
            code,
            at,
            incident_id,
        )


_STEP_COLUMNS = (
    "recorded_at", "decided_at", "record_id", "decision_id", "agent", "provider", "operation",
    "action", "kind", "target_type", "target_id", "action_count", "effect", "mode", "policy",
    "rule", "reason_code", "message", "risk",
)  # fmt: skip
"""In the order of the query `insert_steps`."""


def _record(row: Row) -> SeenRecord:
    return SeenRecord(
        row["record_id"],
        row["gateway_id"],
        row["seq"],
        row["kind"],
        row["line"],
        row["received_at"],
    )


def _run(row: Row) -> LockedRun:
    return LockedRun(
        row["run_id"],
        row["origin"],
        RunState(row["status"]),
        row["ended_at"],
        row["step_count"],
    )


def _stored(row: Row) -> StoredStep:
    return StoredStep(
        row["run_id"],
        row["record_id"],
        row["decision_id"],
        row["agent"],
        row["provider"],
        row["operation"],
        row["action"],
        row["kind"],
        row["target_type"],
        row["target_id"],
        row["approval_id"],
    )
