"""The bus's channel over Redis publish/subscribe. Redis holds nothing that would be missed.

redis-py tries refused connections again by itself, with pauses that turn a quick failure into
seconds: that is switched off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from controlplane.faults import ControlFault, Fault

CHANNEL = "checkrein"


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Short, because a wake-up that comes late is worth nothing: the waiter re-reads anyway."""

    connect_seconds_max: float = 1.0
    answer_seconds_max: float = 1.0
    alive_seconds: float = 10.0
    connection_count_max: int = 8


class RedisChannel:
    """`url` may carry a password; it is never shown.

    Raises:
        ValueError: from the constructor, when the URL can't be read.
    """

    def __init__(self, url: str, settings: RedisSettings | None = None) -> None:
        self._settings = settings or RedisSettings()
        self._redis = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=self._settings.connect_seconds_max,
            socket_timeout=self._settings.answer_seconds_max,
            max_connections=self._settings.connection_count_max,
            decode_responses=True,
        )

    async def send(self, message: str) -> None:
        with _mapped_faults():
            await self._redis.publish(CHANNEL, message)

    async def listen(self, ready: Callable[[], None], receive: Callable[[str], None]) -> None:
        subscriber: Any = self._redis.pubsub()
        with _mapped_faults():
            try:
                await subscriber.subscribe(CHANNEL)
                while True:
                    message = await subscriber.get_message(timeout=self._settings.alive_seconds)
                    if message is None:
                        # Silence: ask, so that a peer that vanished is noticed.
                        await subscriber.ping()
                    elif message["type"] == "subscribe":
                        ready()
                    elif message["type"] == "message":
                        receive(str(message["data"]))
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await subscriber.aclose()

    async def close(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()


@contextlib.contextmanager
def _mapped_faults() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise ControlFault(Fault.UNAVAILABLE, "redis can't be reached now") from error
