"""Wakes those who wait for a change, in this process and in the other replicas.

A message says only *that* something changed: its receiver reads it anew. So a lost message costs
a delay (waiters also re-read every `REREAD_SECONDS`), a repeated one nothing, and no channel can
let anything through. Channels: `store/postgres_channel` and `redis_channel`; one contract suite
holds both.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Protocol

from gateway.model.errors import CheckreinError
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

REREAD_SECONDS = 3.0
"""How late a waiter may be at most when its wake-up was lost."""

RECONNECT_SECONDS = 0.5

START_SECONDS_MAX = 2.0
"""How long a start waits for the channel before it goes on without."""

ANY_KEY = "*"
"""Subscribed to, it hears every key of a topic; no thing has it as its own."""


class Topic(StrEnum):
    """APPROVAL: one approval changed (its id). RECORDS: a tenant got new records (tenant id).
    AGENTS: a tenant's directory changed (tenant id). STOPS: a tenant's stops changed (tenant id).
    BUNDLES: a tenant has a new bundle (tenant id). KEYS: a key ended or has another secret (its
    id). EVENTS: something that is followed changed
    (tenant id); who changes such a thing publishes this too."""

    APPROVAL = "approval"
    RECORDS = "records"
    AGENTS = "agents"
    STOPS = "stops"
    BUNDLES = "bundles"
    KEYS = "keys"
    EVENTS = "events"


class Subscription:
    """A place to wait. Messages from its opening on count, so: subscribe, read, then wait."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, seconds_max: float) -> bool:
        """Return True as soon as there was a message since the last wait, False after the time."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Bus(Protocol):
    async def publish(self, topic: Topic, key: str) -> None:
        """Wake the waiters of `topic` and `key` everywhere. Never raises."""
        ...

    def subscribe(self, topic: Topic, key: str) -> AbstractContextManager[Subscription]: ...


class Channel(Protocol):
    """What carries messages between replicas. Faults of the other side are `CheckreinError`s."""

    async def send(self, message: str) -> None: ...

    async def listen(self, ready: Callable[[], None], receive: Callable[[str], None]) -> None:
        """Call `ready` once messages arrive from now on, then `receive` for each; return or raise
        when the connection is lost."""
        ...

    async def close(self) -> None: ...


class ChannelBus:
    """The bus over a channel. `note_fault` is called for every message that could not be sent and
    every connection that was lost."""

    def __init__(self, channel: Channel, note_fault: Callable[[], None] = lambda: None) -> None:
        self._channel = channel
        self._note_fault = note_fault
        self._waiting: defaultdict[tuple[str, str], set[Subscription]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self._is_lost = False

    @property
    def waiting_count(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    async def start(self) -> None:
        """Begin to listen. Does not fail when the other side is away: it tries on."""
        self._listener = asyncio.create_task(self._listen(), name="bus-listen")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS_MAX):
                await self._listening.wait()

    async def close(self) -> None:
        """Wake everybody and let go."""
        self.wake_all()
        if self._listener is not None:
            await end_tasks([self._listener])
            self._listener = None
        await self._channel.close()

    async def publish(self, topic: Topic, key: str) -> None:
        self._wake(topic.value, key)
        try:
            await self._channel.send(f"{topic.value}:{key}")
        except CheckreinError:
            self._note_fault()

    @contextmanager
    def subscribe(self, topic: Topic, key: str) -> Iterator[Subscription]:
        subscription = Subscription()
        place = (topic.value, key)
        self._waiting[place].add(subscription)
        try:
            yield subscription
        finally:
            self._waiting[place].discard(subscription)
            if not self._waiting[place]:
                del self._waiting[place]

    def wake_all(self) -> None:
        """Wake every waiter of this process: after a gap, and at shutdown."""
        for waiting in self._waiting.values():
            for subscription in waiting:
                subscription.wake()

    def _wake(self, topic: str, key: str) -> None:
        for place in ((topic, key), (topic, ANY_KEY)):
            for subscription in self._waiting.get(place, ()):
                subscription.wake()

    def _ready(self) -> None:
        self._listening.set()
        if self._is_lost:
            self._is_lost = False
            log.info("bus connection is back")
        # What was sent while nobody listened is gone.
        self.wake_all()

    def _receive(self, message: str) -> None:
        """Take a message as it travels: `topic:key`. Anything else wakes nobody."""
        topic, _, key = message.partition(":")
        self._wake(topic, key)

    async def _listen(self) -> None:
        while True:
            try:
                await self._channel.listen(self._ready, self._receive)
            except CheckreinError as error:
                if not self._is_lost:  # once: it is tried again every half second
                    log.warning("bus connection lost", extra={"detail": error.message})
                self._is_lost = True
            except Exception:
                # Nothing ends this: without a listener every wait is as late as a re-reading.
                log.exception("listening on the bus failed")
            self._note_fault()
            await asyncio.sleep(RECONNECT_SECONDS)
