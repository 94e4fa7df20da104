"""What is told to a reviewer beside a question: who asks, and what was before. Reads only."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database, Row
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


@dataclass(frozen=True, slots=True)
class About:
    """Whom and what a question is about; `action` is None where it names none that others could
    have in common with it. The bounds say how much is looked at."""

    agent: str
    run: str | None
    decision_id: str
    action: tuple[str, str] | None
    recent_count_max: int
    history_days: int
    history_count_max: int


@dataclass(frozen=True, slots=True)
class Beside:
    """`labels` is None where there is no such agent. `of_agent` and `of_everyone` say how often
    questions about the same action came to each status."""

    labels: Mapping[str, JsonValue] | None
    run: RunSeen | None
    recent: Sequence[PastDecision]
    of_agent: Mapping[str, int]
    of_everyone: Mapping[str, int]


class ApprovalHistory:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def beside(self, tenant_id: uuid.UUID, about: About) -> Beside:
        """All that is told, on one connection: each change of hands costs two round trips."""
        looked_at = _RECORDS_OF_A_DECISION * (about.recent_count_max + 1)
        async with self._database.connection() as connection:
            around = await connection.fetchrow(
                _SQL["around"], tenant_id, about.agent, about.run or "", _id_of(about.run)
            )
            recent = await connection.fetch(
                _SQL["recent"],
                tenant_id,
                about.agent,
                looked_at,
                about.decision_id,
                about.recent_count_max,
            )
            ended = ()
            if about.action is not None:
                ended = await connection.fetch(
                    _SQL["past_answers"],
                    tenant_id,
                    *about.action,
                    about.agent,
                    about.history_days,
                    about.history_count_max,
                )
        return Beside(
            None if around["labels"] is None else json.loads(around["labels"]),
            _run_seen(around),
            [_past(row["decision_id"], row["line"], row["outcome_line"]) for row in recent],
            *_counted(ended),
        )

    async def counts(self, tenant_id: uuid.UUID, groups: Sequence[str]) -> Counts:
        """What is open now."""
        row = await self._database.row(_SQL["counts"], tenant_id, list(groups))
        assert row is not None
        return Counts(row["pending"], row["mine"], row["escalated"], row["approved"])


def _id_of(run: str | None) -> uuid.UUID | None:
    """A run that was made through the API is named by its id."""
    with contextlib.suppress(ValueError):
        return uuid.UUID(run or "")
    return None


def _run_seen(row: Row) -> RunSeen | None:
    if row["run_id"] is None:
        return None
    return RunSeen(
        row["run_id"],
        row["name"],
        row["goal"],
        row["status"],
        row["started_at"],
        row["step_count"],
        row["blocked_count"],
    )


def _counted(rows: Sequence[Row]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Of the agent itself, and of everyone."""
    own: dict[str, int] = {}
    everyone: dict[str, int] = {}
    for row in rows:
        everyone[row["status"]] = everyone.get(row["status"], 0) + row["count"]
        if row["is_own"]:
            own[row["status"]] = row["count"]
    return own, everyone


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
