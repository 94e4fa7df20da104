"""The tables `incidents`, `unknown_outcomes` and `outcome_settlements`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from gateway.model.incident import (
    LEGAL_MOVES,
    OPEN_INCIDENT_STATES,
    IncidentEvent,
    IncidentState,
    Severity,
)
from gateway.model.moves import sources_of

_SQL = load_queries("incidents")

OPEN_COUNT_MAX = 1_000
"""Unresolved incidents of one tenant that we opened, each of its own group. Nobody reads more one
by one; the surplus is counted on one incident for each reason."""

LINKS_MAX = 20
"""Decisions and approvals that an incident names; the schema keeps the newest ones."""


@dataclass(frozen=True, slots=True)
class NewIncident:
    """What a person or a program reports."""

    tenant_id: uuid.UUID
    severity: Severity
    reason_code: str
    title: str
    summary: str
    agent: str | None
    run_id: uuid.UUID | None
    decision_ids: tuple[str, ...]
    opened_by: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that was seen, to be counted on the open incident of its `group`."""

    tenant_id: uuid.UUID
    group: str
    severity: Severity
    reason_code: str
    title: str
    summary: str
    seen_at: datetime
    agent: str | None = None
    run_id: uuid.UUID | None = None
    target: str | None = None
    decision_ids: tuple[str, ...] = ()
    approval_ids: tuple[str, ...] = ()
    times: int = 1


@dataclass(frozen=True, slots=True)
class IncidentRow:
    incident_seq: int
    incident_id: uuid.UUID
    origin: str
    severity: Severity
    reason_code: str
    title: str
    summary: str
    agent: str | None
    run_id: uuid.UUID | None
    target: str | None
    occurrences: int
    decision_ids: tuple[str, ...]
    approval_ids: tuple[str, ...]
    status: IncidentState
    opened_by: str
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """`since`: it was seen from then on."""

    status: IncidentState | None = None
    severity: Severity | None = None
    agent: str | None = None
    run_id: uuid.UUID | None = None
    reason_code: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnknownOutcomeRow:
    """An act of which nobody saw the end. `settled_as` is what a person found out."""

    outcome_seq: int
    decision_id: str
    agent: str
    run_id: uuid.UUID | None
    provider: str
    operation: str
    action: str
    kind: str
    target_type: str
    target_id: str
    code: str | None
    at: datetime
    incident_id: uuid.UUID
    settled_as: str | None
    note: str | None
    settled_by: str | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Handling:
    """Who moves an incident, with which key, and what they say to it."""

    by: str
    key_id: uuid.UUID
    note: str | None = None


class IncidentStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, new: NewIncident, open_max: int) -> IncidentRow | None:
        """Open one; None where too many are unresolved."""
        row = await self._database.row(
            _SQL["open"],
            uuid.uuid4(),
            new.tenant_id,
            new.severity,
            new.reason_code,
            new.title,
            new.summary,
            new.agent,
            new.run_id,
            list(new.decision_ids),
            new.opened_by,
            open_max,
        )
        return None if row is None else _row(row)

    async def note(self, sighting: Sighting) -> uuid.UUID:
        """Count it on the open incident of its group, or open one; the incident's id."""
        async with self._database.connection() as connection:
            return await self.note_with(connection, sighting)

    async def note_with(self, connection: Any, sighting: Sighting) -> uuid.UUID:
        """The same, in the transaction of a connection."""
        found: uuid.UUID = await connection.fetchval(
            _SQL["note"],
            sighting.tenant_id,
            sighting.group,
            sighting.severity,
            sighting.reason_code,
            sighting.title,
            sighting.summary,
            sighting.agent,
            sighting.run_id,
            sighting.target,
            list(sighting.decision_ids[-LINKS_MAX:]),
            list(sighting.approval_ids[-LINKS_MAX:]),
            sighting.times,
            sighting.seen_at,
            OPEN_COUNT_MAX,
        )
        return found

    async def get(self, tenant_id: uuid.UUID, incident_id: uuid.UUID) -> IncidentRow | None:
        row = await self._database.row(_SQL["get"], tenant_id, incident_id)
        return None if row is None else _row(row)

    async def list(
        self, tenant_id: uuid.UUID, wanted: IncidentFilter, before: int | None, count_max: int
    ) -> Sequence[IncidentRow]:
        """Newest first; `before` is the `incident_seq` of the last one seen."""
        rows = await self._database.rows(
            _SQL["list"],
            tenant_id,
            wanted.status,
            wanted.severity,
            wanted.agent,
            wanted.run_id,
            wanted.reason_code,
            wanted.since,
            before,
            count_max,
        )
        return [_row(row) for row in rows]

    async def open_count(self, tenant_id: uuid.UUID) -> int:
        row = await self._database.row(_SQL["open_count"], tenant_id, IncidentState.OPEN)
        assert row is not None
        return int(row["count"])

    async def acknowledge(
        self, tenant_id: uuid.UUID, incident_id: uuid.UUID, handling: Handling
    ) -> IncidentRow | None:
        """Somebody has seen it; None when it is not open."""
        row = await self._database.row(
            _SQL["acknowledge"],
            tenant_id,
            incident_id,
            list(sources_of(LEGAL_MOVES, IncidentEvent.ACKNOWLEDGE)),
            IncidentState.ACKNOWLEDGED,
            handling.by,
            handling.key_id,
        )
        return None if row is None else _row(row)

    async def resolve(
        self, tenant_id: uuid.UUID, incident_id: uuid.UUID, handling: Handling
    ) -> IncidentRow | None:
        """It is over; None when it was before."""
        row = await self._database.row(
            _SQL["resolve"],
            tenant_id,
            incident_id,
            list(sources_of(LEGAL_MOVES, IncidentEvent.RESOLVE)),
            IncidentState.RESOLVED,
            handling.by,
            handling.key_id,
            handling.note,
        )
        return None if row is None else _row(row)

    async def outcomes(
        self,
        tenant_id: uuid.UUID,
        is_settled: bool | None,
        agent: str | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[UnknownOutcomeRow]:
        """Unknown outcomes, newest first; `before` is the `outcome_seq` of the last one seen."""
        rows = await self._database.rows(
            _SQL["outcomes"], tenant_id, is_settled, agent, None, before, count_max
        )
        return [_outcome(row) for row in rows]

    async def outcome(self, tenant_id: uuid.UUID, decision_id: str) -> UnknownOutcomeRow | None:
        rows = await self._database.rows(
            _SQL["outcomes"], tenant_id, None, None, decision_id, None, 1
        )
        return _outcome(rows[0]) if rows else None

    async def settle(
        self, tenant_id: uuid.UUID, decision_id: str, outcome: str, handling: Handling
    ) -> bool:
        """Write down what became of an act, once, and resolve its incident when that was the last
        one; whether it was not settled before."""
        async with self._database.transaction() as connection:
            incident = await connection.fetchrow(_SQL["lock_incident_of"], tenant_id, decision_id)
            settled = await connection.fetchrow(
                _SQL["settle"],
                tenant_id,
                decision_id,
                outcome,
                handling.note,
                handling.by,
                handling.key_id,
            )
            if settled is None or incident is None:
                return False
            await connection.fetchrow(
                _SQL["resolve_settled"],
                tenant_id,
                incident["incident_id"],
                list(OPEN_INCIDENT_STATES),
                IncidentState.RESOLVED,
                handling.by,
                handling.key_id,
                handling.note,
            )
            return True


def _row(row: Row) -> IncidentRow:
    return IncidentRow(
        row["incident_seq"],
        row["incident_id"],
        row["origin"],
        Severity(row["severity"]),
        row["reason_code"],
        row["title"],
        row["summary"],
        row["agent"],
        row["run_id"],
        row["target"],
        row["occurrences"],
        tuple(row["decision_ids"]),
        tuple(row["approval_ids"]),
        IncidentState(row["status"]),
        row["opened_by"],
        row["opened_at"],
        row["last_seen_at"],
        row["acknowledged_at"],
        row["acknowledged_by"],
        row["resolved_at"],
        row["resolved_by"],
        row["note"],
    )


def _outcome(row: Row) -> UnknownOutcomeRow:
    return UnknownOutcomeRow(
        row["outcome_seq"],
        row["decision_id"],
        row["agent"],
        row["run_id"],
        row["provider"],
        row["operation"],
        row["action"],
        row["kind"],
        row["target_type"],
        row["target_id"],
        row["code"],
        row["at"],
        row["incident_id"],
        row["settled_as"],
        row["note"],
        row["settled_by"],
        row["settled_at"],
    )
