"""The table `approvals`: rows as values, one statement for each change of state."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.grants import is_any_grant, offer_grant, use_grant
from controlplane.store.queries import load_queries
from controlplane.store.questions import Origin, Question, Through
from gateway.model.approval import ApprovalState
from gateway.model.grant import Claim, GrantTerms

__all__ = [
    "Answer", "AnswerCameTo", "AnswerRow", "ApprovalRow", "ApprovalStore", "Asked", "Origin",
    "Question", "Through", "Wanted",
]  # fmt: skip

_SQL = load_queries("approvals")

_STORED_AS = {
    ApprovalState.EXPIRED: (ApprovalState.EXPIRED, ApprovalState.PENDING),
    ApprovalState.LAPSED: (ApprovalState.LAPSED, ApprovalState.APPROVED),
}
"""What else an effective state may be stored as until the sweeper comes by."""


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A stored approval. `status_now` is what its status means at the database's present time.
    `escalated_by` is None where the time did it; `witness_now_hash` and the JSON text
    `witness_now_state` are what was found when the world had changed."""

    approval_seq: int
    approval_id: uuid.UUID
    question: Question
    created_at: datetime
    expires_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    resolved_by_key: uuid.UUID | None
    comment: str | None
    consumed_at: datetime | None
    status_now: ApprovalState
    escalated_at: datetime | None
    escalated_by: str | None
    escalation_comment: str | None
    witness_now_hash: str | None
    witness_now_state: str | None
    grant_id: uuid.UUID | None

    @property
    def groups_now(self) -> tuple[str, ...]:
        """To which groups it is put now; none: to everybody."""
        asked = self.question
        further = asked.escalate_to if self.escalated_at is not None else ()
        return (*asked.approver_groups, *further) if asked.approver_groups else ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said. `usable_seconds` counts from now on for an APPROVED one; `offer` is the
    grant that they offer with it."""

    state: ApprovalState
    may_follow: tuple[ApprovalState, ...]
    resolved_by: str
    resolved_by_key: uuid.UUID
    comment: str | None
    usable_seconds: float
    through: Through = Through.API
    offer: GrantTerms | None = None


class AnswerCameTo(StrEnum):
    """What became of an answer. COUNTED: more people are needed. NO_PERSON: the key is a machine's
    or revoked. COMMENT_WANTED: a yes without a word where the rule wants one."""

    DONE = "DONE"
    COUNTED = "COUNTED"
    ANSWERED_BEFORE = "ANSWERED_BEFORE"
    NOT_IN_GROUP = "NOT_IN_GROUP"
    NO_PERSON = "NO_PERSON"
    IS_REQUESTER = "IS_REQUESTER"
    COMMENT_WANTED = "COMMENT_WANTED"
    ESCALATED_BEFORE = "ESCALATED_BEFORE"
    WRONG_STATE = "WRONG_STATE"


_TAKEN = {AnswerCameTo.DONE, AnswerCameTo.COUNTED}


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One person's answer; `answer` is the state that they want."""

    answered_by: str
    answer: ApprovalState
    comment: str | None
    answered_at: datetime
    through: Through


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which approvals are listed; None leaves it open. `of_groups`: those that somebody of these
    groups may approve now."""

    status: ApprovalState | None = None
    agent: str | None = None
    action: str | None = None
    provider: str | None = None
    run: str | None = None
    since: datetime | None = None
    of_groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """`row` is None where the agent already has too many questions open. `closed` are approvals
    whose time was found to be over on the way."""

    row: ApprovalRow | None
    is_new: bool
    closed: tuple[uuid.UUID, ...]


_QUESTION_FIELDS = tuple(field.name for field in fields(Question))

_ASK_ATTEMPTS_MAX = 5
"""Each further attempt means that another request used up the approval in between."""


class ApprovalStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(
        self,
        question: Question,
        pending_count_max: int,
        claim: Claim | None = None,
        usable_seconds: float = 0,
    ) -> Asked:
        """Join the open approval of this act, or store a new one; where a grant covers the `claim`,
        it is APPROVED at once, and usable for so long.

        INVARIANT(one-question) of the schema makes concurrent asks end in one row.
        """
        assert question.origin is Origin.GATEWAY
        act = (question.tenant_id, question.agent, question.request_digest)
        values = [getattr(question, name) for name in _QUESTION_FIELDS]
        closed: list[uuid.UUID] = []
        for _ in range(_ASK_ATTEMPTS_MAX):
            async with self._database.connection() as connection:
                if (found := await connection.fetchrow(_SQL["find_open"], *act)) is not None:
                    return Asked(_row(found), False, tuple(closed))
                settled = await connection.fetch(_SQL["settle_one"], *act)
                closed += [row["approval_id"] for row in settled]
                pending = await connection.fetchval(_SQL["count_pending"], *act[:2])
                if pending >= pending_count_max:
                    return Asked(None, False, tuple(closed))
                if claim is None or not await is_any_grant(connection, *act[:2]):
                    made = await connection.fetchrow(_SQL["insert"], uuid.uuid4(), *values)
                else:
                    made = await _insert_granted(connection, values, claim, usable_seconds)
                if made is not None:
                    return Asked(_row(made), True, tuple(closed))
        raise AssertionError("an open approval kept vanishing")

    async def ask_anew(self, question: Question, pending_count_max: int) -> ApprovalRow | None:
        """Store a program's question, whatever else is open; None where programs already have too
        many."""
        assert question.origin is Origin.API
        values = [getattr(question, name) for name in _QUESTION_FIELDS]
        async with self._database.connection() as connection:
            pending = await connection.fetchval(_SQL["count_asked"], question.tenant_id)
            if pending >= pending_count_max:
                return None
            return _row(await connection.fetchrow(_SQL["insert"], uuid.uuid4(), *values))

    async def get(self, tenant_id: uuid.UUID, approval_id: uuid.UUID) -> ApprovalRow | None:
        return _maybe(await self._database.row(_SQL["get"], tenant_id, approval_id))

    async def list(
        self,
        tenant_id: uuid.UUID,
        wanted: Wanted,
        before: int | None,
        count_max: int,
    ) -> Sequence[ApprovalRow]:
        """Newest first; `before` is the `approval_seq` of the last one seen."""
        status = wanted.status
        stored = None if status is None else list(_STORED_AS.get(status, (status,)))
        groups = None if wanted.of_groups is None else list(wanted.of_groups)
        rows = await self._database.rows(
            _SQL["list"],
            tenant_id,
            stored,
            status,
            wanted.agent,
            before,
            count_max,
            wanted.action,
            wanted.provider,
            wanted.run,
            wanted.since,
            groups,
        )
        return [_row(row) for row in rows]

    async def answer(
        self, tenant_id: uuid.UUID, approval_id: uuid.UUID, answer: Answer
    ) -> AnswerCameTo:
        """Count a person's answer, and move the approval where it is enough. INVARIANT(quorum)
        lies in the statement. The grant that is offered with it stands or falls with it."""
        async with self._database.transaction() as connection:
            came_to = AnswerCameTo(
                await connection.fetchval(
                    _SQL["answer"],
                    tenant_id,
                    approval_id,
                    list(answer.may_follow),
                    answer.state,
                    answer.resolved_by,
                    answer.resolved_by_key,
                    answer.comment,
                    answer.usable_seconds,
                    answer.through,
                )
            )
            if answer.offer is not None and came_to in _TAKEN:
                await offer_grant(
                    connection, tenant_id, approval_id, answer.resolved_by_key, answer.offer
                )
        return came_to

    async def answers(self, tenant_id: uuid.UUID, approval_id: uuid.UUID) -> Sequence[AnswerRow]:
        """Who said what to an approval, oldest first."""
        rows = await self._database.rows(_SQL["answers"], tenant_id, approval_id)
        return [
            AnswerRow(
                row["answered_by"],
                ApprovalState(row["answer"]),
                row["comment"],
                row["answered_at"],
                Through(row["through"]),
            )
            for row in rows
        ]

    async def consume(
        self,
        tenant_id: uuid.UUID,
        approval_id: uuid.UUID,
        digest: str,
        claim_id: str,
        origin: Origin = Origin.GATEWAY,
    ) -> ApprovalRow | None:
        """Use it, once; None when it can't be used by this claim for this act."""
        return _maybe(
            await self._database.row(
                _SQL["consume"], tenant_id, approval_id, digest, claim_id, origin
            )
        )

    async def void(
        self,
        tenant_id: uuid.UUID,
        approval_id: uuid.UUID,
        by: str,
        by_key: uuid.UUID,
        why: str,
        found: tuple[str, str | None] | None = None,
    ) -> ApprovalRow | None:
        """Cancel an open one; None when it is not open. `found`: the digest and the JSON text of
        the state that is there now."""
        now_hash, now_state = found or (None, None)
        return _maybe(
            await self._database.row(
                _SQL["void"], tenant_id, approval_id, by, by_key, why, now_hash, now_state
            )
        )

    async def escalate(
        self,
        tenant_id: uuid.UUID,
        approval_id: uuid.UUID,
        by: str,
        by_key: uuid.UUID,
        why: str | None,
    ) -> AnswerCameTo:
        """Put a PENDING one to the next groups as well, because a person says so."""
        row = await self._database.row(_SQL["escalate"], tenant_id, approval_id, by, by_key, why)
        assert row is not None
        return AnswerCameTo(row["came_to"])

    async def escalate_due(self, count_max: int) -> Sequence[tuple[uuid.UUID, uuid.UUID]]:
        """Escalate what nobody answered in time; their tenants and ids."""
        rows = await self._database.rows(_SQL["escalate_due"], count_max)
        return [(row["tenant_id"], row["approval_id"]) for row in rows]

    async def note_world(self, tenant_id: uuid.UUID, approval_id: uuid.UUID, digest: str) -> bool:
        """Write down that another digest was seen; whether that was new of an open one."""
        row = await self._database.row(_SQL["note_world"], tenant_id, approval_id, digest)
        return row is not None

    async def sweep(self, count_max: int) -> Sequence[tuple[uuid.UUID, uuid.UUID]]:
        """Close what is over; their tenants and ids."""
        rows = await self._database.rows(_SQL["sweep"], count_max)
        return [(row["tenant_id"], row["approval_id"]) for row in rows]


async def _insert_granted(
    connection: Any, values: Sequence[Any], claim: Claim, usable_seconds: float
) -> Row | None:
    """Store a question, and answer it by a grant before anybody sees it."""
    async with connection.transaction():
        made = await connection.fetchrow(_SQL["insert"], uuid.uuid4(), *values)
        if made is None:
            return None
        tenant_id, approval_id = made["tenant_id"], made["approval_id"]
        used = await use_grant(connection, tenant_id, approval_id, claim, usable_seconds)
        return (
            made if used is None else await connection.fetchrow(_SQL["get"], tenant_id, approval_id)
        )


def _maybe(row: Row | None) -> ApprovalRow | None:
    return None if row is None else _row(row)


def _row(row: Row) -> ApprovalRow:
    asked = {name: row[name] for name in _QUESTION_FIELDS}
    for name in ("approver_groups", "requester_labels", "escalate_to", "requesters"):
        asked[name] = tuple(asked[name])
    asked["origin"] = Origin(asked["origin"])
    return ApprovalRow(
        row["approval_seq"],
        row["approval_id"],
        Question(**asked),
        row["created_at"],
        row["expires_at"],
        row["resolved_at"],
        row["resolved_by"],
        row["resolved_by_key"],
        row["comment"],
        row["consumed_at"],
        ApprovalState(row["status_now"]),
        row["escalated_at"],
        row["escalated_by"],
        row["escalation_comment"],
        row["witness_now_hash"],
        row["witness_now_state"],
        row["grant_id"],
    )
