"""Hundreds of requests at once under one budget, through the whole pipeline, with a real journal:
never above the maximum, and never a unit lost."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from gateway.counters.local import LocalLimits
from gateway.model.action import Canonical
from gateway.model.effect import Mode
from gateway.model.record import Outcome
from gateway.ports import Sent
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern
from tests.support.limits import claim
from tests.support.policy_world import act, bundle_of, policy_text

REQUESTS = 600
MOST = 100
POLICY = (
    policy_text("- {id: all, priority: 1, effect: ALLOW}")
    + f"  limits:\n    - {{id: budget, per: agent, window: 1d, max: {MOST}}}\n"
)


@pytest.mark.parametrize("seed", range(3))
async def test_a_crowd_spends_exactly_what_there_is(tmp_path: Path, seed: int) -> None:
    """Requests are sent, refused by the provider, cut off, or lose their agent, in any order."""
    world = FakeWorld(Canonical((act(),), "stripe", "stripe"))
    store = LocalLimits.open(tmp_path / "limits", world.clock)
    world.pipeline._reservations._limits = store
    world.swap(bundle_of(POLICY))
    chance = random.Random(seed)
    done = highest = 0

    async def send(*_: object) -> Sent:
        nonlocal done, highest
        fate = chance.random()
        await asyncio.sleep(chance.random() / 50)
        if fate < 0.2:
            return Sent(Outcome.EXECUTED, 402, True)
        if fate < 0.3:
            return Sent(Outcome.NOT_SENT, None, False, code="upstream.refused")
        # Counted as done before it is told, so that two can't overlap unseen.
        done += 1
        highest = max(highest, done)
        return Sent(Outcome.EXECUTED if fate < 0.9 else Outcome.UNKNOWN, 200, True)

    world.upstream.send = send  # type: ignore[method-assign,assignment]

    async def one(number: int) -> None:
        await asyncio.sleep(chance.random() / 10)
        channel = FakeChannel()
        if number % 17 == 0:
            channel.go()
        await govern(world, channel, body=b"%d" % number)

    await asyncio.gather(*(one(number) for number in range(REQUESTS)))
    assert highest <= MOST
    assert not list(store._ledger.reservations)
    now = 1_763_700_000_123_456
    asked = claim(now, 0, 0, key="agent:agent", mode=Mode.MONITOR)
    reader = await store.reserve("reader", [asked], now, None)
    await store.release(reader.token)
    assert reader.readings[0].used == done
    for number in range(REQUESTS, REQUESTS + MOST * 3):
        await govern(world, body=b"%d" % number)
    assert done == MOST
    await store.close()
    again = LocalLimits.open(tmp_path / "limits", world.clock)
    assert (await again.reserve("reader", [asked], now, None)).readings[0].used == MOST
    await again.close()
