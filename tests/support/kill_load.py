"""A mixed load to kill things under: reads, notes, refunds out of a budget, and refunds that people
must approve, through two gateways.

Notes and budgeted refunds are sent once and never again. An agent whose refund needs a person sends
it again until it is done or denied. A person who is asked looks first whether it was done.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.effects import EffectLog
from tests.support.moments import Moment, Moments
from tests.support.replicas import Installation

HOST = "warehouse.example.test"
DENIED_OF = 5
"""One refund of so many is denied."""

PAUSE_SECONDS = (0.02, 0.08)
"""Between two calls of an agent: enough load to hit, and a machine that still answers."""

BROKEN_SECONDS = (0.1, 0.3)
"""After a gateway could not be reached. Without it the load would be refused connections mostly."""

LOOK_SECONDS = (0.3, 0.8)
"""How long a person looks at a question. What a gateway sent before it died has arrived by then."""

RETRY_SECONDS = (0.2, 1.5)
CALL_SECONDS_MAX = 60.0
PEOPLE = 3
HOLDERS = 12
PAGE = 50


@dataclass
class Told:
    """What agents read. `acts` holds, by tag, the last word on a refund that needed a person;
    `ok` are the tags of everything that was answered with success."""

    statuses: Counter[str] = field(default_factory=Counter)
    ok: set[str] = field(default_factory=set)
    acts: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def successes(self) -> int:
        return len(self.ok)


class KillLoad:
    """The agents and people. `begin` them, `end` them: agents finish what they have begun."""

    def __init__(self, running: Installation, effects: EffectLog, moments: Moments) -> None:
        self.told = Told()
        self.gateway_of: dict[str, int] = {}
        self._running = running
        self._effects = effects
        self._moments = moments
        self._dice = random.Random(running.dice.random())
        self._numbers = itertools.count(1)
        self._stopping = asyncio.Event()
        self._keys: dict[str, str] = {}
        self._robot = ""
        self._outside: list[aiohttp.ClientSession] = []
        self._inside: aiohttp.ClientSession
        self._agents: list[asyncio.Task[None]] = []
        self._people: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[KillLoad]:
        """Make the agents and their connections."""
        patience = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
        try:
            for gateway in self._running.gateways:
                trust = ssl.create_default_context(cafile=str(gateway.ca_file))
                connector = aiohttp.TCPConnector(limit=0, ssl=trust)
                self._outside.append(aiohttp.ClientSession(connector=connector, timeout=patience))
            async with aiohttp.ClientSession(timeout=patience) as self._inside:
                yield self
        finally:
            for task in (*self._agents, *self._people):
                task.cancel()
            for session in self._outside:
                await session.close()

    async def begin(self) -> None:
        """Start everybody."""
        self._robot = await self._make_agent("robot")
        jobs: list[Callable[[int], Any]] = [self._read, self._note, self._note, self._spend]
        for gateway in (0, 1):
            for job in (*jobs, *[self._hold] * (HOLDERS // 2)):
                task = asyncio.create_task(job(gateway), name=job.__name__)
                self._agents.append(task)
        for _ in range(PEOPLE):
            self._people.append(asyncio.create_task(self._answer(), name="person"))

    async def end(self, seconds: float) -> None:
        """Begin nothing new, and wait until all that was begun has come to its end."""
        self._stopping.set()
        done, late = await asyncio.wait(self._agents, timeout=seconds)
        for task in (*late, *self._people):
            task.cancel()
        self.told.faults += [f"a task `{task.get_name()}` got no last answer" for task in late]
        for task in done:
            if not task.cancelled() and task.exception() is not None:
                self.told.faults.append(f"the load broke: {task.exception()!r}")

    def failure(self) -> BaseException | None:
        """What ended an agent or a person that must not end."""
        for task in (*self._agents, *self._people):
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    async def pass_once_more(self) -> list[str]:
        """A read through each gateway behind everything else; their tags."""
        tags = []
        for number in range(len(self._running.gateways)):
            tag = f"last{number}x"
            async with asyncio.timeout(CALL_SECONDS_MAX):
                while await self._call("GET", number, self._robot, tag, "") != "200":
                    await asyncio.sleep(0.2)
            tags.append(tag)
        return tags

    # --- agents ---------------------------------------------------------------------------------

    async def _read(self, gateway: int) -> None:
        while not self._stopping.is_set():
            await self._call("GET", gateway, self._robot, f"read{next(self._numbers)}x", "")
            await self._pause(*PAUSE_SECONDS)

    async def _note(self, gateway: int) -> None:
        while not self._stopping.is_set():
            await self._call("POST", gateway, self._robot, f"note{next(self._numbers)}x", "/note")
            await self._pause(*PAUSE_SECONDS)

    async def _spend(self, gateway: int) -> None:
        """Spend a budget to its end through both gateways; then somebody else's."""
        while not self._stopping.is_set():
            spender = next(self._numbers)
            agent = await self._make_agent(f"spender-{spender}")
            for number in itertools.count(1):
                via = (gateway + number) % 2
                told = await self._call("POST", via, agent, f"spend{spender}x{number}", "/refund")
                if told.endswith("BUDGET") or self._stopping.is_set():
                    break
                await self._pause(*PAUSE_SECONDS)

    async def _hold(self, gateway: int) -> None:
        while not self._stopping.is_set():
            number = next(self._numbers)
            tag = f"{'no' if number % DENIED_OF == 0 else 'yes'}{number}x"
            self.told.acts[tag] = "nothing"
            while True:
                told = await self._call("POST", gateway, self._robot, tag, "/refund")
                self.told.acts[tag] = told
                if told == "200" or told.endswith("APPROVAL_DENIED"):
                    break
                await self._pause(*RETRY_SECONDS)

    async def _call(self, method: str, gateway: int, agent: str, tag: str, act: str) -> str:
        port = self._running.gateways[gateway].port
        proxy = f"http://{agent}:{self._keys[agent]}@127.0.0.1:{port}"
        url = f"https://{HOST}/v1/orders/{tag}{act}"
        body = {"amount": 100} if act else None
        self.gateway_of[tag] = gateway
        try:
            async with self._outside[gateway].request(
                method, url, json=body, proxy=proxy
            ) as answered:
                await answered.read()
                reason = answered.headers.get("Checkrein-Reason", "")
                told = f"{answered.status} {reason}".strip()
        except aiohttp.ClientHttpProxyError as error:
            told = f"no tunnel: {error.status}"
            await self._pause(*BROKEN_SECONDS)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            told = f"broken: {type(error).__name__}"
            await self._pause(*BROKEN_SECONDS)
        self.told.statuses[told] += 1
        if told == "200":
            self.told.ok.add(tag)
        return told

    async def _pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self._dice.uniform(least, most))

    # --- people ---------------------------------------------------------------------------------

    async def _make_agent(self, name: str) -> str:
        """Make an agent whose name begins so; the name. What a kill cut off may have been made,
        with a key that nobody has read: the next try makes another one."""
        for number in itertools.count(1):
            tried = name if number == 1 else f"{name}-{number}"
            try:
                made = await self._ask("POST", "/v1/agents", {"name": tried})
            except (aiohttp.ClientError, OSError, TimeoutError, _Refused):
                await self._pause(*RETRY_SECONDS)
            else:
                self._keys[tried] = made["key"]
                return tried
        raise AssertionError

    async def _answer(self) -> None:
        """Read the questions at one replica, answer some at any other."""
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError, _Refused):
                path = f"/v1/approvals?status=PENDING&limit={PAGE}"
                page = (await self._ask("GET", path))["approvals"]
                await self._pause(*LOOK_SECONDS)
                for approval in self._dice.sample(page, min(len(page), HOLDERS // PEOPLE)):
                    await self._say(approval)
            await self._pause(*PAUSE_SECONDS)

    async def _say(self, approval: dict[str, Any]) -> None:
        tag = approval["target"]["id"]
        is_meant = tag.startswith("yes") and not self._effects.done[tag]
        body = {"resolution": "APPROVE" if is_meant else "REJECT", "reason": tag}
        path = f"/v1/approvals/{approval['approvalId']}/resolve"
        await self._ask("POST", path, body)
        if is_meant:
            self._moments.tell(Moment.APPROVED, self.gateway_of[tag])

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask a replica that is drawn anew, as the operator."""
        replica = self._dice.choice(self._running.replicas)
        url = replica.process.ready["api_url"] + path
        headers = {"x-api-key": replica.key("admin")}
        async with self._inside.request(method, url, json=body, headers=headers) as answered:
            told = await answered.json()
            if answered.status >= 500 and answered.status != 503:
                self.told.faults.append(f"{method} {path}: {answered.status} {told}")
            if answered.status >= 400:
                raise _Refused(answered.status)
            return told


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
