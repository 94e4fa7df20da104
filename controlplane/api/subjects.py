"""What is followed, as the API shows it: notifications tell exactly what a caller would read."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from controlplane.api.approval_views import render_approval
from controlplane.api.grants import render_grant
from controlplane.api.incidents import render_incident
from controlplane.api.log import render_checkpoint
from controlplane.api.retention import render_erasure, render_rule
from controlplane.api.stops import render_stop
from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.services.approvals.grants import GrantService
from controlplane.services.approvals.lifecycle import ApprovalService
from controlplane.services.log.reading import LogService
from controlplane.services.record.retention import RetentionService
from controlplane.services.runs.incidents import IncidentService
from controlplane.services.runs.stops import StopService
from gateway.model.codec import JsonValue

NOBODY = uuid.UUID(int=0)


class SubjectReader:
    """Reads as nobody in particular, without a permission: reading is all that it does."""

    def __init__(
        self,
        approvals: ApprovalService,
        incidents: IncidentService,
        grants: GrantService,
        stops: StopService,
        logs: LogService,
        retention: RetentionService,
    ) -> None:
        self._approvals = approvals
        self._incidents = incidents
        self._grants = grants
        self._stops = stops
        self._logs = logs
        self._retention = retention

    async def read(
        self, tenant_id: uuid.UUID, kind: str, subject_id: str
    ) -> Mapping[str, JsonValue] | None:
        """The thing as it is now; None when it is not there, or of a kind that is not told of."""
        reader = Caller(tenant_id, NOBODY, "checkrein", frozenset())
        try:
            return await self._read(reader, kind, uuid.UUID(subject_id))
        except ControlFault as fault:
            if fault.fault is Fault.NOT_FOUND:
                return None
            raise
        except ValueError:
            return None

    async def _read(
        self, reader: Caller, kind: str, subject_id: uuid.UUID
    ) -> Mapping[str, JsonValue] | None:
        match kind:
            case "approval":
                row = await self._approvals.get(reader, subject_id, 0, lambda: False)
                return render_approval(row, await self._approvals.answers(reader, subject_id))
            case "incident":
                return render_incident(await self._incidents.get(reader, subject_id))
            case "grant":
                seen = await self._grants.get(reader, subject_id)
                return render_grant(seen.grant)
            case "stop":
                return render_stop(await self._stops.get(reader, subject_id))
            case "erasure":
                return render_erasure(await self._retention.erasure(reader, subject_id))
            case "retention":
                return render_rule(await self._retention.rule(reader))
            case "checkpoint":
                return render_checkpoint(await self._logs.get_checkpoint(reader, subject_id))
            case _:
                return None
