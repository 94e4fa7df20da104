"""What programs ask in their own name: about a state of the world, of which they bring the digest.

They guard the act themselves. Nothing here is joined by the traffic of gateways, or joins it.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Final

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.notify.bus import Bus, Topic
from controlplane.services.approvals.lifecycle import claim_of_key, existing, not_usable, tell
from controlplane.store.approvals import ApprovalRow, ApprovalStore, Origin, Question
from controlplane.telemetry import Metrics
from gateway.model.approval import OPEN_STATES, ApprovalState

PENDING_COUNT_MAX: Final = 1_000
"""Of all programs of a tenant: each may call itself whatever it likes, so they share one number."""


class ProgramApprovalService:
    def __init__(self, store: ApprovalStore, bus: Bus, metrics: Metrics) -> None:
        self._store = store
        self._bus = bus
        self._metrics = metrics

    async def ask(self, question: Question) -> ApprovalRow:
        """Store a question. The same again is another question.

        Raises:
            ControlFault: APPROVALS_FULL.
        """
        row = await self._store.ask_anew(question, PENDING_COUNT_MAX)
        if row is None:
            raise ControlFault(Fault.APPROVALS_FULL, "programs already wait for too many approvals")
        self._metrics.approvals.labels(ApprovalState.PENDING).inc()
        await self._bus.publish(Topic.EVENTS, str(question.tenant_id))
        return row

    async def revalidate(
        self, caller: Caller, approval_id: uuid.UUID, digest: str, resource: str
    ) -> str:
        """Why a state is not the one that was asked about; empty where it is. Another digest of
        what a program asked about is written down while that is open.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = await self._own(caller, approval_id)
        asked = row.question
        if row.status_now not in OPEN_STATES:
            return f"APPROVAL_{row.status_now}"
        if asked.witness_hash is None:
            return "WITNESS_UNAVAILABLE"
        if resource and asked.resource_id is not None and resource != asked.resource_id:
            return "WITNESS_RESOURCE_MISMATCH"
        if hmac.compare_digest(asked.witness_hash, digest):
            return ""
        is_programs = asked.origin is Origin.API
        if is_programs and await self._store.note_world(caller.tenant_id, approval_id, digest):
            await tell(self._bus, caller.tenant_id, approval_id)
        return "WITNESS_HASH_MISMATCH"

    async def consume(
        self,
        caller: Caller,
        approval_id: uuid.UUID,
        digest: str,
        resource: str,
        claim_id: str | None,
    ) -> ApprovalRow:
        """Use what a program asked for, once, on the state that was asked about. The same claim
        asked again gets the same answer; without one nobody can ask again.

        Raises:
            ControlFault: NOT_FOUND, WITNESS_CHANGED, APPROVAL_NOT_CONSUMABLE.
        """
        present = await self._own(caller, approval_id)
        if present.question.origin is not Origin.API:
            raise ControlFault(
                Fault.APPROVAL_NOT_CONSUMABLE, "this approval is of an act that a gateway holds"
            )
        why_not = await self.revalidate(caller, approval_id, digest, resource)
        if why_not.startswith("WITNESS_"):
            raise ControlFault(Fault.WITNESS_CHANGED, "this is not the state that was approved")
        row = await self._store.consume(
            caller.tenant_id,
            approval_id,
            present.question.request_digest,
            claim_of_key(caller, claim_id or str(uuid.uuid4())),
            Origin.API,
        )
        if row is None:
            raise not_usable(existing(await self._store.get(caller.tenant_id, approval_id)))
        self._metrics.approvals.labels(row.status_now).inc()
        await tell(self._bus, caller.tenant_id, approval_id)
        return row

    async def _own(self, caller: Caller, approval_id: uuid.UUID) -> ApprovalRow:
        """Read it; to an agent, what it has not asked itself is not there.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = existing(await self._store.get(caller.tenant_id, approval_id))
        asked = row.question
        if caller.agent is not None and (asked.origin, asked.agent) != (Origin.API, caller.agent):
            return existing(None)
        return row
