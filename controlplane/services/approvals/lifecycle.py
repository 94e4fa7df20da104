"""Asks, answers and uses approvals.

Which answer may follow which state is said once, in `gateway.model.approval.LEGAL_MOVES`; the
statements in `store` carry it out in one step each, so that of two racing moves one wins and the
other gets a conflict.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from controlplane.auth import Caller, machines_cant, require_person
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.bus import Bus, Topic
from controlplane.services.approvals.grants import claim_of_question
from controlplane.services.sweeping import sweep_forever
from controlplane.services.waiting import WaitingRoom
from controlplane.store.approvals import (
    Answer,
    AnswerCameTo,
    AnswerRow,
    ApprovalRow,
    ApprovalStore,
    Question,
    Through,
    Wanted,
)
from controlplane.telemetry import Metrics
from gateway.model.approval import LEGAL_MOVES, ApprovalEvent, ApprovalState
from gateway.model.grant import GrantTerms
from gateway.model.moves import sources_of

log = logging.getLogger(__name__)

_ANSWER: Final = "answer approvals"


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """`pending_count_max_per_agent` keeps an agent from burying the one question that matters
    under thousands. `sweep_seconds` is how late an expiry may wake its waiter."""

    approved_seconds_max: float = 900.0
    pending_count_max_per_agent: int = 200
    sweep_seconds: float = 1.0
    sweep_count_max: int = 500


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's answer. `resolved_by` is who they say they are; see `Caller.person`."""

    event: ApprovalEvent
    resolved_by: str | None
    reason: str | None
    through: Through = Through.API
    offer: GrantTerms | None = None


class ApprovalService:
    def __init__(
        self,
        store: ApprovalStore,
        bus: Bus,
        room: WaitingRoom,
        metrics: Metrics,
        settings: ApprovalSettings,
    ) -> None:
        self._store = store
        self._bus = bus
        self._room = room
        self._metrics = metrics
        self._settings = settings

    async def ask(self, question: Question) -> tuple[ApprovalRow, bool]:
        """Store a question, or join the open one of the same act; whether it is new.

        Raises:
            ControlFault: APPROVALS_FULL.
        """
        settings = self._settings
        asked = await self._store.ask(
            question,
            settings.pending_count_max_per_agent,
            claim_of_question(question),
            settings.approved_seconds_max,
        )
        for approval_id in asked.closed:
            await self._tell(question.tenant_id, approval_id)
        if asked.row is None:
            raise ControlFault(
                Fault.APPROVALS_FULL, "this agent already waits for too many approvals"
            )
        if asked.is_new:
            self._metrics.approvals.labels(ApprovalState.PENDING).inc()
            if asked.row.grant_id is not None:
                self._metrics.approvals.labels(asked.row.status_now).inc()
                self._metrics.grants.labels("used").inc()
            await self._bus.publish(Topic.EVENTS, str(question.tenant_id))
        return asked.row, asked.is_new

    async def get(
        self,
        caller: Caller,
        approval_id: uuid.UUID,
        wait_seconds: float,
        is_gone: Callable[[], bool],
    ) -> ApprovalRow:
        """Read it; with `wait_seconds`, once it is no longer PENDING or the time is over.

        Raises:
            ControlFault: NOT_FOUND.
        """

        async def read() -> ApprovalRow:
            return existing(await self._store.get(caller.tenant_id, approval_id))

        return await self._room.read_until(
            (Topic.APPROVAL, str(approval_id)),
            read,
            lambda row: row.status_now is not ApprovalState.PENDING,
            wait_seconds,
            is_gone,
        )

    async def list(
        self,
        caller: Caller,
        wanted: Wanted,
        before: int | None,
        count_max: int,
    ) -> Sequence[ApprovalRow]:
        """Newest first."""
        return await self._store.list(caller.tenant_id, wanted, before, count_max)

    async def resolve(
        self, caller: Caller, approval_id: uuid.UUID, resolution: Resolution
    ) -> ApprovalRow:
        """Carry out a person's answer; it stays PENDING while its quorum wants more of them, and
        when it is escalated.

        Raises:
            ControlFault: FORBIDDEN for a machine's key (INVARIANT(no-self-approval)), NOT_FOUND,
                NOT_AN_APPROVER, IS_REQUESTER, COMMENT_WANTED, ANSWERED_BEFORE, ESCALATED_BEFORE,
                APPROVAL_NOT_PENDING.
        """
        require_person(caller, _ANSWER)
        if resolution.event is ApprovalEvent.ESCALATE:
            return await self._escalate(caller, approval_id, resolution)
        sources = sources_of(LEGAL_MOVES, resolution.event)
        answer = Answer(
            LEGAL_MOVES[sources[0]][resolution.event],
            sources,
            caller.person(resolution.resolved_by),
            caller.key_id,
            resolution.reason,
            self._settings.approved_seconds_max,
            resolution.through,
            resolution.offer,
        )
        came_to = await self._store.answer(caller.tenant_id, approval_id, answer)
        row = existing(await self._store.get(caller.tenant_id, approval_id))
        if came_to is AnswerCameTo.COUNTED:
            await self._tell(caller.tenant_id, approval_id)
            return row
        if came_to is not AnswerCameTo.DONE:
            raise _not_taken(came_to, row)
        self._metrics.approvals.labels(answer.state).inc()
        await self._tell(caller.tenant_id, approval_id)
        # A gateway may have used it since; the person hears what they did.
        return replace(row, status_now=answer.state)

    async def _escalate(
        self, caller: Caller, approval_id: uuid.UUID, resolution: Resolution
    ) -> ApprovalRow:
        """Put it to the next groups as well; for what is left of its time."""
        came_to = await self._store.escalate(
            caller.tenant_id,
            approval_id,
            caller.person(resolution.resolved_by),
            caller.key_id,
            resolution.reason,
        )
        row = existing(await self._store.get(caller.tenant_id, approval_id))
        if came_to is not AnswerCameTo.DONE:
            raise _not_taken(came_to, row)
        await self._tell(caller.tenant_id, approval_id)
        return row

    async def answers(self, caller: Caller, approval_id: uuid.UUID) -> Sequence[AnswerRow]:
        """Who said what, oldest first."""
        return await self._store.answers(caller.tenant_id, approval_id)

    async def consume(
        self, caller: Caller, approval_id: uuid.UUID, digest: str, claim_id: str
    ) -> ApprovalRow:
        """Use an approval for one release of one act. INVARIANT(consumed-once): the statement
        lets one claim through; the same claim of the same key gets the same answer again.

        Raises:
            ControlFault: NOT_FOUND, APPROVAL_NOT_CONSUMABLE.
        """
        claim = claim_of_key(caller, claim_id)
        row = await self._store.consume(caller.tenant_id, approval_id, digest, claim)
        if row is None:
            raise not_usable(existing(await self._store.get(caller.tenant_id, approval_id)), digest)
        self._metrics.approvals.labels(row.status_now).inc()
        await self._tell(caller.tenant_id, approval_id)
        return row

    async def void(
        self,
        caller: Caller,
        approval_id: uuid.UUID,
        why: str,
        found: tuple[str, str | None] | None = None,
    ) -> ApprovalRow:
        """Cancel what a gateway found to be asked of a world, or on terms, that have changed since;
        `found` are the digest and the JSON text of the state that it saw.

        Raises:
            ControlFault: NOT_FOUND, APPROVAL_NOT_PENDING.
        """
        row = await self._store.void(
            caller.tenant_id, approval_id, caller.key_name, caller.key_id, why, found
        )
        if row is None:
            present = existing(await self._store.get(caller.tenant_id, approval_id))
            raise ControlFault(
                Fault.APPROVAL_NOT_PENDING,
                f"this approval is {present.status_now}",
                {"status": present.status_now},
            )
        self._metrics.approvals.labels(row.status_now).inc()
        await self._tell(caller.tenant_id, approval_id)
        return row

    async def sweep(self) -> int:
        """Close what is over and escalate what is due, and wake those who wait for it; how many
        were closed."""
        for tenant_id, approval_id in await self._store.escalate_due(
            self._settings.sweep_count_max
        ):
            await self._tell(tenant_id, approval_id)
        closed = await self._store.sweep(self._settings.sweep_count_max)
        for tenant_id, approval_id in closed:
            await self._tell(tenant_id, approval_id)
        return len(closed)

    async def _tell(self, tenant_id: uuid.UUID, approval_id: uuid.UUID) -> None:
        await tell(self._bus, tenant_id, approval_id)

    async def sweep_forever(self) -> None:
        """Correctness needs no sweeper (every statement looks at the time): waiters do."""
        pause_seconds = self._settings.sweep_seconds

        async def sweep() -> float:
            await self.sweep()
            return pause_seconds

        await sweep_forever(sweep, pause_seconds, self._metrics)


def _not_taken(came_to: AnswerCameTo, row: ApprovalRow) -> ControlFault:
    """Why an answer was not taken."""
    match came_to:
        case AnswerCameTo.NO_PERSON:
            return machines_cant(_ANSWER)
        case AnswerCameTo.NOT_IN_GROUP:
            groups = ", ".join(f"`{group}`" for group in row.groups_now)
            return ControlFault(Fault.NOT_AN_APPROVER, f"only {groups} can approve this")
        case AnswerCameTo.IS_REQUESTER:
            return ControlFault(
                Fault.IS_REQUESTER, "who asks for something can't approve it; somebody else can"
            )
        case AnswerCameTo.COMMENT_WANTED:
            return ControlFault(
                Fault.COMMENT_WANTED, "this approval wants a `reason`: say why you agree"
            )
        case AnswerCameTo.ANSWERED_BEFORE:
            return ControlFault(
                Fault.ANSWERED_BEFORE, "you have approved this; another person has to as well"
            )
        case AnswerCameTo.ESCALATED_BEFORE:
            return ControlFault(Fault.ESCALATED_BEFORE, "this approval was escalated before")
        case AnswerCameTo.WRONG_STATE:
            status = row.status_now
            return ControlFault(
                Fault.APPROVAL_NOT_PENDING, f"this approval is {status}", {"status": status}
            )
        case AnswerCameTo.DONE | AnswerCameTo.COUNTED:
            raise AssertionError("it was taken")
        case _:
            assert_never(came_to)


def claim_of_key(caller: Caller, claim_id: str) -> str:
    """A claim as it is stored: claims can be guessed and read, and what one key claimed is not
    answered to another."""
    return f"{caller.key_id}:{claim_id}"


async def tell(bus: Bus, tenant_id: uuid.UUID, approval_id: uuid.UUID) -> None:
    """Wake those who wait for this approval, and those who follow what happens."""
    await bus.publish(Topic.APPROVAL, str(approval_id))
    await bus.publish(Topic.EVENTS, str(tenant_id))


def not_usable(present: ApprovalRow, digest: str | None = None) -> ControlFault:
    """Why an approval can't be used, or not for this act."""
    is_this = digest is None or present.question.request_digest == digest
    status = present.status_now
    why = f"this approval is {status}" if is_this else "this approval is for another act"
    return ControlFault(Fault.APPROVAL_NOT_CONSUMABLE, why, {"status": status})


def existing(row: ApprovalRow | None) -> ApprovalRow:
    """The row.

    Raises:
        ControlFault: NOT_FOUND, where there is none.
    """
    if row is None:
        raise not_found("approval")
    return row
