"""Shared counters: exact whoever asks, by the database's clock, and nobody else's business."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.limits import LimitLedger
from tests.support.control_plane import Client, running_plane
from tests.support.database import connect_as
from tests.support.limit_calls import (
    DAY,
    NOW,
    SECOND,
    DatabaseClock,
    claim,
    demand,
    demand_at,
    move,
    read,
    reserve,
    rows_of,
)

HELD = {"lapsesAt": NOW + 60 * SECOND}


async def test_what_is_taken_is_read_by_the_next(client: Client, clock: DatabaseClock, key: str):
    """A reading is what the counter held before its claim."""
    first = await reserve(client, demand(claim(key, amount=4)))
    assert first.status == 200
    assert uuid.UUID(first.body["token"])
    assert first.body["readings"] == [
        {"limit": "payments/refunds", "key": key, "used": 0, "isExceeded": False}
    ]
    second = (await reserve(client, demand(claim(key, amount=6)))).body
    assert (second["readings"][0]["used"], second["readings"][0]["isExceeded"]) == (4, False)
    third = (await reserve(client, demand(claim(key, amount=1)))).body
    assert (third["token"], third["readings"][0]["used"]) == ("", 10)
    assert third["readings"][0]["isExceeded"] is True


EXCEEDED = {
    "a limit that blocks takes nothing": ({}, False),
    "a limit that asks a person takes, above its maximum too": (
        {"effect": "REQUIRE_APPROVAL"},
        True,
    ),
    "a limit that is only watched takes": ({"mode": "monitor"}, True),
    "an amount that could not be read blocks": ({"amount": None, "max": 100}, False),
    "an amount that could not be read is counted as nothing where it is only watched": (
        {"amount": None, "max": 100, "mode": "monitor"},
        True,
    ),
}


@pytest.mark.parametrize("case", EXCEEDED)
async def test_what_an_exceeded_limit_takes(
    client: Client, clock: DatabaseClock, key: str, case: str
):
    """By its effect and mode; the reading always says that it is exceeded."""
    changes, is_taken = EXCEEDED[case]
    await reserve(client, demand(claim(key, amount=10)))
    told = (await reserve(client, demand(claim(key, **changes)))).body
    assert (told["token"] != "", told["readings"][0]["isExceeded"]) == (is_taken, True)
    counted = claim(key, **changes)["amount"] or 0
    assert await read(client, key) == 10 + (counted if is_taken else 0)


async def test_all_is_taken_or_nothing(client: Client, clock: DatabaseClock, key: str):
    """One exceeded claim leaves every other counter as it was; all are read."""
    full, free = key + "-full", key + "-free"
    await reserve(client, demand(claim(full, amount=10)))
    told = (await reserve(client, demand(claim(free, amount=2), claim(full)))).body
    assert told["token"] == ""
    assert [reading["isExceeded"] for reading in told["readings"]] == [False, True]
    assert await read(client, free) == 0


OPEN = {"in flight": {}, "held": HELD}


@pytest.mark.parametrize("case", OPEN)
async def test_an_owner_has_one_reservation_at_a_time(
    client: Client, clock: DatabaseClock, key: str, case: str
):
    """The same token and the first readings, whatever was taken since; what it did not claim at
    first is only read. Then a new one."""
    await reserve(client, demand(claim(key, amount=3)))
    body = demand(claim(key, amount=2), owner=f"own-{key}", **OPEN[case])
    first = (await reserve(client, body)).body
    await reserve(client, demand(claim(key, amount=1)))
    assert (await reserve(client, body)).body == first
    await reserve(client, demand(claim(key + "-other", amount=9)))
    changed = {**body, "claims": [claim(key + "-other", amount=2), claim(key, amount=7)]}
    told = (await reserve(client, changed)).body
    assert told["token"] == first["token"]
    assert [(one["used"], one["isExceeded"]) for one in told["readings"]] == [(9, True), (3, False)]
    assert [await read(client, one) for one in (key, key + "-other")] == [6, 9]
    await move(client, first["token"], "release")
    again = (await reserve(client, body)).body
    assert again["token"] != first["token"]
    assert again["readings"][0]["used"] == 4


async def test_a_settled_one_counts_and_can_not_be_given_back(
    client: Client, clock: DatabaseClock, key: str
):
    """Repeated and late calls do nothing; its owner may take again."""
    body = demand(claim(key, amount=2))
    token = (await reserve(client, body)).body["token"]
    for what in ("settle", "settle", "release", "start"):
        assert (await move(client, token, what)).status == 200
    assert await read(client, key) == 2
    assert (await reserve(client, body)).body["token"] != token
    assert await read(client, key) == 4


async def test_a_released_one_counts_no_more(client: Client, clock: DatabaseClock, key: str):
    """Once: a second release gives nothing back a second time."""
    await reserve(client, demand(claim(key, amount=3)))
    token = (await reserve(client, demand(claim(key, amount=2)))).body["token"]
    for _ in range(2):
        assert (await move(client, token, "release")).body == {}
    assert await read(client, key) == 3
    assert (await move(client, token, "start")).body == {"started": False}


async def test_a_held_one_lapses(client: Client, clock: DatabaseClock, key: str):
    """At its time to the microsecond, and then it can't be started any more."""
    body = demand(claim(key, amount=10), **HELD)
    token = (await reserve(client, body)).body["token"]
    await clock.set(NOW + 60 * SECOND - 1)
    assert await read(client, key) == 10
    await clock.set(NOW + 60 * SECOND)
    assert await read(client, key) == 0
    assert (await move(client, token, "start")).body == {"started": False}
    fresh = (await reserve(client, demand(claim(key, amount=10)))).body
    assert fresh["token"] != ""
    assert await read(client, key) == 10
    for what in ("settle", "release"):
        await move(client, token, what)
    assert await read(client, key) == 10


async def test_what_is_open_counts_in_every_window(client: Client, clock: DatabaseClock, key: str):
    """A minute's budget, and an act that takes an hour: it may happen at any moment of it. From
    when it is settled, a minute more."""
    minute = {"since": NOW - 60 * SECOND, "windowSeconds": 60}
    held = demand(claim(key, amount=4, **minute), lapsesAt=NOW + DAY)
    tokens = [
        (await reserve(client, body)).body["token"]
        for body in (held, demand(claim(key, amount=3, **minute)))
    ]

    async def used() -> int:
        body = demand_at(clock.now, claim(key, amount=None, **minute))
        return (await reserve(client, body)).body["readings"][0]["used"]

    await clock.advance(3500)
    assert await used() == 7
    assert (await move(client, tokens[0], "start")).body == {"started": True}
    for token in tokens:
        await move(client, token, "settle")
    await clock.advance(59.999999)
    assert await used() == 7
    await clock.advance(0.000001)
    assert await used() == 0


async def test_a_started_one_does_not_lapse(client: Client, clock: DatabaseClock, key: str):
    """It counts until somebody says that nothing was sent, and is started once."""
    token = (await reserve(client, demand(claim(key, amount=5), **HELD))).body["token"]
    assert (await move(client, token, "start")).body == {"started": True}
    assert (await move(client, token, "start")).body == {"started": False}
    await clock.advance(3000)
    assert await read(client, key) == 5
    await move(client, token, "release")
    assert await read(client, key) == 0


async def test_a_held_one_can_be_settled_and_released(
    client: Client, clock: DatabaseClock, key: str
):
    """Without a start in between, as the port allows it."""
    held = [
        (await reserve(client, demand(claim(key, amount=2), **HELD))).body["token"]
        for _ in range(2)
    ]
    await move(client, held[0], "settle")
    await move(client, held[1], "release")
    await clock.advance(61)
    assert await read(client, key) == 2


async def test_a_lapsed_owner_takes_anew(client: Client, clock: DatabaseClock, key: str):
    """Also from counters that the lapsed reservation did not touch."""
    body = demand(claim(key, amount=4), claim(key + "-b"), **HELD)
    first = (await reserve(client, body)).body["token"]
    await clock.advance(61)
    changed = demand_at(clock.now, claim(key, amount=1), claim(key + "-c"), owner=body["owner"])
    second = (await reserve(client, changed)).body
    assert second["token"] not in {"", first}
    assert [await read(client, key + end) for end in ("", "-b", "-c")] == [1, 0, 1]


async def test_one_in_flight_that_nobody_ends_is_settled_after_an_hour(
    client: Client, clock: DatabaseClock, key: str, ledger: LimitLedger
):
    """Its gateway is gone: what it took stays, and its owner isn't shut out for ever."""
    body = demand(claim(key, amount=2))
    token = (await reserve(client, body)).body["token"]
    await clock.advance(3599)
    await ledger.sweep(100, 100)
    assert (await reserve(client, body)).body["token"] == token
    await clock.advance(1)
    await ledger.sweep(100, 100)
    assert (await reserve(client, body)).body["token"] != token
    await move(client, token, "release")
    assert await read(client, key) == 4


async def test_a_sliding_window_slides(client: Client, clock: DatabaseClock, key: str):
    """What it has left behind counts no more, to the microsecond."""
    for _ in range(5):
        token = (await reserve(client, demand_at(clock.now, claim(key, amount=2)))).body["token"]
        await move(client, token, "settle")
        await clock.advance(3600)
    begun = [NOW + hour * 3600 * SECOND for hour in range(5)]
    for number, at in enumerate(begun):
        for moment, used in ((at + DAY - 1, 10 - 2 * number), (at + DAY, 8 - 2 * number)):
            await clock.set(moment)
            told = await reserve(client, demand_at(moment, claim(key, amount=None)))
            assert told.body["readings"][0]["used"] == used, (number, moment)


WRONG_CLOCKS = {
    "two days ahead": 2 * DAY,
    "a minute ahead": 60 * SECOND,
    "right": 0,
    "a minute behind": -60 * SECOND,
    "two days behind": -2 * DAY,
}


@pytest.mark.parametrize("case", WRONG_CLOCKS)
async def test_a_wrong_clock_lets_nothing_more_through(
    client: Client, clock: DatabaseClock, key: str, case: str
):
    """What counts by the database's clock counts for a gateway whose clock is wrong, and what that
    gateway takes counts for all others: in a sliding window and in a calendar's."""
    wrong = NOW + WRONG_CLOCKS[case]
    midnight = NOW - NOW % DAY
    await clock.set(midnight + SECOND)
    old = demand_at(midnight + SECOND, claim(key, amount=9))
    await move(client, (await reserve(client, old)).body["token"], "settle")
    await clock.set(NOW)
    for since in (wrong - DAY + 1, wrong - wrong % DAY):
        body = demand(claim(key, amount=2, since=since), now=wrong)
        assert (await reserve(client, body)).body["token"] == "", since
    taken = await reserve(client, demand(claim(key, since=wrong - wrong % DAY), now=wrong))
    await move(client, taken.body["token"], "settle")
    for since in (NOW - DAY + 1, midnight):
        assert await read(client, key, since=since) == 10


async def test_a_hold_lasts_as_long_as_the_gateway_means(
    client: Client, clock: DatabaseClock, key: str
):
    """Its own clock is wrong by an hour; a minute is a minute."""
    wrong = NOW + 3600 * SECOND
    await reserve(client, demand_at(wrong, claim(key), lapsesAt=wrong + 60 * SECOND))
    await clock.advance(59)
    assert await read(client, key) == 1
    await clock.advance(1)
    assert await read(client, key) == 0


async def test_of_hundreds_of_racers_for_the_last_unit_one_wins(
    client: Client,
    clock: DatabaseClock,
    key: str,
    postgres_server: EmbeddedPostgres,
    database_name: str,
    data_dir: Path,
):
    """Two replicas, 300 gateways' calls at once, each claiming several counters in another order;
    no deadlock, no fault, and the counters say so."""
    shared = [f"{key}-{number}" for number in range(3)]
    await reserve(client, demand(*(claim(one, amount=9) for one in shared)))
    async with running_plane(postgres_server, database_name, data_dir) as second:

        async def race(number: int) -> str:
            turn = shared[number % 3 :] + shared[: number % 3]
            one = (client, second)[number % 2]
            told = await reserve(one, demand(*(claim(name) for name in turn)))
            assert told.status == 200, told
            return told.body["token"]

        tokens = [token for token in await asyncio.gather(*map(race, range(300))) if token]
    assert len(tokens) == 1
    assert [await read(client, one) for one in shared] == [10, 10, 10]


async def test_of_many_equal_owners_at_once_all_get_one_reservation(
    client: Client, clock: DatabaseClock, key: str
):
    """The same request sent again and again takes once."""
    body = demand(claim(key, amount=3), **HELD)
    told = await asyncio.gather(*(reserve(client, body) for _ in range(40)))
    assert len({one.body["token"] for one in told}) == 1
    assert await read(client, key) == 3


async def test_everything_at_once_leaves_what_was_settled(
    client: Client,
    clock: DatabaseClock,
    key: str,
    ledger: LimitLedger,
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """Reserve, start, settle, release and sweep in a crowd: the total is that of the settled ones,
    and the kept total is the sum of the rows."""
    amounts = {"settle": 0, "release": 0}

    async def live(number: int) -> None:
        more = HELD if number % 3 == 0 else {}
        keys = (key, f"{key}-{number % 4}")
        body = demand(*(claim(one, amount=number, max=10**6) for one in keys), **more)
        token = (await reserve(client, body)).body["token"]
        if more:
            assert (await move(client, token, "start")).body == {"started": True}
        end = ("settle", "release")[number % 2]
        amounts[end] += number
        await move(client, token, end)
        if number % 10 == 0:
            await ledger.sweep(100, 100)

    await asyncio.gather(*(live(number) for number in range(120)))
    assert await read(client, key) == amounts["settle"]
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        wrong = await connection.fetch(
            "select * from limit_counters c where counted <> (select sum(amount) from limit_uses u "
            "where u.counter_id = c.counter_id and u.at > c.counted_since)"
        )
    finally:
        await connection.close()
    assert wrong == []


async def test_the_sweeper_leaves_nothing_of_what_is_over(
    client: Client,
    clock: DatabaseClock,
    key: str,
    ledger: LimitLedger,
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """Not a row of uses, reservations and counters; what still counts stays."""
    for number in range(20):
        told = await reserve(
            client, demand(claim(f"{key}-{number}"), **(HELD if number % 2 else {}))
        )
        if number % 4 == 0:
            await move(client, told.body["token"], "settle")
    # The fourth part that is in flight is settled by the sweeper.
    await clock.advance(3600)
    await ledger.sweep(100, 100)
    assert await rows_of(postgres_server, database_name, key) == (10, 10, 0)
    await clock.advance(86_400 + 3599)
    late = demand_at(clock.now, claim(key, amount=7))
    await reserve(client, late)
    await clock.advance(2)
    while await ledger.sweep(7, 7):
        pass
    assert await rows_of(postgres_server, database_name, key) == (1, 1, 1)
    told = await reserve(client, demand_at(clock.now, claim(key, amount=None)))
    assert told.body["readings"][0]["used"] == 7
