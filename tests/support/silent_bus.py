"""A bus for services that are tested without anybody who waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from controlplane.notify.bus import Subscription, Topic


class SilentBus:
    """A bus that nobody listens to."""

    async def publish(self, topic: Topic, key: str) -> None:
        pass

    @contextmanager
    def subscribe(self, topic: Topic, key: str) -> Iterator[Subscription]:
        yield Subscription()
