"""Incidents: opened by people, programs and `projection`; seen, settled and resolved by people."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from controlplane.auth import Caller, require_person
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.bus import Bus, Topic
from controlplane.services.runs import sightings
from controlplane.store.incidents import (
    Handling,
    IncidentFilter,
    IncidentRow,
    IncidentStore,
    NewIncident,
    UnknownOutcomeRow,
)
from controlplane.store.runs import RunStore
from gateway.model.incident import Severity

REPORTED_COUNT_MAX = 10_000
"""Unresolved incidents of one tenant that people and programs reported. Whoever has more has a
program that reports in a loop."""

REFUSED_CODES = {
    Fault.RECORD_CONFLICT: sightings.RECORD_CONFLICT,
    Fault.RECORD_GAP: sightings.RECORD_GAP,
    Fault.RECORD_UNSIGNED: sightings.RECORD_UNSIGNED,
    Fault.RECORD_KEY_CONFLICT: sightings.RECORD_KEY_CONFLICT,
    Fault.GATEWAY_TAKEN: sightings.RECORD_KEY_CONFLICT,
}


class IncidentService:
    def __init__(self, store: IncidentStore, runs: RunStore, bus: Bus) -> None:
        self._store = store
        self._runs = runs
        self._bus = bus

    async def report(
        self,
        caller: Caller,
        severity: Severity,
        reason_code: str,
        title: str,
        summary: str,
        agent: str | None,
        run_id: uuid.UUID | None,
        decision_ids: Sequence[str],
    ) -> IncidentRow:
        """Open an incident that somebody noticed. One with a run is of that run's agent.

        Raises:
            ControlFault: NOT_FOUND for a run that is not there, INCIDENTS_FULL.
        """
        if run_id is not None:
            run = await self._runs.get(caller.tenant_id, run_id)
            if run is None:
                raise not_found("run")
            agent = agent or run.agent
        new = NewIncident(
            caller.tenant_id,
            severity,
            reason_code,
            title,
            summary,
            agent,
            run_id,
            tuple(decision_ids),
            caller.key_name,
        )
        row = await self._store.open(new, REPORTED_COUNT_MAX)
        if row is None:
            raise ControlFault(
                Fault.INCIDENTS_FULL, "too many reported incidents are not resolved; resolve some"
            )
        await self._tell(caller.tenant_id)
        return row

    async def get(self, caller: Caller, incident_id: uuid.UUID) -> IncidentRow:
        """Read it.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = await self._store.get(caller.tenant_id, incident_id)
        if row is None:
            raise not_found("incident")
        return row

    async def list(
        self, caller: Caller, wanted: IncidentFilter, before: int | None, count_max: int
    ) -> Sequence[IncidentRow]:
        """Newest first."""
        return await self._store.list(caller.tenant_id, wanted, before, count_max)

    async def open_count(self, caller: Caller) -> int:
        """How many nobody has looked at yet."""
        return await self._store.open_count(caller.tenant_id)

    async def acknowledge(
        self, caller: Caller, incident_id: uuid.UUID, by: str | None
    ) -> IncidentRow:
        """Say that somebody looks at it.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, NOT_FOUND, INCIDENT_HANDLED.
        """
        handling = _handling(caller, by)
        row = await self._store.acknowledge(caller.tenant_id, incident_id, handling)
        return await self._handled(caller, incident_id, row)

    async def resolve(
        self, caller: Caller, incident_id: uuid.UUID, by: str | None, note: str
    ) -> IncidentRow:
        """Say that it is over, and what was done.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, NOT_FOUND, INCIDENT_HANDLED.
        """
        handling = _handling(caller, by, note)
        row = await self._store.resolve(caller.tenant_id, incident_id, handling)
        return await self._handled(caller, incident_id, row)

    async def outcomes(
        self,
        caller: Caller,
        is_settled: bool | None,
        agent: str | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[UnknownOutcomeRow]:
        """Acts whose end nobody saw, newest first."""
        return await self._store.outcomes(caller.tenant_id, is_settled, agent, before, count_max)

    async def settle(
        self, caller: Caller, decision_id: str, outcome: str, by: str | None, note: str
    ) -> UnknownOutcomeRow:
        """Write down what a person found out about an act. The record of it never changes.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, NOT_FOUND, OUTCOME_SETTLED.
        """
        handling = _handling(caller, by, note)
        settled = await self._store.settle(caller.tenant_id, decision_id, outcome, handling)
        row = await self._store.outcome(caller.tenant_id, decision_id)
        if row is None:
            raise ControlFault(Fault.NOT_FOUND, "no act of this decision has an unknown outcome")
        if not settled:
            raise ControlFault(
                Fault.OUTCOME_SETTLED,
                f"this outcome is settled already: {row.settled_as}",
                {"outcome": row.settled_as},
            )
        await self._tell(caller.tenant_id)
        return row

    async def note_refused_records(
        self, caller: Caller, gateway_id: str, fault: ControlFault
    ) -> None:
        """Open an incident where a gateway's records contradict ours or don't follow them."""
        code = REFUSED_CODES.get(fault.fault)
        if code is None:
            return
        sighting = sightings.of_refused_records(
            caller.tenant_id, gateway_id, code, fault.message, datetime.now(UTC)
        )
        await self._store.note(sighting)
        await self._tell(caller.tenant_id)

    async def _handled(
        self, caller: Caller, incident_id: uuid.UUID, row: IncidentRow | None
    ) -> IncidentRow:
        if row is None:
            now = await self.get(caller, incident_id)
            raise ControlFault(
                Fault.INCIDENT_HANDLED, f"this incident is {now.status}", {"status": now.status}
            )
        await self._tell(caller.tenant_id)
        return row

    async def _tell(self, tenant_id: uuid.UUID) -> None:
        await self._bus.publish(Topic.EVENTS, str(tenant_id))


def _handling(caller: Caller, by: str | None, note: str | None = None) -> Handling:
    require_person(caller, "handle incidents")
    return Handling(caller.person(by), caller.key_id, note)
