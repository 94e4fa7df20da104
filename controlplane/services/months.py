"""Keeps a place ready for what comes next month."""

from __future__ import annotations

from typing import Final

from controlplane.services.sweeping import sweep_forever
from controlplane.store.months import MonthStore
from controlplane.telemetry import Metrics

MONTHS_AHEAD: Final = 3
"""A control plane that nobody restarts, and whose sweeps fail for weeks, is still in time."""

PAUSE_SECONDS: Final = 6 * 3_600.0
RETRY_SECONDS: Final = 60.0


async def make_months_forever(store: MonthStore, metrics: Metrics) -> None:
    """Make partitions ahead. One that is missing loses nothing: its rows go to the rest."""

    async def sweep() -> float:
        await store.make(MONTHS_AHEAD)
        return PAUSE_SECONDS

    await sweep_forever(sweep, RETRY_SECONDS, metrics)
