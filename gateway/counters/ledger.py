"""Counts what requests take of limits, exactly, in memory. Pure: time comes in with each call.

One reservation is an entry in the counter of each of its claims. INVARIANT(once): an owner has at
most one reservation that is held or in flight.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitClaim, LimitReading, Reserved


@dataclass(slots=True)
class _Reservation:
    owner: str
    at: int
    claims: tuple[LimitClaim, ...]
    readings: tuple[LimitReading, ...]
    lapses_at: int | None


@dataclass(frozen=True, slots=True)
class _Use:
    at: int
    amount: int


class Ledger:
    """All counters of one gateway."""

    def __init__(self) -> None:
        self._uses: defaultdict[tuple[str, str], dict[str, _Use]] = defaultdict(dict)
        self._open: dict[str, _Reservation] = {}
        self._token_of: dict[str, str] = {}
        self._count = 0

    def reserve(
        self, owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
    ) -> Reserved:
        """See `ports.LimitStore.reserve`."""
        self._lapse(now)
        token = self._token_of.get(owner)
        if token is not None:
            return Reserved(token, self._open[token].readings)
        readings = tuple(self._read(claim) for claim in claims)
        if any(map(_blocks, readings)):
            return Reserved("", readings)
        self._count += 1
        token = f"res_{self._count}"
        self._token_of[owner] = token
        self._open[token] = _Reservation(owner, now, tuple(claims), readings, lapses_at)
        for claim in claims:
            self._uses[claim.limit, claim.key][token] = _Use(now, claim.amount or 0)
        return Reserved(token, readings)

    def start(self, token: str, now: int) -> bool:
        """See `ports.LimitStore.start`."""
        self._lapse(now)
        reservation = self._open.get(token)
        if reservation is None or reservation.lapses_at is None:
            return False
        reservation.lapses_at = None
        return True

    def settle(self, token: str) -> None:
        reservation = self._open.pop(token, None)
        if reservation is not None:
            del self._token_of[reservation.owner]

    def release(self, token: str) -> None:
        reservation = self._open.get(token)
        if reservation is not None:
            for claim in reservation.claims:
                del self._uses[claim.limit, claim.key][token]
            self.settle(token)

    def _read(self, claim: LimitClaim) -> LimitReading:
        uses = self._uses[claim.limit, claim.key]
        used = sum(use.amount for use in uses.values() if use.at > claim.since)
        exceeded = claim.amount is None or used + claim.amount > claim.max
        return LimitReading(claim, used, exceeded)

    def _lapse(self, now: int) -> None:
        over = [
            token
            for token, reservation in self._open.items()
            if reservation.lapses_at is not None and reservation.lapses_at <= now
        ]
        for token in over:
            self.release(token)


def _blocks(reading: LimitReading) -> bool:
    claim = reading.claim
    is_enforced = claim.mode is Mode.ENFORCE and claim.effect is Effect.BLOCK
    return reading.is_exceeded and is_enforced
