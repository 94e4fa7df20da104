"""Many acts held at once, people who answer them, and processes that die meanwhile.

Every act has a word of its own that says what people will answer (`yes7x`, `no8x`). An agent sends
its act again until it is carried out or refused for good, as a patient program would. A person who
is asked about an act looks first whether it was done, as the gateway tells those whose outcome is
unknown to do, and says no then.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.oracle import Oracle
from tests.support.replicas import Installation, Kind
from tests.support.traffic import verify_chain

HOST = "warehouse.example.test"
AGENTS = 20
PEOPLE = 5
PAGE = 50
DENIED_OF = 4
"""One act of so many is denied."""

CALL_SECONDS_MAX = 75.0
ASKED_SECONDS_MAX = 180.0
DONE_SECONDS_MAX = 300.0
SHIPPED_SECONDS_MAX = 120.0

Approval = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """What an agent wants done, through which gateway."""

    tag: str
    agent: str
    gateway: int

    @property
    def is_wanted(self) -> bool:
        return self.tag.startswith("yes")


@dataclass(frozen=True, slots=True)
class Settings:
    """`answer_seconds`: over how long people spread their answers. `kill_pause_seconds`: between
    two kills. `kills`: what is killed, in turn, as long as there are acts."""

    acts: int = 1_000
    answer_seconds: float = 40.0
    kill_pause_seconds: float = 1.5
    kills: Sequence[Kind] = ()


@dataclass
class Report:
    """What happened. `told` is the last word that each agent read; `unavailable` counts answers
    503 that people read."""

    told: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    tries: int = 0
    unavailable: int = 0
    asked_seconds: float = 0.0
    all_seconds: float = 0.0
    approvals: int = 0
    done: Counter[str] = field(default_factory=Counter)
    consumed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def doubled(self) -> list[str]:
        """Acts that were carried out twice."""
        return [tag for tag, count in self.done.items() if count > 1]


class Storm:
    """One run. `run` it once; it does not judge, `judge` does."""

    def __init__(self, running: Installation, oracle: Oracle, settings: Settings) -> None:
        self._running = running
        self._oracle = oracle
        self._settings = settings
        self._dice = random.Random(running.dice.random())
        self._acts = [
            Act(f"{'no' if n % DENIED_OF == 0 else 'yes'}{n}x", f"robot-{n % AGENTS}", n % 2)
            for n in range(settings.acts)
        ]
        self._keys: dict[str, str] = {}
        self._seen_by: list[str] = []
        self.report = Report()

    async def run(self) -> Report:
        """Ask it all, answer it all, kill meanwhile, and look what came of it."""
        began = time.monotonic()
        async with _sessions(self._running) as (outside, inside), asyncio.TaskGroup() as group:
            await self._make_people(inside)
            agents = [
                group.create_task(self._insist(outside[act.gateway], act), name=act.tag)
                for act in self._acts
            ]
            asked = time.monotonic()
            await self._wait_asked(inside)
            self.report.asked_seconds = time.monotonic() - asked
            people = [
                group.create_task(self._answer(inside, key), name="person") for key in self._seen_by
            ]
            chaos = group.create_task(self._kill(), name="chaos")
            _, late = await asyncio.wait(agents, timeout=DONE_SECONDS_MAX)
            for each in (*late, *people):
                each.cancel()
            chaos.cancel()
            with suppress(asyncio.CancelledError):
                await chaos
            self.report.faults += [f"{each.get_name()} never got an answer" for each in late]
            self.report.all_seconds = time.monotonic() - began
            await self._running.whole_again()
            await self._pass_once_more(outside)
        await self._look()
        return self.report

    # --- who takes part -------------------------------------------------------------------------

    async def _make_people(self, inside: aiohttp.ClientSession) -> None:
        admin = self._running.replicas[0].key("admin")
        for number in range(AGENTS):
            made = await self._call(
                inside, "POST", "/v1/agents", admin, {"name": f"robot-{number}"}
            )
            self._keys[f"robot-{number}"] = made["key"]
        for number in range(PEOPLE):
            body = {
                "name": f"person-{number}@example.test",
                "permissions": ["ApprovalRead", "ApprovalWrite"],
            }
            made = await self._call(inside, "POST", "/v1/keys", admin, body)
            self._seen_by.append(made["key"])

    async def _insist(self, session: aiohttp.ClientSession, act: Act) -> None:
        """Send an act until it is done or denied."""
        gateway = self._running.gateways[act.gateway]
        for number in itertools.count():
            self.report.tries += 1
            proxy = f"http://{act.agent}:{self._keys[act.agent]}@127.0.0.1:{gateway.port}"
            url = f"https://{HOST}/v1/orders/{act.tag}/refund"
            try:
                async with session.post(url, json={"amount": 100}, proxy=proxy) as answered:
                    await answered.read()
                    reason = answered.headers.get("Checkrein-Reason", "")
                    told = "done" if answered.status == 200 else f"{answered.status} {reason}"
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                told = f"broken: {type(error).__name__}"
            self.report.told[act.tag] = told
            self.report.answers[told] += 1
            if told == "done" or told.endswith("APPROVAL_DENIED"):
                return
            # Longer and longer pauses with jitter, as SDKs have them: a gateway that comes back to
            # hundreds of agents must not be met by all of them at once.
            await asyncio.sleep(self._dice.uniform(0.1, min(8.0, 0.5 * 2**number)))

    async def _answer(self, inside: aiohttp.ClientSession, key: str) -> None:
        """One person: read the queue at any replica, answer some of it at any other."""
        pause = self._settings.answer_seconds * PEOPLE / self._settings.acts
        while True:
            try:
                path = f"/v1/approvals?status=PENDING&limit={PAGE}"
                page = (await self._call(inside, "GET", path, key))["approvals"]
                for approval in self._dice.sample(page, min(len(page), 10)):
                    await asyncio.sleep(self._dice.uniform(0, 2 * pause))
                    await self._say(inside, key, approval)
            except (aiohttp.ClientError, OSError, TimeoutError, _Refused):
                pass
            await asyncio.sleep(self._dice.uniform(0.05, 0.2))

    async def _say(self, inside: aiohttp.ClientSession, key: str, approval: Approval) -> None:
        tag = approval["target"]["id"]
        is_meant = tag.startswith("yes") and not self._oracle.about(tag)
        body = {"resolution": "APPROVE" if is_meant else "REJECT", "reason": tag}
        path = f"/v1/approvals/{approval['approvalId']}/resolve"
        try:
            await self._call(inside, "POST", path, key, body)
        except _Refused as refused:
            if refused.status != 409:  # another person was quicker
                raise

    async def _kill(self) -> None:
        for kind in itertools.cycle(self._settings.kills):
            await asyncio.sleep(self._settings.kill_pause_seconds * self._dice.uniform(0.5, 1.5))
            # A kill is never left half done: what it ended must be there for the end.
            await asyncio.shield(self._running.kill(kind))

    # --- the API --------------------------------------------------------------------------------

    async def _call(
        self, inside: aiohttp.ClientSession, method: str, path: str, key: str, body: Any = None
    ) -> Any:
        """Call a replica that is drawn anew; every status that may never be is a fault."""
        url = self._dice.choice(self._running.replicas).process.ready["api_url"]
        async with inside.request(
            method, url + path, json=body, headers={"x-api-key": key}
        ) as answered:
            told = await answered.json()
            if answered.status >= 500 and answered.status != 503:
                self.report.faults.append(f"{method} {path}: {answered.status} {told}")
            if answered.status == 503 and "Retry-After" not in answered.headers:
                self.report.faults.append(f"{method} {path}: 503 does not say when to come again")
            self.report.unavailable += answered.status == 503
            if answered.status >= 400:
                raise _Refused(answered.status)
            return told

    async def _wait_asked(self, inside: aiohttp.ClientSession) -> None:
        """Wait until every act is held at the same time."""
        admin, deadline = self._running.replicas[0].key("admin"), time.monotonic()
        deadline += ASKED_SECONDS_MAX
        while True:
            with suppress(_Refused):
                counts = await self._call(inside, "GET", "/v1/approvals/counts", admin)
                if counts["pending"] >= len(self._acts):
                    return
            assert time.monotonic() < deadline, (self.report.answers, self._running.log)
            await asyncio.sleep(0.2)

    # --- what came of it ------------------------------------------------------------------------

    async def _pass_once_more(self, outside: Sequence[aiohttp.ClientSession]) -> None:
        """A read behind it all on each gateway: once it is stored, so is what was before it."""
        for number, gateway in enumerate(self._running.gateways):
            proxy = f"http://robot-0:{self._keys['robot-0']}@127.0.0.1:{gateway.port}"
            tag = f"last{number}x"
            deadline = time.monotonic() + SHIPPED_SECONDS_MAX
            while True:
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with outside[number].get(
                        f"https://{HOST}/v1/orders/{tag}", proxy=proxy
                    ) as answered:
                        if answered.status == 200:
                            break
                assert time.monotonic() < deadline, self._running.log
                await asyncio.sleep(0.2)
            await asyncio.to_thread(
                self._running.api.wait_record, {"kind": "intent"}, tag, SHIPPED_SECONDS_MAX
            )

    async def _look(self) -> None:
        report, tags = self.report, {act.tag for act in self._acts}
        for request in self._oracle.requests:
            tag = request.path.split("/")[3]
            if tag in tags:
                report.done[tag] += 1
        for approval in await asyncio.to_thread(_every_approval, self._running):
            report.approvals += 1
            if approval["status"] == "CONSUMED":
                report.consumed[approval["target"]["id"]] += 1
        report.faults += self._judge()
        records = await asyncio.to_thread(self._running.api.records)
        recorded: set[str] = set()
        for gateway in self._running.gateways:
            chain = verify_chain(records, gateway.gateway_id)
            intents = [fields for fields in chain.fields if fields["kind"] == "intent"]
            recorded |= {fields["path"].split("/")[3] for fields in intents}
        report.faults += [f"{tag} was done unrecorded" for tag in set(report.done) - recorded]

    def _judge(self) -> list[str]:
        """Each sentence that is not true."""
        faults = []
        for act in self._acts:
            done, told = self.report.done[act.tag], self.report.told.get(act.tag, "nothing")
            if done > 1:
                faults.append(f"{act.tag} was done {done} times")
            if done > self.report.consumed[act.tag]:
                faults.append(f"{act.tag} was done without an approval that was used")
            if act.is_wanted and not done:
                faults.append(f"{act.tag} was approved and lost; its agent read `{told}`")
            if not act.is_wanted and done:
                faults.append(f"{act.tag} was denied and done")
            if not act.is_wanted and not told.endswith("APPROVAL_DENIED"):
                faults.append(f"{act.tag} was denied, and its agent read `{told}`")
        return faults


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@asynccontextmanager
async def _sessions(
    running: Installation,
) -> AsyncIterator[tuple[list[aiohttp.ClientSession], aiohttp.ClientSession]]:
    """One for agents behind each gateway, and one for people."""
    patience = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    outside = []
    for gateway in running.gateways:
        trust = ssl.create_default_context(cafile=str(gateway.ca_file))
        connector = aiohttp.TCPConnector(limit=0, ssl=trust, force_close=True)
        outside.append(aiohttp.ClientSession(connector=connector, timeout=patience))
    inside = aiohttp.ClientSession(timeout=patience)
    try:
        yield outside, inside
    finally:
        for session in (*outside, inside):
            await session.close()


def _every_approval(running: Installation) -> list[Approval]:
    found: list[Approval] = []
    cursor = ""
    while True:
        page = running.api.call("GET", "/v1/approvals", limit=500, cursor=cursor)
        found += page["approvals"]
        cursor = page["nextCursor"]
        if not cursor:
            return found
