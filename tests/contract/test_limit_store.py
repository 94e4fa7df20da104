"""What every `LimitStore` promises: this gateway's own, and that of a control plane."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.limits import SharedLimits, SharedLimitSettings
from gateway.control_client.settings import ControlSettings
from gateway.counters.local import LocalLimits
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitClaim, Reserved
from gateway.ports import Clock, LimitStore
from gateway.process.system import SystemClock
from tests.support.control_plane import running_plane
from tests.support.fake_counters import FakeCounters
from tests.support.fakes import FakeClock
from tests.support.limits import SECOND, claim

ASKS = Effect.REQUIRE_APPROVAL


@dataclass
class Subject:
    """A store, `other` of another gateway on the same counters, the clock that they go by, and keys
    of this test alone."""

    store: LimitStore
    other: LimitStore
    clock: Clock
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    def claim(self, amount: int | None = 1, most: int = 3, **of: object) -> LimitClaim:
        of.setdefault("key", f"agent:{self.name}")
        return claim(self.clock.now(), amount, most, **of)  # type: ignore[arg-type]

    async def take(
        self, owner: str, *claims: LimitClaim, held: int | None = None, by: LimitStore | None = None
    ) -> Reserved:
        now = self.clock.now()
        lapses_at = None if held is None else now + held * SECOND
        claims = tuple(
            replace(one, since=now - one.window_seconds * SECOND)
            for one in claims or (self.claim(),)
        )
        return await (by or self.store).reserve(f"{self.name}-{owner}", claims, now, lapses_at)

    async def used(self, **of: object) -> int:
        asked = self.claim(0, 0, mode=Mode.MONITOR, **of)
        taken = await self.take(uuid.uuid4().hex, asked)
        await self.store.release(taken.token)
        return taken.readings[0].used

    async def wait(self, seconds: float) -> None:
        """Let time pass: at once where the clock is ours; a database goes by its own."""
        if isinstance(self.clock, FakeClock):
            self.clock.advance(seconds)
        else:
            await asyncio.sleep(seconds)


@pytest.fixture(params=["in memory", "on disk", "shared, in memory", "control plane"])
def kind(request: pytest.FixtureRequest) -> str | tuple[EmbeddedPostgres, str]:
    """Which store. Not in the loop: the database's server has its own."""
    if request.param != "control plane":
        return str(request.param)
    return request.getfixturevalue("postgres_server"), request.getfixturevalue("database_name")


@pytest.fixture
async def subject(
    kind: str | tuple[EmbeddedPostgres, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Subject]:
    """Each store in turn."""
    if isinstance(kind, str):
        clock = FakeClock()
        if kind == "shared, in memory":
            counters = cast("ControlPlaneClient", FakeCounters(clock))
            stores = [SharedLimits(counters, SharedLimitSettings(), clock) for _ in range(2)]
            yield Subject(*stores, clock)
            return
        directory: Path = tmp_path_factory.mktemp("limits")
        on_disk = kind == "on disk"
        local = LocalLimits.open(directory, clock) if on_disk else LocalLimits(clock)
        yield Subject(local, local, clock)
        await local.close()
        return
    server, name = kind
    home = tmp_path_factory.getbasetemp() / name
    home.mkdir(exist_ok=True)
    async with running_plane(server, name, home) as plane:
        settings = ControlSettings(api_url=plane.url, api_key=plane.keys["gateway"])
        clients = [ControlPlaneClient(settings) for _ in range(2)]
        system = SystemClock()
        stores = [SharedLimits(each, SharedLimitSettings(), system) for each in clients]
        yield Subject(*stores, system)
        for client in clients:
            await client.close()


async def test_up_to_the_maximum_and_not_beyond(subject: Subject) -> None:
    """Whichever gateway asks: readings say what is used, and the fourth takes nothing."""
    for number in range(3):
        by = subject.other if number % 2 else subject.store
        taken = await subject.take(f"o{number}", by=by)
        assert taken.token
        assert (taken.readings[0].used, taken.readings[0].is_exceeded) == (number, False)
    refused = await subject.take("o4", by=subject.other)
    assert refused.token == ""
    assert (refused.readings[0].used, refused.readings[0].is_exceeded) == (3, True)
    assert await subject.used() == 3


async def test_all_claims_or_none(subject: Subject) -> None:
    """Readings come in the order of the claims."""
    claims = [subject.claim(amount, limit=f"p/{name}") for name, amount in (("b", 1), ("a", 4))]
    refused = await subject.take("o", *claims, subject.claim(limit="p/c"))
    assert refused.token == ""
    assert [reading.claim.limit for reading in refused.readings] == ["p/b", "p/a", "p/c"]
    assert [reading.is_exceeded for reading in refused.readings] == [False, True, False]
    assert await subject.used(limit="p/b") == 0


TAKES_ALL_THE_SAME = {
    "a limit that asks": (ASKS, Mode.ENFORCE, 4, 4),
    "a limit that watches": (Effect.BLOCK, Mode.MONITOR, 4, 4),
    "an amount that can't be read": (ASKS, Mode.ENFORCE, None, 0),
}


@pytest.mark.parametrize("what", TAKES_ALL_THE_SAME)
async def test_what_takes_though_it_exceeds(subject: Subject, what: str) -> None:
    """Exceeded, said so, and taken."""
    effect, mode, amount, counted = TAKES_ALL_THE_SAME[what]
    taken = await subject.take("o", subject.claim(amount, effect=effect, mode=mode))
    assert taken.token
    assert taken.readings[0].is_exceeded
    assert await subject.used() == counted


async def test_an_amount_that_can_not_be_read_takes_nothing_where_it_blocks(
    subject: Subject,
) -> None:
    """Whatever is left."""
    taken = await subject.take("o", subject.claim(None, 10**9))
    assert (taken.token, taken.readings[0].is_exceeded) == ("", True)


async def test_an_owner_takes_once_while_it_is_open(subject: Subject) -> None:
    """Held or in flight, by whichever gateway, with the first readings; then anew."""
    first = await subject.take("o", held=600)
    assert await subject.used() == 1
    again = await subject.take("o", held=600, by=subject.other)
    assert (again.token, again.readings[0].used) == (first.token, 0)
    assert await subject.other.start(first.token)
    assert not await subject.store.start(first.token)
    assert (await subject.take("o", held=600)).token == first.token
    await subject.other.settle(first.token)
    anew = await subject.take("o", held=600)
    assert anew.token != first.token
    assert anew.readings[0].used == 1


async def test_what_is_given_back_is_free(subject: Subject) -> None:
    """Held or in flight, once, at once."""
    tokens = [(await subject.take("a", held=600)).token, (await subject.take("b")).token]
    for token in (*tokens, *tokens):
        await subject.store.release(token)
    assert await subject.used() == 0
    assert not await subject.store.start(tokens[0])


async def test_what_is_settled_stays(subject: Subject) -> None:
    """Nothing takes it back."""
    token = (await subject.take("o")).token
    await subject.store.settle(token)
    await subject.store.settle(token)
    await subject.store.release(token)
    assert not await subject.store.start(token)
    assert await subject.used() == 1


async def test_what_is_held_lapses_by_itself(subject: Subject) -> None:
    """Nothing was sent, and nobody came back."""
    taken = await subject.take("o", held=1)
    assert await subject.used() == 1
    async with asyncio.timeout(20):
        while await subject.used():
            await subject.wait(0.1)
    assert not await subject.store.start(taken.token)


async def test_what_is_sent_never_lapses(subject: Subject) -> None:
    """Started in time, it counts beyond the time for which it was held."""
    taken = await subject.take("o", held=1)
    assert await subject.store.start(taken.token)
    await subject.wait(1.2)
    assert await subject.used() == 1


async def test_what_waits_longer_than_its_window_counts_when_it_is_sent(subject: Subject) -> None:
    """All the time while it waits, and for a whole window from when it may have happened."""
    short = {"seconds": 1}
    taken = await subject.take("o", subject.claim(3, **short), held=600)
    await subject.wait(1.2)
    assert (await subject.take("p", subject.claim(1, **short))).token == ""
    assert await subject.store.start(taken.token)
    await subject.wait(1.2)
    assert (await subject.take("p", subject.claim(1, **short))).token == ""
    await subject.store.settle(taken.token)
    assert (await subject.take("p", subject.claim(1, **short))).token == ""


async def test_a_window_slides(subject: Subject) -> None:
    """What lies before its beginning does not count any more."""
    short = {"seconds": 1}
    taken = await subject.take("o", subject.claim(3, **short))
    await subject.store.settle(taken.token)
    assert (await subject.take("p", subject.claim(1, **short))).token == ""
    async with asyncio.timeout(20):
        while not (await subject.take("p", subject.claim(1, **short))).token:
            await subject.wait(0.1)


async def test_counters_are_told_apart(subject: Subject) -> None:
    """By limit and by key."""
    await subject.take("o", subject.claim(3))
    assert await subject.used() == 3
    assert await subject.used(limit="p/other") == 0
    assert await subject.used(key=f"agent:{subject.name}-other") == 0


async def test_unknown_tokens_do_nothing(subject: Subject) -> None:
    """They may be of a store that was there before."""
    await subject.take("o")
    for token in ("res_1_1", str(uuid.uuid4())):
        assert not await subject.store.start(token)
        await subject.store.settle(token)
        await subject.store.release(token)
    assert await subject.used() == 1


async def test_many_race_for_what_is_left(subject: Subject) -> None:
    """Through two gateways, some giving back: never above the maximum, and not one unit lost."""

    async def one(number: int) -> int:
        by = subject.other if number % 2 else subject.store
        taken = await subject.take(f"o{number}", subject.claim(1, 20), by=by)
        if not taken.token:
            return 0
        if number % 3 == 0:
            await by.release(taken.token)
            return 0
        await by.settle(taken.token)
        return 1

    counted = sum(await asyncio.gather(*(one(number) for number in range(100))))
    assert await subject.used() == counted <= 20
    for number in range(20 - counted):
        assert (await subject.take(f"x{number}", subject.claim(1, 20))).token
    assert not (await subject.take("y", subject.claim(1, 20))).token
