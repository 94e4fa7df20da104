"""Counts for the dashboard: what waits now, and what was decided, per minute and per hour."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("overview")


class Span(StrEnum):
    """How finely something is counted."""

    MINUTE = "minute"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class TrafficCount:
    """So many decisions that were alike, about a moment."""

    at: datetime
    agent: str
    provider: str
    action: str
    effect: str
    mode: str
    reason_code: str
    decisions: int


@dataclass(frozen=True, slots=True)
class AnswerSeen:
    """An upstream's answer. `provider` is None where its decision was read earlier."""

    decision_id: str
    provider: str | None
    at: datetime
    micros: int
    is_failure: bool


@dataclass(frozen=True, slots=True)
class EffectCount:
    at: datetime
    effect: str
    decisions: int


@dataclass(frozen=True, slots=True)
class ActionCount:
    provider: str
    action: str
    decisions: int
    blocked: int


@dataclass(frozen=True, slots=True)
class BlockCount:
    agent: str
    reason_code: str
    decisions: int


@dataclass(frozen=True, slots=True)
class ProviderCount:
    provider: str
    answers: int
    failures: int
    micros_mean: int
    micros_max: int


class OverviewStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending_count(self, tenant_id: uuid.UUID, count_max: int) -> int:
        row = await self._database.row(_SQL["pending_count"], tenant_id, count_max)
        assert row is not None
        return int(row["count"])

    async def add_traffic(
        self, connection: Any, tenant_id: uuid.UUID, counts: Sequence[TrafficCount]
    ) -> None:
        """Count decisions, in the transaction of `connection`."""
        await connection.execute(
            _SQL["add_traffic"],
            tenant_id,
            [one.at for one in counts],
            [one.agent for one in counts],
            [one.provider for one in counts],
            [one.action for one in counts],
            [one.effect for one in counts],
            [one.mode for one in counts],
            [one.reason_code for one in counts],
            [one.decisions for one in counts],
        )

    async def add_answers(
        self, connection: Any, tenant_id: uuid.UUID, answers: Sequence[AnswerSeen]
    ) -> None:
        """Count answers, in the transaction of `connection`."""
        await connection.execute(
            _SQL["add_answers"],
            tenant_id,
            [one.decision_id for one in answers],
            [one.provider for one in answers],
            [one.at for one in answers],
            [one.micros for one in answers],
            [one.is_failure for one in answers],
        )

    async def bars(
        self, tenant_id: uuid.UUID, span: Span, since: datetime, step: timedelta
    ) -> Sequence[EffectCount]:
        """Decisions by effect in steps from `since` on, in no order."""
        rows = await self._database.rows(_SQL["bars"], tenant_id, span.value, since, step)
        return [EffectCount(row["at"], row["effect"], row["decisions"]) for row in rows]

    async def actions(
        self, tenant_id: uuid.UUID, span: Span, since: datetime, count_max: int
    ) -> Sequence[ActionCount]:
        """The most frequent actions."""
        rows = await self._database.rows(_SQL["actions"], tenant_id, span.value, since, count_max)
        return [
            ActionCount(row["provider"], row["action"], row["decisions"], row["blocked"])
            for row in rows
        ]

    async def blocks(
        self, tenant_id: uuid.UUID, span: Span, since: datetime, count_max: int
    ) -> Sequence[BlockCount]:
        """Who was blocked most, and why."""
        rows = await self._database.rows(_SQL["blocks"], tenant_id, span.value, since, count_max)
        return [BlockCount(row["agent"], row["reason_code"], row["decisions"]) for row in rows]

    async def providers(
        self, tenant_id: uuid.UUID, span: Span, since: datetime, count_max: int
    ) -> Sequence[ProviderCount]:
        """The slowest to answer."""
        rows = await self._database.rows(_SQL["providers"], tenant_id, span.value, since, count_max)
        return [
            ProviderCount(
                row["provider"],
                row["answers"],
                row["failures"],
                row["micros_mean"],
                row["micros_max"],
            )
            for row in rows
        ]

    async def modes(self, tenant_id: uuid.UUID) -> frozenset[str]:
        """The modes of this hour's and the last one's decisions."""
        rows = await self._database.rows(_SQL["modes"], tenant_id)
        return frozenset(row["mode"] for row in rows)

    async def forget(self, span: Span, days: int, count_max: int) -> None:
        """Delete counts of long ago."""
        await self._database.rows(_SQL["forget_traffic"], span.value, days, count_max)
        await self._database.rows(_SQL["forget_answers"], span.value, days, count_max)
