"""A person's answer that came from a channel: the same rules as for one who shows their key.

Who a channel says that it is, is looked up as the bearer of a key that is valid now, with the
permission to answer; groups, quorum and "never the requester" are then held in the one place where
they always are.
"""

from __future__ import annotations

import uuid

from controlplane.auth import Caller, Permission, may
from controlplane.faults import ControlFault, Fault
from controlplane.services.access.keys import KeyService
from controlplane.services.approvals.lifecycle import ApprovalService, Resolution
from controlplane.store.approvals import ApprovalRow, Through
from gateway.model.approval import ApprovalEvent

ANSWERERS = frozenset({Permission.APPROVAL_WRITE, Permission.ADMIN})
"""The same permissions as the API asks for."""


class AnsweringService:
    def __init__(self, approvals: ApprovalService, keys: KeyService) -> None:
        self._approvals = approvals
        self._keys = keys

    async def person(self, tenant_id: uuid.UUID, key_id: uuid.UUID | None) -> Caller:
        """Who may answer with this key now.

        Raises:
            ControlFault: FORBIDDEN.
        """
        caller = None if key_id is None else await self._keys.caller_of(tenant_id, key_id)
        if caller is None or caller.is_machine or not may(caller, ANSWERERS):
            raise ControlFault(Fault.FORBIDDEN, "you are not known here as one who may answer")
        return caller

    async def answer(
        self,
        caller: Caller,
        approval_id: uuid.UUID,
        reason: str | None,
        through: Through,
        *,
        approves: bool,
    ) -> ApprovalRow:
        """Approve or deny.

        Raises:
            ControlFault: as of `ApprovalService.resolve`.
        """
        event = ApprovalEvent.APPROVE if approves else ApprovalEvent.REJECT
        resolution = Resolution(event, None, reason or None, through)
        return await self._approvals.resolve(caller, approval_id, resolution)
