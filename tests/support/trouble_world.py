"""A whole installation that a test breaks a part of: agents' acts that need a person, an operator
who answers them at any replica, and a proof that all of it works.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from controlplane.store.database import PoolSettings
from tests.support.receivers import Receiver
from tests.support.replicas import Installation
from tests.support.stack import Upstreams

POOL = PoolSettings()
ANSWER_SECONDS_MAX = POOL.statement_seconds_max + 2 * POOL.acquire_seconds_max + 2.0
"""A connection is waited for, the statement, and the giving back; and two busy cores."""

BACK_SECONDS_MAX = 25.0

TAGS = (f"trouble{number}x" for number in itertools.count())
"""A word for each act."""


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
        tag, heard = next(TAGS), len(self.receiver.heard)
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
