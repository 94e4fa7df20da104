"""Held requests under limits: reserved while a person is asked, counted once when it is sent, and
given back when it will not be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.enforce.hold import HoldSettings
from gateway.model.approval import ApprovalEvent
from gateway.model.record import Outcome
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.limited_world import (
    ASK,
    ASKS,
    AT_ONCE,
    KEY,
    Hanging,
    answers,
    ended,
    limited,
    sends,
    used,
)
from tests.support.limits import claim


def approved_and(what: Callable[[FakeWorld], object]) -> Callable[[FakeWorld], object]:
    def happen(world: FakeWorld) -> None:
        answers(ApprovalEvent.APPROVE)(world)
        what(world)

    return happen


HELD: dict[str, tuple[Callable[[FakeWorld], object], int]] = {
    "approved and done": (answers(ApprovalEvent.APPROVE), 1),
    "denied": (answers(ApprovalEvent.REJECT), 0),
    "cancelled": (answers(ApprovalEvent.CANCEL), 0),
    "expired": (answers(ApprovalEvent.EXPIRE), 0),
    "nobody could be asked": (lambda world: world.desk.lost.add("ask"), 0),
    "the answer could not be awaited, and may come": (
        lambda world: world.desk.lost.add("wait"), 1,
    ),
    "approved, and nobody knows whether it is used": (
        approved_and(lambda world: world.desk.lost.add("consume")), 0,
    ),
    "the question could not be recorded": (lambda world: world.records.refuses.add("decision"), 0),
    "approved, and the intent could not be recorded": (
        approved_and(lambda world: world.records.refuses.add("intent")), 0,
    ),
    "approved, and refused by the provider": (
        approved_and(lambda world: sends(world, ended(Outcome.EXECUTED, 402))), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("happens", "counted"), HELD.values(), ids=HELD)
async def test_how_a_held_request_ends(
    happens: Callable[[FakeWorld], object], counted: int
) -> None:
    """What still may be sent keeps its share; what will not be gives it back."""
    world = limited(rules=ASK)
    happens(world)
    await govern(world)
    assert await used(world) == counted


async def test_it_is_reserved_while_it_waits_and_counts_once() -> None:
    """Sent again and again while it waits, approved, sent again: one."""
    world = limited(rules=ASK, hold_settings=AT_ONCE)
    for _ in range(5):
        assert "waiting for a person" in told(await govern(world))
        assert await used(world) == 1
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert (await govern(world)).end == "finished"
    assert await used(world) == 1
    assert "approval apr-2" in told(await govern(world))
    assert await used(world) == 2


async def test_two_wait_for_one_approval() -> None:
    """One is sent, the other is told that it was; one counts."""
    world = limited(rules=ASK)
    tasks = [asyncio.create_task(govern(world)) for _ in range(2)]
    while world.events.count("wait") < 2:
        await asyncio.sleep(0)
    world.desk.answer("apr-1", ApprovalEvent.APPROVE, "ada")
    await asyncio.gather(*tasks)
    assert sorted(world.outcomes) == [("executed", None), ("refused", "APPROVAL_ALREADY_USED")]
    assert await used(world) == 1


async def test_too_many_wait() -> None:
    """Who finds no place keeps no share, and takes none from who has one."""
    settings = HoldSettings(hold_seconds_max=5.0, hold_count_max_per_agent=1)
    world = limited(rules=ASK, hold_settings=settings)
    channel = FakeChannel()
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    assert "too many requests" in told(await govern(world, body=b"other"))
    assert await used(world) == 1
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    await task
    assert await used(world) == 1


async def test_another_of_the_same_action_finds_no_place() -> None:
    """Its share was the other's: the other takes it again, and is sent."""
    settings = HoldSettings(hold_seconds_max=5.0, hold_count_max_per_agent=1)
    world = limited(rules=ASK, hold_settings=settings)
    channel = FakeChannel()
    task = asyncio.create_task(govern(world, channel))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    assert "too many requests" in told(await govern(world))
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    await task
    assert channel.end == "finished"
    assert await used(world) == 1


async def test_a_share_that_lapsed_is_taken_again() -> None:
    """The answer came after the question's time, and is still good."""
    world = limited(rules=ASK)
    task = asyncio.create_task(govern(world))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    world.clock.advance(63_700_000 + 1_801)
    assert await used(world) == 0
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert (await task).end == "finished"
    assert await used(world) == 1


async def test_a_share_that_lapsed_and_went_to_others_is_gone() -> None:
    """The limit is told, and the approval stays unused."""
    world = limited(rules=ASK)
    task = asyncio.create_task(govern(world))
    while "wait" not in world.events:
        await asyncio.sleep(0)
    world.clock.advance(63_700_000 + 1_801)
    now = world.clock.now()
    await world.limits.reserve("others", [claim(now, 3, **KEY)], now, None)  # type: ignore[arg-type]
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert "three a day (3 of 3 used" in told(await task)
    assert world.outcomes == [("refused", "LIMIT_BUDGET")]
    assert world.desk.consumed_by == []


# --- limits that ask ------------------------------------------------------------------------------

BLOCKS = "{id: wall, per: agent, window: 1d, max: 2}"


async def test_beyond_a_limit_a_person_is_asked() -> None:
    """Below it nobody is; above it the limit asks, and what was approved counts once."""
    world = limited(ASKS, BLOCKS, hold_settings=AT_ONCE)
    assert (await govern(world)).end == "finished"
    for _ in range(4):
        assert "waiting for a person" in told(await govern(world, body=b"second"))
        assert await used(world) == 2
    assert world.desk.asks[0].decision.rule == "budget"
    world.desk.answer("apr-1", ApprovalEvent.APPROVE)
    assert (await govern(world, body=b"second")).end == "finished"
    assert (await used(world), await used(world, limit="p/wall")) == (2, 2)
    assert "LIMIT_WALL" in told(await govern(world, body=b"third"))


async def test_equal_requests_below_a_limit_that_asks_are_two() -> None:
    """They share no reservation, also at one moment; what is beyond is asked about once."""
    limit = ASKS.replace("max: 1", "max: 3")
    world = limited(limit, hold_settings=AT_ONCE)
    channels = await asyncio.gather(*(govern(world) for _ in range(6)))
    assert sum(channel.end == "finished" for channel in channels) == 3
    (asked,) = {ask.digest for ask in world.desk.asks}
    digests = [entry.digest for entry in world.decisions]
    assert (digests.count(None), digests.count(asked)) == (3, 3)
    # Those beyond it have joined one on its way, and take their own when they are released.
    assert await used(world) == 3


async def test_an_approval_by_a_limit_is_used_while_another_is_on_its_way() -> None:
    """The first of two equal actions is still being sent when the second is approved."""
    world = limited(ASKS, hold_settings=HoldSettings(hold_seconds_max=5.0))
    answers(ApprovalEvent.APPROVE)(world)
    upstream, send = Hanging(), world.upstream.send
    world.upstream.send = upstream.send  # type: ignore[method-assign]
    first = asyncio.create_task(govern(world))
    await upstream.has_begun.wait()
    world.upstream.send = send  # type: ignore[method-assign]
    assert (await govern(world)).end == "finished"
    assert await used(world) == 2
    first.cancel()
    await asyncio.wait({first})
    assert await used(world) == 2


async def test_a_body_that_streams_is_not_asked_about() -> None:
    """It can't be held, so it is refused, and keeps no share."""
    world = limited(ASKS)
    await govern(world)
    assert "longer than can be inspected" in told(await govern(world, body=None))
    assert await used(world) == 1
