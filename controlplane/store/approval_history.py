"""What is told to a reviewer beside a question: who asks, and what was before. Reads only."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database
from controlplane.store.queries import load_queries
from gateway.model.codec import JsonValue

_SQL = load_queries("approval_history")

_RECORDS_OF_A_DECISION = 3
"""Its decision, its intent and its outcome."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    run_id: uuid.UUID
    name: str
    goal: str
    status: str
    started_at: datetime
    step_count: int
    blocked_count: int


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A decision as its records tell it. `outcome` is None while it is open."""

    decision_id: str
    at: str
    effect: str | None
    provider: str | None
    operation: str | None
    action: str | None
    target: dict[str, JsonValue] | None
    reason_code: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Open approvals; `mine` are those of the pending ones that somebody of some groups may
    approve."""

    pending: int
    mine: int
    escalated: int
    approved: int


class ApprovalHistory:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def around(
        self, tenant_id: uuid.UUID, agent: str, run: str | None
    ) -> tuple[Mapping[str, JsonValue] | None, RunSeen | None]:
        """The agent's labels, None where there is no such agent; and its run."""
        run_id = None
        with contextlib.suppress(ValueError):
            run_id = uuid.UUID(run or "")
        row = await self._database.row(_SQL["around"], tenant_id, agent, run or "", run_id)
        assert row is not None
        labels = None if row["labels"] is None else json.loads(row["labels"])
        if row["run_id"] is None:
            return labels, None
        return labels, RunSeen(
            row["run_id"],
            row["name"],
            row["goal"],
            row["status"],
            row["started_at"],
            row["step_count"],
            row["blocked_count"],
        )

    async def recent(
        self, tenant_id: uuid.UUID, agent: str, but: str, count_max: int
    ) -> Sequence[PastDecision]:
        """The newest decisions about an agent, newest first, without the decision `but`."""
        looked_at = _RECORDS_OF_A_DECISION * (count_max + 1)
        rows = await self._database.rows(
            _SQL["recent"], tenant_id, agent, looked_at, but, count_max
        )
        return [_past(row["decision_id"], row["line"], row["outcome_line"]) for row in rows]

    async def past_answers(
        self, tenant_id: uuid.UUID, act: tuple[str, str], agent: str, days: int, count_max: int
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How often questions about a provider's action came to each status: of this agent, and of
        everyone."""
        provider, action = act
        rows = await self._database.rows(
            _SQL["past_answers"], tenant_id, provider, action, agent, days, count_max
        )
        own: dict[str, int] = {}
        everyone: dict[str, int] = {}
        for row in rows:
            everyone[row["status"]] = everyone.get(row["status"], 0) + row["count"]
            if row["is_own"]:
                own[row["status"]] = row["count"]
        return own, everyone

    async def counts(self, tenant_id: uuid.UUID, groups: Sequence[str]) -> Counts:
        """What is open now."""
        row = await self._database.row(_SQL["counts"], tenant_id, list(groups))
        assert row is not None
        return Counts(row["pending"], row["mine"], row["escalated"], row["approved"])


def _past(decision_id: str, line: str, outcome_line: str | None) -> PastDecision:
    fields = json.loads(line)
    actions = fields.get("actions") or [{}]
    first = actions[0]
    return PastDecision(
        decision_id,
        str(fields.get("at")),
        _text(fields.get("effect")),
        _text(fields.get("provider")),
        _text(first.get("operation")),
        _text(first.get("action")),
        first.get("target"),
        _text(fields.get("reason_code")),
        _text(json.loads(outcome_line).get("outcome")) if outcome_line else None,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
