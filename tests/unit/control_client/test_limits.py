"""The shared counters seen from a gateway: lost questions, lost answers, and a way to go on."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.limits import (
    LimitsFallback,
    SharedLimits,
    SharedLimitSettings,
    demand_json,
    parse_reserved,
    shown_key,
)
from gateway.counters.local import LocalLimits
from gateway.model.effect import Effect, Mode
from gateway.model.errors import LimitError
from gateway.model.limit import Reserved
from tests.support.fake_counters import FakeCounters
from tests.support.fakes import FakeClock
from tests.support.limits import SECOND, claim

IMPATIENT = SharedLimitSettings(limits_seconds_max=0.0, limits_gone_seconds=0.01)


class World:
    """A gateway's shared counters, with everything around them."""

    def __init__(self, settings: SharedLimitSettings = IMPATIENT) -> None:
        self.clock = FakeClock()
        self.counters = FakeCounters(self.clock)
        self.local = LocalLimits(self.clock)
        falls_back = settings.limits_fallback is LimitsFallback.LOCAL
        self.store = SharedLimits(
            cast("ControlPlaneClient", self.counters),
            settings,
            self.clock,
            self.local if falls_back else None,
        )

    async def take(self, owner: str, held: int | None = None, most: int = 3) -> Reserved:
        now = self.clock.now()
        lapses_at = None if held is None else now + held * SECOND
        return await self.store.reserve(owner, [claim(now, 1, most)], now, lapses_at)

    def used(self) -> int:
        now = self.clock.now()
        asked = claim(now, 0, 0, mode=Mode.MONITOR)
        reserved, _ = self.counters.ledger.reserve("reader", [asked], now, None)
        self.counters.ledger.release(reserved.token)
        return reserved.readings[0].used

    async def told(self) -> None:
        """Until nothing waits to be told."""
        async with asyncio.timeout(10):
            while self.store._untold:
                await asyncio.sleep(0)


async def test_a_lost_question_blocks() -> None:
    """Out of reach means refused, and nothing is taken."""
    world = World()
    world.counters.is_gone = True
    with pytest.raises(LimitError, match="can't be reached"):
        await world.take("a")
    assert world.store.fault == "the shared counters of limits can't be reached"
    assert world.counters.calls == []


async def test_a_lost_answer_is_undone() -> None:
    """It was taken and nobody heard: nothing was sent, so it is given back when that can be."""
    world = World()
    world.counters.lost = ["answer"]
    with pytest.raises(LimitError):
        await world.take("a")
    await world.told()
    assert [name for name, _ in world.counters.calls] == ["reserve", "reserve", "release"]
    assert world.used() == 0


async def test_a_lost_answer_of_a_held_one_lapses() -> None:
    """The same action sent again joins it."""
    world = World()
    world.counters.lost = ["answer"]
    with pytest.raises(LimitError):
        await world.take("a", held=60)
    world.clock.advance(1)
    assert (await world.take("a", held=60)).token
    assert world.used() == 1


async def test_a_question_is_asked_again_while_there_is_time() -> None:
    """It is safe: an owner takes once."""
    world = World(SharedLimitSettings(limits_seconds_max=60.0))
    world.counters.lost = ["asked", "answer"]
    assert (await world.take("a")).token
    assert world.used() == 1
    assert world.counters.calls == [("reserve", "a"), ("reserve", "a")]


async def test_nobody_waits_for_who_is_known_to_be_gone() -> None:
    """After one question without an answer the next are refused at once, for a while."""
    world = World()
    world.counters.lost = ["asked"]
    with pytest.raises(LimitError):
        await world.take("a", held=60)
    with pytest.raises(LimitError):
        await world.take("b")
    assert world.counters.calls == []
    assert not world.store._untold
    world.clock.advance(1)
    assert (await world.take("b")).token


async def test_a_refusal_is_no_outage() -> None:
    """A control plane that says no is there: no fallback, no retry."""
    world = World(SharedLimitSettings(limits_fallback=LimitsFallback.LOCAL))
    world.counters.lost = ["no"]
    with pytest.raises(LimitError):
        await world.take("a")
    assert not world.counters.lost
    assert not world.store._untold


async def test_the_fallback_counts_here() -> None:
    """Exactly, for this gateway, until the others can be asked again."""
    world = World(SharedLimitSettings(limits_seconds_max=0.0, limits_fallback=LimitsFallback.LOCAL))
    world.counters.is_gone = True
    tokens = [(await world.take(owner)).token for owner in "abc"]
    assert all(token.startswith("local:") for token in tokens)
    assert (await world.take("d")).token == ""
    await world.store.release(tokens[0])
    await world.store.settle(tokens[1])
    held = (await world.take("e", held=60)).token
    assert await world.store.start(held)
    assert (await world.take("f")).token == ""
    world.counters.is_gone = False
    world.clock.advance(2)
    assert not (await world.take("g")).token.startswith("local:")


STARTS = {
    "the question was lost": (["asked"], True),
    "the answer was lost": (["answer"], None),
    "nothing was lost": ([], True),
}


@pytest.mark.parametrize(("lost", "starts"), STARTS.values(), ids=STARTS)
async def test_starting_over_a_bad_line(lost: list[str], starts: bool | None) -> None:
    """Whether this call started it or another did must be known: else nothing is sent."""
    world = World(SharedLimitSettings(limits_seconds_max=60.0))
    token = (await world.take("a", held=60)).token
    world.counters.lost = lost
    if starts is None:
        with pytest.raises(LimitError, match="did not say what they did"):
            await world.store.start(token)
    else:
        assert await world.store.start(token) is starts
        assert not await world.store.start(token)
    assert world.used() == 1


async def test_what_can_not_be_told_is_told_later() -> None:
    """In the background, as soon as somebody listens."""
    world = World()
    tokens = [(await world.take(owner)).token for owner in "abc"]
    world.counters.is_gone = True
    await world.store.release(tokens[0])
    await world.store.settle(tokens[1])
    await world.store.release(tokens[2])
    assert world.used() == 3
    world.clock.advance(1)
    assert world.store.fault == "3 reservations wait to be told"
    world.counters.is_gone = False
    await world.told()
    assert world.store.fault is None
    assert world.used() == 1
    assert not list(world.counters.ledger.reservations)


async def test_what_is_never_told_counts() -> None:
    """The queue has an end, and so has patience."""
    world = World(
        SharedLimitSettings(limits_seconds_max=0.0, limits_gone_seconds=0.001, limits_untold_max=2)
    )
    tokens = [(await world.take(owner)).token for owner in "abc"]
    world.counters.is_gone = True
    for token in tokens:
        await world.store.release(token)
    assert len(world.store._untold) == 2
    world.clock.advance(1_000)
    await world.told()
    world.counters.is_gone = False
    assert world.used() == 3


async def test_telling_who_says_no_is_given_up() -> None:
    """It can't be helped."""
    world = World()
    token = (await world.take("a")).token
    world.counters.lost = ["no"]
    await world.store.settle(token)
    assert not world.store._untold


async def test_a_request_that_is_cut_off_is_heard_all_the_same() -> None:
    """The answer comes when nobody is there any more: what it took is given back."""
    world = World()
    asked, goes_on = asyncio.Event(), asyncio.Event()
    reserve = world.counters.reserve_limits

    async def slowly(demand: object) -> object:
        asked.set()
        await goes_on.wait()
        return await reserve(demand)  # type: ignore[arg-type]

    world.counters.reserve_limits = slowly  # type: ignore[method-assign,assignment]
    store = SharedLimits(
        cast("ControlPlaneClient", world.counters),
        SharedLimitSettings(limits_seconds_max=30.0),
        world.clock,
    )
    now = world.clock.now()
    task = asyncio.create_task(store.reserve("a", [claim(now)], now, None))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    goes_on.set()
    async with asyncio.timeout(10):
        while ("release", "res_shared_1") not in world.counters.calls:
            await asyncio.sleep(0)
    assert world.used() == 0


async def test_closing_tells_what_is_left() -> None:
    """As far as there is time."""
    world = World()
    token = (await world.take("a")).token
    world.counters.lost = ["asked"]
    await world.store.release(token)
    await world.store.close(5.0)
    assert world.used() == 0
    world = World()
    token = (await world.take("a")).token
    world.counters.is_gone = True
    await world.store.release(token)
    await world.store.close(0.01)
    assert world.used() == 1


NOW = FakeClock().now()
GOOD = {"limit": "p/budget", "key": "agent:a", "used": 0, "isExceeded": False}
ANSWERS = {
    "nothing": {},
    "no readings": {"token": "t"},
    "readings that are none": {"token": "t", "readings": [7]},
    "a token that is none": {"token": 7, "readings": [GOOD]},
    "a token that is long": {"token": "t" * 65, "readings": [GOOD]},
    "a use below zero": {"token": "t", "readings": [GOOD | {"used": -1}]},
    "a use that is a truth": {"token": "t", "readings": [GOOD | {"used": True}]},
    "a truth that is none": {"token": "t", "readings": [GOOD | {"isExceeded": 0}]},
    "nothing taken, for no reason": {"token": "", "readings": [GOOD]},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_makes_no_sense_is_none(answer: dict[str, object]) -> None:
    """Then nobody knows what is left."""
    with pytest.raises(LimitError):
        parse_reserved(answer, [claim(NOW)])


def test_who_says_less_than_it_counts_is_not_believed() -> None:
    """Whether a limit is exceeded is reckoned here too; the stricter holds."""
    reading = GOOD | {"used": 3}
    (one,) = parse_reserved({"token": "t", "readings": [reading]}, [claim(NOW)]).readings
    assert one.is_exceeded
    reading = GOOD | {"isExceeded": True}
    (one,) = parse_reserved({"token": "t", "readings": [reading]}, [claim(NOW)]).readings
    assert one.is_exceeded


def test_a_limit_that_came_later_is_not_read() -> None:
    """A reservation that is joined was made before it."""
    claims = [claim(NOW), claim(NOW, limit="p/new")]
    reserved = parse_reserved({"token": "t", "readings": [GOOD]}, claims)
    assert [reading.used for reading in reserved.readings] == [0, 0]


def test_what_is_asked() -> None:
    """Everything that the counters need, and no secret."""
    ask = claim(NOW, None, effect=Effect.REQUIRE_APPROVAL)
    body = demand_json("o", [ask], NOW, NOW + 1)
    assert body == {
        "owner": "o",
        "now": NOW,
        "lapsesAt": NOW + 1,
        "claims": [
            {
                "limit": "p/budget",
                "key": "agent:a",
                "amount": None,
                "max": 3,
                "since": NOW - 86_400 * SECOND,
                "windowSeconds": 86_400,
                "effect": "REQUIRE_APPROVAL",
                "mode": "enforce",
            }
        ],
    }
    secret = "target:stripe+key+sk_live_51H8abcdefghijklmnopqrstuv"
    assert "sk_live" not in shown_key(secret)
    assert shown_key(secret) == shown_key(secret) != shown_key(secret + "w")
