"""Everything that a reviewer wants to see beside a question, gathered at once."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from controlplane.auth import Caller
from controlplane.services.approvals.lifecycle import existing
from controlplane.store.approval_history import (
    About,
    ApprovalHistory,
    Counts,
    PastDecision,
    RunSeen,
)
from controlplane.store.approvals import AnswerRow, ApprovalRow, ApprovalStore, Origin
from gateway.model.approval import ApprovalState
from gateway.model.codec import JsonValue

RECENT_COUNT: Final = 10
HISTORY_DAYS: Final = 30
HISTORY_COUNT_MAX: Final = 2_000
"""Past questions that are counted: more say nothing more to a reader, and each costs time."""

Change = tuple[str, JsonValue, JsonValue]


@dataclass(frozen=True, slots=True)
class Context:
    """`labels` is None where the agent is not known. `of_agent` and `of_everyone` count past
    questions about the same action by how they ended. `changes`: field, before, after, of a world
    that was found to have changed."""

    row: ApprovalRow
    answers: Sequence[AnswerRow]
    labels: Mapping[str, JsonValue] | None
    run: RunSeen | None
    recent: Sequence[PastDecision]
    of_agent: Mapping[str, int]
    of_everyone: Mapping[str, int]
    history_days: int
    history_count_max: int
    seconds_left: int
    may_approve: bool
    changes: Sequence[Change]


class ApprovalContextService:
    def __init__(self, approvals: ApprovalStore, history: ApprovalHistory) -> None:
        self._approvals = approvals
        self._history = history

    async def counts(self, caller: Caller) -> Counts:
        """What is open, and what of it this caller may approve."""
        return await self._history.counts(caller.tenant_id, sorted(caller.groups))

    async def context(self, caller: Caller, approval_id: uuid.UUID) -> Context:
        """Gather it.

        Raises:
            ControlFault: NOT_FOUND.
        """
        tenant_id = caller.tenant_id
        row = existing(await self._approvals.get(tenant_id, approval_id))
        asked = row.question
        # What a program asks about names no action that others could have in common with it.
        is_act = asked.origin is Origin.GATEWAY
        about = About(
            asked.agent,
            asked.run_id,
            asked.decision_id,
            (asked.provider, asked.action) if is_act else None,
            RECENT_COUNT,
            HISTORY_DAYS,
            HISTORY_COUNT_MAX,
        )
        answers, beside = await asyncio.gather(
            self._approvals.answers(tenant_id, approval_id), self._history.beside(tenant_id, about)
        )
        left = (row.expires_at - datetime.now(UTC)).total_seconds()
        is_open = row.status_now in (ApprovalState.PENDING, ApprovalState.APPROVED)
        return Context(
            row,
            answers,
            beside.labels,
            beside.run,
            beside.recent,
            beside.of_agent,
            beside.of_everyone,
            HISTORY_DAYS,
            HISTORY_COUNT_MAX,
            max(0, int(left)) if is_open else 0,
            may_approve(caller, row),
            changes_of(row),
        )


def may_approve(caller: Caller, row: ApprovalRow) -> bool:
    """Whether this person's yes would count now. For showing only: `answer_approval` decides."""
    groups = row.groups_now
    return (
        row.status_now is ApprovalState.PENDING
        and not caller.is_machine
        and caller.key_name.strip().lower() not in row.question.requesters
        and (not groups or not caller.groups.isdisjoint(groups))
    )


def changes_of(row: ApprovalRow) -> Sequence[Change]:
    """The fields of the witness that are not as they were shown, in order of their names."""
    if row.witness_now_state is None:
        return ()
    before: Mapping[str, JsonValue] = json.loads(row.question.witness_state or "{}")
    after: Mapping[str, JsonValue] = json.loads(row.witness_now_state)
    names = sorted({*before, *after})
    return [
        (name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name) or (name in before) != (name in after)
    ]
