"""Grants: what a person may offer with their yes, who sees them, how they end.

Giving and using them is part of answering and asking (`services.approvals`); what holds for both
lies in the database.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.auth import Caller, require_person
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.bus import Bus, Topic
from controlplane.services.sweeping import sweep_forever
from controlplane.store.approvals import ApprovalStore, Origin, Question
from controlplane.store.grants import GrantRow, GrantStore, GrantUseRow
from controlplane.telemetry import Metrics
from gateway.model.action import Kind
from gateway.model.grant import (
    Claim,
    GrantError,
    GrantState,
    GrantTerms,
    GrantWish,
    Subject,
    claim_of,
    terms_of,
)

IN_FORCE_COUNT_MAX: Final = 100
"""Grants of one agent at a time: each question is held against all of them, and who has to give
more of them wants a rule."""

USES_SHOWN_MAX: Final = 1_000

SWEEP_SECONDS: Final = 5.0
SWEEP_COUNT_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class SeenGrant:
    """A grant and its newest uses."""

    grant: GrantRow
    uses: Sequence[GrantUseRow]


class GrantService:
    def __init__(
        self, store: GrantStore, approvals: ApprovalStore, bus: Bus, metrics: Metrics
    ) -> None:
        self._store = store
        self._approvals = approvals
        self._bus = bus
        self._metrics = metrics

    async def offer(self, caller: Caller, approval_id: uuid.UUID, wish: GrantWish) -> GrantTerms:
        """What the caller would offer with their yes to this question; it is given by `resolve`.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, NOT_FOUND, GRANT_REFUSED, GRANTS_FULL.
        """
        require_person(caller, "give or revoke grants")
        row = await self._approvals.get(caller.tenant_id, approval_id)
        if row is None:
            raise not_found("approval")
        if row.question.origin is not Origin.GATEWAY:
            raise ControlFault(
                Fault.GRANT_REFUSED, "only what a gateway asks about is asked about again"
            )
        try:
            terms = terms_of(wish, _subject(row.question))
        except GrantError as error:
            raise ControlFault(Fault.GRANT_REFUSED, error.message) from error
        agent = row.question.agent
        if await self._store.count_in_force(caller.tenant_id, agent) >= IN_FORCE_COUNT_MAX:
            raise ControlFault(
                Fault.GRANTS_FULL,
                f"this agent has {IN_FORCE_COUNT_MAX} grants; revoke some, or write a rule",
            )
        return terms

    async def given_with(self, caller: Caller, approval_id: uuid.UUID) -> GrantRow | None:
        """The grant that came of the answer that has just been given to this question; None where
        none did, since not everybody who said yes offered one."""
        grant = await self._store.of_approval(caller.tenant_id, approval_id)
        if grant is not None:
            self._metrics.grants.labels("given").inc()
        return grant

    async def list(
        self,
        caller: Caller,
        status: GrantState | None,
        agent: str | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[GrantRow]:
        """Newest first."""
        return await self._store.list(caller.tenant_id, status, agent, before, count_max)

    async def get(self, caller: Caller, grant_id: uuid.UUID) -> SeenGrant:
        """A grant with its uses.

        Raises:
            ControlFault: NOT_FOUND.
        """
        grant = await self._found(caller, grant_id)
        uses = await self._store.uses(caller.tenant_id, grant_id, USES_SHOWN_MAX)
        return SeenGrant(grant, uses)

    async def revoke(
        self, caller: Caller, grant_id: uuid.UUID, by: str | None, reason: str
    ) -> GrantRow:
        """End a grant at once, and what it let through that was not sent yet.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, NOT_FOUND, GRANT_OVER.
        """
        require_person(caller, "give or revoke grants")
        is_revoked = await self._store.revoke(
            caller.tenant_id, grant_id, caller.person(by), caller.key_id, reason
        )
        grant = await self._found(caller, grant_id)
        if not is_revoked:
            raise ControlFault(
                Fault.GRANT_OVER,
                f"this grant is {grant.state_now} already",
                {"status": grant.state_now},
            )
        self._metrics.grants.labels("revoked").inc()
        await self._bus.publish(Topic.EVENTS, str(caller.tenant_id))
        return grant

    async def sweep_forever(self) -> None:
        """Correctness needs no sweeper: it tells those who follow that a grant is over."""

        async def sweep() -> float:
            for tenant_id in set(await self._store.sweep(SWEEP_COUNT_MAX)):
                await self._bus.publish(Topic.EVENTS, str(tenant_id))
            return SWEEP_SECONDS

        await sweep_forever(sweep, SWEEP_SECONDS, self._metrics)

    async def _found(self, caller: Caller, grant_id: uuid.UUID) -> GrantRow:
        grant = await self._store.get(caller.tenant_id, grant_id)
        if grant is None:
            raise not_found("grant")
        return grant


def claim_of_question(question: Question) -> Claim | None:
    """What a question claims of a grant; None where people are asked in any case."""
    return None if question.origin is not Origin.GATEWAY else claim_of(_subject(question))


def _subject(question: Question) -> Subject:
    return Subject(
        question.operation,
        question.action,
        Kind(question.kind),
        question.target_id,
        question.run_id,
        json.loads(question.params),
        json.loads(question.risk),
    )
