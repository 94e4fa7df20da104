"""Counts what requests take of limits, exactly, in memory. Pure: time comes in with each call.

One reservation has a share in the counter of each of its claims.
INVARIANT(once): an owner has at most one reservation that is held or in flight.
INVARIANT(bounded): counters, uses and open reservations have maxima. Beyond that of uses, old ones
are put together; beyond the others nothing more is taken, because forgetting a counter would let
whoever filled the memory begin anew.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.counters.counter import Counter
from gateway.model.dataclass import dataclass
from gateway.model.effect import Effect, Mode
from gateway.model.errors import LimitError
from gateway.model.limit import LimitClaim, LimitReading, Reserved

Place = tuple[str, str]
"""Limit and key: what a counter is found by."""

SWEPT_PER_CLAIM: Final = 2
"""Counters looked at, whether they are over, for each claim: more than a claim can add, so that the
dead don't outnumber the living for long."""

SWEPT_WHEN_FULL: Final = 256

COARSENED_MIN: Final = 16
"""Entries that a counter keeps in any case."""


@dataclass(frozen=True, slots=True)
class LedgerBounds:
    """How much this gateway counts by itself. A counter takes about 0.5 KB and a use 16 bytes;
    beyond the first and beyond the open reservations nothing more is taken, beyond the uses old
    ones are put together."""

    limits_counters_max: int = 100_000
    limits_uses_max: int = 1_000_000
    limits_uses_per_counter_max: int = 131_072
    limits_open_max: int = 50_000


@dataclass(frozen=True, slots=True)
class Share:
    """What a reservation has of one counter. `used` is what was read before it was taken."""

    place: Place
    amount: int
    seconds: int
    used: int


@dataclass(slots=True)
class Reservation:
    """`at` is when it was taken, `lapses_at` None from when it is in flight."""

    token: str
    owner: str
    at: int
    shares: tuple[Share, ...]
    lapses_at: int | None


class Ledger:
    """All counters of one gateway. `era` is part of every token, so that a token of an earlier
    process means nothing to this one."""

    def __init__(self, era: str = "0", bounds: LedgerBounds | None = None) -> None:
        self._bounds = bounds or LedgerBounds()
        self._era = era
        self._count = 0
        self._uses = 0
        self._counters: OrderedDict[Place, Counter] = OrderedDict()
        self._open: dict[str, Reservation] = {}
        self._token_of: dict[str, str] = {}
        self._lapses: list[tuple[int, str]] = []

    @property
    def uses_count(self) -> int:
        """Entries of all counters."""
        return self._uses

    @property
    def counters(self) -> Iterator[tuple[Place, Counter]]:
        yield from self._counters.items()

    @property
    def reservations(self) -> Iterator[Reservation]:
        """What is held or in flight."""
        yield from self._open.values()

    def find(self, token: str) -> Reservation | None:
        return self._open.get(token)

    def of_owner(self, owner: str) -> Reservation | None:
        return self._open.get(self._token_of.get(owner, ""))

    # --- the life of a reservation ----------------------------------------------------------------

    def reserve(
        self, owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
    ) -> tuple[Reserved, bool]:
        """See `ports.LimitStore.reserve`; and whether something new was taken.

        Raises:
            LimitError: `limit.full`.
        """
        self._lapse(now)
        self._sweep(now, SWEPT_PER_CLAIM * len(claims))
        token = self._token_of.get(owner)
        if token is not None:
            return Reserved(token, self._first_readings(self._open[token], claims, now)), False
        readings = tuple(self._read(claim, now) for claim in claims)
        if any(map(_blocks, readings)):
            return Reserved("", readings), False
        self._check_room(claims, now)
        self._count += 1
        token = f"res_{self._era}_{self._count}"
        shares = tuple(
            Share(
                (reading.claim.limit, reading.claim.key),
                reading.claim.amount or 0,
                reading.claim.window_seconds,
                reading.used,
            )
            for reading in readings
        )
        self.open(Reservation(token, owner, now, shares, lapses_at))
        return Reserved(token, readings), True

    def start(self, token: str, now: int) -> bool:
        """See `ports.LimitStore.start`."""
        self._lapse(now)
        reservation = self._open.get(token)
        if reservation is None or reservation.lapses_at is None:
            return False
        reservation.lapses_at = None
        return True

    def settle(self, token: str, now: int) -> bool:
        """See `ports.LimitStore.settle`; whether it was open."""
        reservation = self._close(token)
        if reservation is None:
            return False
        at = max(now, reservation.at)
        for share in reservation.shares:
            self.count(share.place, share.seconds, at, share.amount)
        return True

    def release(self, token: str) -> bool:
        """See `ports.LimitStore.release`; whether it was open."""
        return self._close(token) is not None

    # --- restoring --------------------------------------------------------------------------------

    def open(self, reservation: Reservation) -> None:
        """Put in a reservation that is held or in flight."""
        self._open[reservation.token] = reservation
        self._token_of[reservation.owner] = reservation.token
        for share in reservation.shares:
            counter = self._counter(share.place, share.seconds)
            counter.open_amount += share.amount
            counter.open_count += 1
        if reservation.lapses_at is not None:
            if len(self._lapses) > 2 * len(self._open) + 64:
                self._lapses = [entry for entry in self._lapses if self._is_lapsing(*entry)]
                heapq.heapify(self._lapses)
            heapq.heappush(self._lapses, (reservation.lapses_at, reservation.token))

    def restore(self, place: Place, counter: Counter) -> None:
        """Put in a counter with all its uses."""
        self._counters[place] = counter
        self._uses += len(counter)

    def end_flights(self, now: int) -> None:
        """Settle what was in flight when another process ended: it may have happened until now."""
        for token in [each.token for each in self._open.values() if each.lapses_at is None]:
            self.settle(token, now)

    def count(self, place: Place, seconds: int, now: int, amount: int) -> None:
        """Put in a use that is settled."""
        counter = self._counter(place, seconds)
        self._uses -= len(counter)
        counter.settle(now, amount)
        self._uses += len(counter)
        bounds = self._bounds
        if len(counter) > bounds.limits_uses_per_counter_max or (
            self._uses > bounds.limits_uses_max and len(counter) > COARSENED_MIN
        ):
            self._uses -= counter.coarsen()

    # --- inside -----------------------------------------------------------------------------------

    def _counter(self, place: Place, seconds: int) -> Counter:
        counter = self._counters.get(place)
        if counter is None:
            counter = self._counters[place] = Counter(seconds)
        # A policy may have changed its window: what was taken under the longer one counts for it.
        counter.seconds = max(counter.seconds, seconds)
        return counter

    def _close(self, token: str) -> Reservation | None:
        reservation = self._open.pop(token, None)
        if reservation is None:
            return None
        del self._token_of[reservation.owner]
        for share in reservation.shares:
            counter = self._counters[share.place]
            counter.open_amount -= share.amount
            counter.open_count -= 1
        return reservation

    def _read(self, claim: LimitClaim, now: int) -> LimitReading:
        counter = self._counters.get((claim.limit, claim.key))
        if counter is None:
            return _reading(claim, 0)
        before = len(counter)
        used = counter.used(now, claim.since)
        self._uses -= before - len(counter)
        return _reading(claim, used)

    def _first_readings(
        self, reservation: Reservation, claims: Sequence[LimitClaim], now: int
    ) -> tuple[LimitReading, ...]:
        """What was read when it was taken. A claim that it lacks (the policies have changed since)
        is read now."""
        used = {share.place: share.used for share in reservation.shares}
        return tuple(
            _reading(claim, used[claim.limit, claim.key])
            if (claim.limit, claim.key) in used
            else self._read(claim, now)
            for claim in claims
        )

    def _check_room(self, claims: Sequence[LimitClaim], now: int) -> None:
        places = {(claim.limit, claim.key) for claim in claims}
        new = sum(place not in self._counters for place in places)
        if len(self._counters) + new > self._bounds.limits_counters_max:
            self._sweep(now, SWEPT_WHEN_FULL)
        if len(self._counters) + new > self._bounds.limits_counters_max:
            raise LimitError("limit.full", "this gateway can keep no more counters of limits")
        if len(self._open) >= self._bounds.limits_open_max:
            raise LimitError("limit.full", "this gateway can keep no more reservations of limits")

    def _is_lapsing(self, lapses_at: int, token: str) -> bool:
        reservation = self._open.get(token)
        return reservation is not None and reservation.lapses_at == lapses_at

    def _lapse(self, now: int) -> None:
        while self._lapses and self._lapses[0][0] <= now:
            lapses_at, token = heapq.heappop(self._lapses)
            if self._is_lapsing(lapses_at, token):
                self.release(token)

    def _sweep(self, now: int, count: int) -> None:
        """Drop counters that are over, a few at a time, in turns."""
        for _ in range(min(count, len(self._counters))):
            place = next(iter(self._counters))
            counter = self._counters[place]
            if counter.is_over(now):
                self._uses -= len(counter)
                del self._counters[place]
            else:
                self._counters.move_to_end(place)


def _reading(claim: LimitClaim, used: int) -> LimitReading:
    return LimitReading(claim, used, claim.exceeds(used))


def _blocks(reading: LimitReading) -> bool:
    claim = reading.claim
    is_enforced = claim.mode is Mode.ENFORCE and claim.effect is Effect.BLOCK
    return reading.is_exceeded and is_enforced
