"""One question for all that is held: who watches is woken, and nothing falls in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, cast

import pytest

from gateway.control_client import answers
from gateway.control_client.answers import FEED_FROM, AnswerFeed
from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.settings import ControlSettings
from gateway.model.errors import ControlPlaneError

Said = Mapping[str, Any] | Exception


class Scripted:
    """Says what a test gives it, in turn, and then nothing more. `cursors` are those it was asked
    with."""

    def __init__(self, *said: Said) -> None:
        self.cursors: list[str] = []
        self._said = list(said)
        self._more = asyncio.Event()

    def say(self, said: Said) -> None:
        self._said.append(said)
        self._more.set()

    async def fetch_answered(self, cursor: str, wait_seconds: int) -> Mapping[str, Any]:
        self.cursors.append(cursor)
        while not self._said:
            self._more.clear()
            await self._more.wait()
        said = self._said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def answered(cursor: str, *ids: str) -> Mapping[str, Any]:
    return {"answered": list(ids), "nextCursor": cursor}


def feed_of(client: Scripted) -> AnswerFeed:
    settings = ControlSettings(wait_retry_seconds_max=0.01)
    return AnswerFeed(cast("ControlPlaneClient", client), settings)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0)


async def test_few_ask_nothing() -> None:
    """A long poll each is quicker for them."""
    client = Scripted()
    feed = feed_of(client)
    with ExitStack() as stack:
        for number in range(FEED_FROM - 1):
            stack.enter_context(feed.watch(f"apr-{number}"))
        await asyncio.sleep(0)
        assert not feed.is_live
    assert client.cursors == []


async def test_many_are_woken_by_their_own_answers() -> None:
    """When it begins everybody looks once more; then only those whose approval is named."""
    client = Scripted(answered("1-1"))
    feed = feed_of(client)
    with ExitStack() as stack:
        events = [stack.enter_context(feed.watch(f"apr-{n}")) for n in range(FEED_FROM)]
        twin = stack.enter_context(feed.watch("apr-3"))
        await until(lambda: feed.is_live)
        assert all(event.is_set() for event in [*events, twin])
        for event in [*events, twin]:
            event.clear()
        client.say(answered("1-2", "apr-3", "apr-of-another-gateway"))
        await until(events[3].is_set)
        assert twin.is_set()
        assert [event.is_set() for event in events].count(True) == 1
        await until(lambda: len(client.cursors) == 3)
    assert client.cursors == ["", "1-1", "1-2"]
    await feed.close()


LOST: Mapping[str, Exception] = {
    "gone": ControlPlaneError("control.unreachable", "gone"),
    "too busy": Rejected(503, "UNAVAILABLE"),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
async def test_an_outage_misses_nothing(lost: Exception) -> None:
    """It goes on where it was; meanwhile nobody storms a control plane that is starting."""
    client = Scripted(answered("1-1"), lost, lost, answered("1-5", "apr-0"))
    feed = feed_of(client)
    with ExitStack() as stack:
        events = [stack.enter_context(feed.watch(f"apr-{n}")) for n in range(FEED_FROM)]
        await until(lambda: len(client.cursors) == 5)
        assert feed.is_live
        assert events[0].is_set()
    assert client.cursors == ["", "1-1", "1-1", "1-1", "1-5"]
    await feed.close()


ENDS: Mapping[str, tuple[Said, bool]] = {
    "a control plane that hasn't it": (Rejected(404, "NOT_FOUND"), False),
    "a key that may not": (Rejected(403, "FORBIDDEN"), True),
}


@pytest.mark.parametrize(("said", "is_asked_again"), ENDS.values(), ids=ENDS.keys())
async def test_where_it_is_refused_each_looks_for_itself(said: Said, is_asked_again: bool) -> None:
    """Everybody is woken, nobody waits for what won't come."""
    client = Scripted(answered("1-1"), said)
    feed = feed_of(client)
    with ExitStack() as stack:
        events = [stack.enter_context(feed.watch(f"apr-{n}")) for n in range(FEED_FROM)]
        await until(lambda: feed.is_live)
        for event in events:
            event.clear()
        await until(lambda: not feed.is_live)
        assert all(event.is_set() for event in events)
        stack.enter_context(feed.watch("one-more"))
        await asyncio.sleep(0.01)
        assert (client.cursors == ["", "1-1", ""]) is is_asked_again
    await feed.close()


async def test_what_can_not_be_understood_is_asked_again() -> None:
    """Nobody is woken by it, and the place is kept."""
    nonsense = ({}, {"answered": 1, "nextCursor": "2-1"}, {"answered": [], "nextCursor": 7})
    client = Scripted(answered("1-1"), *nonsense)
    feed = feed_of(client)
    with ExitStack() as stack:
        for number in range(FEED_FROM):
            stack.enter_context(feed.watch(f"apr-{number}"))
        await until(lambda: len(client.cursors) == 5)
    assert set(client.cursors[1:]) == {"1-1"}
    await feed.close()


async def test_it_ends_with_those_who_watch_and_begins_anew() -> None:
    """A cursor of long ago is no place to go on from."""
    client = Scripted(answered("1-1"))
    feed = feed_of(client)
    with ExitStack() as stack:
        for number in range(FEED_FROM):
            stack.enter_context(feed.watch(f"apr-{number}"))
        await until(lambda: len(client.cursors) == 2)
    client.say(answered("1-9"))
    await until(lambda: not feed.is_live)
    client.say(answered("7-1"))
    with ExitStack() as stack:
        for number in range(FEED_FROM):
            stack.enter_context(feed.watch(f"apr-{number}"))
        await until(lambda: len(client.cursors) == 4)
    assert client.cursors[2:] == ["", "7-1"]
    await feed.close()


async def test_it_knows_what_is_open_since_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whoever asked before it had its place it knows nothing, and of the rest who was named:
    also before anybody watched for it."""
    monkeypatch.setattr(answers, "NAMED_MAX", 2)
    now = asyncio.get_running_loop().time
    client = Scripted(answered("1-1"))
    feed = feed_of(client)
    before = now()
    assert not feed.is_open_since("apr-0", now())
    with ExitStack() as stack:
        for number in range(FEED_FROM):
            stack.enter_context(feed.watch(f"apr-{number}"))
        await until(lambda: len(client.cursors) == 2)
        asked_at = now()
        assert not feed.is_open_since("new", before)
        assert feed.is_open_since("new", asked_at)
        client.say(answered("1-2", "new"))
        await until(lambda: len(client.cursors) == 3)
        assert not feed.is_open_since("new", asked_at)
        assert feed.is_open_since("other", asked_at)
        # What it has forgotten, it doesn't vouch for.
        client.say(answered("1-3", "third", "fourth"))
        await until(lambda: len(client.cursors) == 4)
        assert not feed.is_open_since("new", asked_at)
        assert feed.is_open_since("new", now())
    client.say(answered("1-9"))
    await until(lambda: not feed.is_asking)
    assert not feed.is_open_since("new", now())
    await feed.close()
