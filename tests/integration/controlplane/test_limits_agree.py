"""The shared counters and a gateway's own say the same, whatever comes in whatever order."""

from __future__ import annotations

import random

import pytest

from controlplane.store.limits import Claim, Demand, LimitLedger
from gateway.counters.ledger import Ledger
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitClaim
from tests.support.control_plane import Client
from tests.support.database import everybodys
from tests.support.limit_calls import SECOND, DatabaseClock

STEPS = 250
SEEDS = range(4)
HOUR = 3600
FLIGHT_SECONDS = 10**6
"""A gateway knows what it still sends; nothing of that is given up here."""


class Pair:
    """Both are asked the same; their tokens differ, and stand under one number."""

    def __init__(
        self, client: Client, shared: LimitLedger, clock: DatabaseClock, seed: int
    ) -> None:
        self.chance = random.Random(seed)
        self.tenant = client.plane.bootstrapped.tenant_id
        self.shared = shared
        self.own = Ledger()
        self.clock = clock
        self.name = f"agree-{seed}"
        self.tokens: list[tuple[object, str]] = []

    async def reserve(self) -> None:
        """A few counters of one limit each, sliding or of the calendar's hour."""
        chance, now = self.chance, self.clock.now
        claims = []
        for number in chance.sample(range(5), chance.randint(1, 3)):
            since = now - HOUR * SECOND if number % 2 else now - now % (HOUR * SECOND)
            amount = chance.choice([0, 1, 2, 5, 9, None])
            effect = chance.choice([Effect.BLOCK, Effect.BLOCK, Effect.REQUIRE_APPROVAL])
            mode = chance.choice([Mode.ENFORCE, Mode.ENFORCE, Mode.MONITOR])
            claims.append(
                LimitClaim(
                    f"{self.name}/{number}", "k", amount, 20, since, HOUR, effect, mode, "R", "m"
                )
            )
        owner = f"{self.name}-{chance.randrange(12)}"
        lapses_at = chance.choice([None, now + chance.randint(0, 2 * HOUR) * SECOND])
        asked = tuple(
            Claim(
                claim.limit, claim.key, claim.amount, claim.max, claim.since, claim.window_seconds,
                claim.effect is Effect.BLOCK and claim.mode is Mode.ENFORCE,
            )
            for claim in claims
        )  # fmt: skip
        theirs = await self.shared.reserve(Demand(self.tenant, owner, now, lapses_at, asked))
        ours, _ = self.own.reserve(owner, claims, now, lapses_at)
        assert [(one.used, one.is_exceeded) for one in theirs.readings] == [
            (one.used, one.is_exceeded) for one in ours.readings
        ]
        assert (theirs.token is None) == (ours.token == "")
        if theirs.token is not None:
            known = [pair for pair in self.tokens if theirs.token in pair or ours.token in pair]
            assert known in ([], [(theirs.token, ours.token)])
            if not known:
                self.tokens.append((theirs.token, ours.token))

    async def move(self) -> None:
        """Start, settle or release some reservation, also one that is long over."""
        theirs, ours = self.chance.choice(self.tokens)
        match self.chance.choice(["start", "settle", "release"]):
            case "start":
                told = await self.shared.start(self.tenant, theirs)
                assert told == self.own.start(ours, self.clock.now)
            case "settle":
                await self.shared.settle(self.tenant, theirs)
                # The port's clock comes with other calls here: what is over lapses first.
                self.own.start("", self.clock.now)
                self.own.settle(ours, self.clock.now)
            case _:
                await self.shared.release(self.tenant, theirs)
                self.own.release(ours)


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_shared_counters_agree_with_a_gateways_own(
    client: Client,
    clock: DatabaseClock,
    seed: int,
):
    """Hundreds of steps of few owners on few counters, with the time going on in between."""
    ledger = LimitLedger(everybodys(client.plane.database), FLIGHT_SECONDS)
    pair = Pair(client, ledger, clock, seed)
    for _ in range(STEPS):
        step = pair.chance.random()
        if step < 0.5 or not pair.tokens:
            await pair.reserve()
        elif step < 0.85:
            await pair.move()
        elif step < 0.95:
            await clock.advance(pair.chance.randint(1, 900))
        else:
            await ledger.sweep(100, 100)
