"""Counters that all gateways of a tenant share, and their upkeep.

INVARIANT(closed): no answer says that something was taken unless it is stored. A store that can't
answer is a fault, and the gateway then refuses.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.services.sweeping import sweep_forever
from controlplane.store.limits import CounterRow, Demand, LimitLedger, Reservation
from controlplane.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`flight_seconds_max` is longer than any answer takes to begin: after it, nobody will come to
    say that nothing was sent. `use_count_max_per_tenant` is some gigabytes; a tenant that has more
    gets no further reservation until the sweeper has been by, which blocks what it would ask for.
    """

    flight_seconds_max: int = 3600
    sweep_seconds: float = 5.0
    sweep_counter_count_max: int = 500
    sweep_use_count_max: int = 5_000
    measure_seconds: float = 60.0
    use_count_max_per_tenant: int = 10_000_000


class LimitService:
    def __init__(self, ledger: LimitLedger, metrics: Metrics, settings: LimitSettings) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._settings = settings
        self._full: frozenset[uuid.UUID] = frozenset()

    async def reserve(self, demand: Demand) -> Reservation:
        """Take all that is claimed, or nothing where a claim that blocks is exceeded. An owner
        who has a reservation gets that one again.

        Raises:
            ControlFault: LIMITS_FULL.
        """
        if demand.tenant_id in self._full:
            raise ControlFault(Fault.LIMITS_FULL, "too much is counted already for this tenant")
        made = await self._ledger.reserve(demand)
        self._metrics.reservations.labels("refused" if made.token is None else "taken").inc()
        return made

    async def start(self, caller: Caller, token: uuid.UUID) -> bool:
        """Put a held reservation in flight; False when it is not held (any more)."""
        return await self._ledger.start(caller.tenant_id, token)

    async def settle(self, caller: Caller, token: uuid.UUID) -> None:
        """Let it count for as long as its windows last. Unknown tokens do nothing."""
        await self._ledger.settle(caller.tenant_id, token)

    async def release(self, caller: Caller, token: uuid.UUID) -> None:
        """Give it back. Unknown tokens do nothing."""
        await self._ledger.release(caller.tenant_id, token)

    async def list(
        self, caller: Caller, limit: str | None, key: str | None, before: int | None, count_max: int
    ) -> Sequence[CounterRow]:
        """Counters in force, newest first."""
        return await self._ledger.list(caller.tenant_id, limit, key, before, count_max)

    async def sweep(self) -> int:
        """Remove what can count no longer; how many rows."""
        settings = self._settings
        return await self._ledger.sweep(
            settings.sweep_counter_count_max, settings.sweep_use_count_max
        )

    async def measure(self) -> None:
        """Find out whose counters are full."""
        self._full = await self._ledger.full_tenants(self._settings.use_count_max_per_tenant)

    async def sweep_forever(self) -> None:
        """Readings leave out what is over by themselves: sweeping only gives space back."""
        settings = self._settings
        left_seconds = 0.0

        async def sweep() -> float:
            nonlocal left_seconds
            swept = await self.sweep()
            if left_seconds <= 0:
                await self.measure()
                left_seconds = settings.measure_seconds
            # A full hand means that more is waiting.
            pause = settings.sweep_seconds if swept < settings.sweep_use_count_max else 0.1
            left_seconds -= pause
            return pause

        await sweep_forever(sweep, settings.sweep_seconds, self._metrics)
