"""What happens now, in numbers: for the dashboard's overview and its rail.

The numbers are counted when records are read into runs (`projection`), so that a page costs the
same at a thousand records and at a million.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from controlplane.auth import Caller
from controlplane.services.sweeping import sweep_forever
from controlplane.store.overview import (
    ActionCount,
    BlockCount,
    OverviewStore,
    ProviderCount,
    Span,
    TrafficCount,
)
from controlplane.store.projection import NewStep
from controlplane.telemetry import Metrics
from gateway.model.moment import micros_of, moment_of

PENDING_COUNT_MAX: Final = 1_000
LIST_COUNT: Final = 8

MODES_KNOWN_SECONDS: Final = 10.0
"""Every page shows them; they seldom change."""
TENANTS_KNOWN_MAX: Final = 10_000

KINDS_PER_MINUTE_MAX: Final = 60
"""Agents choose names freely: what of a minute in one batch is counted apart; the rest together."""
OTHER: Final = "(other)"

KEPT_DAYS: Final = {Span.MINUTE: 2, Span.HOUR: 92}
_SWEEP_SECONDS: Final = 900.0
_SWEEP_COUNT_MAX: Final = 50_000


class Period(StrEnum):
    """How far back the overview looks."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"


@dataclass(frozen=True, slots=True)
class _View:
    """`steps` bars of `step` each. A day of minutes would be much to add up for every look."""

    span: Span
    step: timedelta
    steps: int


_VIEWS: Final = {
    Period.HOUR: _View(Span.MINUTE, timedelta(minutes=1), 60),
    Period.DAY: _View(Span.HOUR, timedelta(hours=1), 24),
    Period.WEEK: _View(Span.HOUR, timedelta(hours=4), 42),
}


@dataclass(frozen=True, slots=True)
class Overview:
    """`steps` has every step of the period, the empty ones too, with its decisions by effect."""

    step: timedelta
    steps: Sequence[tuple[datetime, Mapping[str, int]]]
    totals: Mapping[str, int]
    pending: int
    actions: Sequence[ActionCount]
    blocks: Sequence[BlockCount]
    providers: Sequence[ProviderCount]


class OverviewService:
    def __init__(self, store: OverviewStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._modes: dict[uuid.UUID, tuple[float, frozenset[str]]] = {}

    async def pending_count(self, caller: Caller) -> int:
        """How many approvals wait for a person, at most `PENDING_COUNT_MAX`."""
        return await self._store.pending_count(caller.tenant_id, PENDING_COUNT_MAX)

    async def modes(self, caller: Caller) -> frozenset[str]:
        """In which modes decisions were taken of late; up to `MODES_KNOWN_SECONDS` old."""
        known, now = self._modes.get(caller.tenant_id), time.monotonic()
        if known is None or now - known[0] >= MODES_KNOWN_SECONDS:
            if len(self._modes) >= TENANTS_KNOWN_MAX:
                self._modes.clear()
            known = self._modes[caller.tenant_id] = (
                now,
                await self._store.modes(caller.tenant_id),
            )
        return known[1]

    async def overview(self, caller: Caller, period: Period) -> Overview:
        """Everything that the page draws."""
        view, tenant_id, store = _VIEWS[period], caller.tenant_id, self._store
        first = _floor(datetime.now(UTC), view.step) - view.step * (view.steps - 1)
        counted, pending, actions, blocks, providers = await asyncio.gather(
            store.bars(tenant_id, view.span, first, view.step),
            store.pending_count(tenant_id, PENDING_COUNT_MAX),
            store.actions(tenant_id, view.span, first, LIST_COUNT),
            store.blocks(tenant_id, view.span, first, LIST_COUNT),
            store.providers(tenant_id, view.span, first, LIST_COUNT),
        )
        by_step: dict[datetime, dict[str, int]] = {}
        totals: Counter[str] = Counter()
        for one in counted:
            by_step.setdefault(one.at, {})[one.effect] = one.decisions
            totals[one.effect] += one.decisions
        moments = [first + view.step * number for number in range(view.steps)]
        return Overview(
            view.step,
            [(at, by_step.get(at, {})) for at in moments],
            totals,
            pending,
            actions,
            blocks,
            providers,
        )

    async def sweep_forever(self) -> None:
        """Forget counts of long ago."""

        async def sweep() -> float:
            for span, days in KEPT_DAYS.items():
                await self._store.forget(span, days, _SWEEP_COUNT_MAX)
            return _SWEEP_SECONDS

        await sweep_forever(sweep, _SWEEP_SECONDS, self._metrics)


def count_steps(steps: Sequence[NewStep]) -> Sequence[TrafficCount]:
    """Decisions that are alike, counted together by the minute."""
    alike: Counter[tuple[datetime, str, str, str, str, str, str]] = Counter()
    kinds: Counter[datetime] = Counter()
    for step in steps:
        at = step.decided_at.replace(second=0, microsecond=0)
        names = (step.agent, step.provider, step.action)
        kind = (step.effect, step.mode, step.reason_code)
        key = (at, *names, *kind)
        if key not in alike:
            if kinds[at] >= KINDS_PER_MINUTE_MAX:
                key = (at, OTHER, OTHER, OTHER, step.effect, step.mode, OTHER)
            kinds[at] += 1
        alike[key] += 1
    return [TrafficCount(*key, decisions) for key, decisions in alike.items()]


def _floor(at: datetime, step: timedelta) -> datetime:
    micros = step // timedelta(microseconds=1)
    return moment_of(micros_of(at) // micros * micros)
