"""`ports.LimitStore` of one gateway alone."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.counters.ledger import Ledger
from gateway.model.limit import LimitClaim, Reserved
from gateway.ports import Clock


class LocalLimits:
    """Counts in this process. Nothing in it waits, so every call is one step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ledger = Ledger()

    async def reserve(
        self, owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
    ) -> Reserved:
        return self._ledger.reserve(owner, claims, now, lapses_at)

    async def start(self, token: str) -> bool:
        return self._ledger.start(token, self._clock.now())

    async def settle(self, token: str) -> None:
        self._ledger.settle(token)

    async def release(self, token: str) -> None:
        self._ledger.release(token)
