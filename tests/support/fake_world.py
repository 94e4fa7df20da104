"""The world around a pipeline, in memory: everything that happens is written down in one order.

`FakeWorld.events` is that order: `intent`, `decision`, `outcome`, `ask`, `consume`, `send`, and so
on, so that a test can say what came before what.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import cast

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.counters.local import LocalLimits
from gateway.decide.bundle import Bundle
from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.enforce.hold import HoldSettings
from gateway.journey.judge import Ruleset
from gateway.journey.settings import PipelineSettings
from gateway.model.action import Canonical
from gateway.model.approval import Approval
from gateway.model.decision import Permit, ReasonCode
from gateway.model.exchange import Authority, Exchange, HttpRequest, Principal, ResponseHead
from gateway.model.record import DecisionEntry, Entry, Outcome, OutcomeEntry
from gateway.model.stop import Stop, StopScope
from gateway.pipeline import Pipeline, World
from gateway.ports import AgentChannel, ApprovalAsk, LimitStore, Sent, Wire
from tests.support.entries import an_exchange
from tests.support.fake_channel import FakeChannel
from tests.support.fake_desk import FakeDesk
from tests.support.fake_record import FakeRecords
from tests.support.fakes import FakeClock, FakeFlow, FakeWire, numbered_ids
from tests.support.policy_world import act, bundle_of, policy_text

STARTS = b"ok"
LOOK = Canonical((act("get_charge", "read"),), "stripe", "stripe")


class FakeCanonicalizer:
    """Says of every request what the test says, and of a look at a target that it is a read, unless
    `look` says otherwise; an exception is raised. `threads` are those that it was asked in."""

    def __init__(self, canonical: Canonical | Exception) -> None:
        self.canonical = canonical
        self.look = LOOK
        self.ready = True
        self.describes_messages = False
        self.threads: list[int] = []

    def is_ready(self, request: HttpRequest) -> bool:
        return self.ready

    def reads_messages(self, handshake: HttpRequest) -> bool:
        return self.describes_messages

    def canonicalize(self, request: HttpRequest) -> Canonical:
        self.threads.append(threading.get_ident())
        self.ready = True
        if request.method in ("GET", "HEAD"):
            return self.look
        if isinstance(self.canonical, Exception):
            raise self.canonical
        return self.canonical


class FakeUpstream:
    """`ports.Upstream`: counts what reaches it and answers 200, or what `sent` says. Looks at a
    target are answered with the next of `states`."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.permits: list[Permit] = []
        self.sent: Sent | None = None
        self.states: list[bytes | Sent] = []
        self.on_last_look: Callable[[], object] | None = None
        self.tunnel: Wire | Exception = FakeWire()
        self._note = note

    async def send(
        self,
        permit: Permit,
        exchange: Exchange,
        channel: AgentChannel,
        find_stop: Callable[[], Stop | None],
    ) -> Sent:
        stop = find_stop()
        if stop is not None:
            code, why = ReasonCode.KILL_SWITCH, stop.reason
            return Sent(Outcome.NOT_SENT, None, False, code=code, message=why, error_status=403)
        self._note("send")
        self.permits.append(permit)
        if exchange.request_id.startswith("wit"):
            return self._state(channel)
        if self.sent is not None:
            return self.sent
        channel.begin(ResponseHead(200, b"OK", (), len(STARTS), True), FakeFlow())
        channel.write(STARTS)
        channel.finish()
        return Sent(Outcome.EXECUTED, 200, True, len(STARTS))

    def _state(self, channel: AgentChannel) -> Sent:
        """Answer the look at a target."""
        state = self.states.pop(0)
        if self.on_last_look is not None and not self.states:
            self.on_last_look()
        if isinstance(state, Sent):
            if state.began:
                channel.cut()
            return state
        channel.begin(ResponseHead(200, b"OK", (), len(state), True), FakeFlow())
        channel.write(state)
        channel.finish()
        return Sent(Outcome.EXECUTED, 200, True, len(state))

    async def open_tunnel(self, permit: Permit, authority: Authority) -> Wire:
        self._note("tunnel")
        self.permits.append(permit)
        if isinstance(self.tunnel, Exception):
            raise self.tunnel
        return self.tunnel


class FakeDirectory:
    """`ports.AgentDirectory` of one agent: `agent` with the key `secret`."""

    async def authenticate(self, agent: str, key: str) -> Principal | None:
        if (agent, key) != ("agent", "secret"):
            return None
        return Principal("agent", None, {"team": "x"})


class FakeStops:
    """`ports.StopBoard` with the one stop that a test sets."""

    def __init__(self) -> None:
        self.stop: Stop | None = None

    def find(self, agent: str, run: str | None, providers: Iterable[str]) -> Stop | None:
        stop = self.stop
        if stop is None:
            return None
        named: dict[StopScope, Collection[str | None]] = {
            StopScope.EVERYTHING: ("",),
            StopScope.PROVIDER: set(providers),
            StopScope.AGENT: (agent,),
            StopScope.RUN: (run, f"{agent}+{run}"),
        }
        return stop if stop.name in named[stop.scope] else None


class NotedRecords(FakeRecords):
    """Records that note the order. `refuses` names events from which on nothing can be written."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self.refuses: set[str] = set()
        self._note = note

    def append(self, entry: Entry) -> None:
        self._take(entry, "")
        super().append(entry)

    async def append_durably(self, entry: Entry) -> None:
        self._take(entry, " durably")
        await super().append_durably(entry)

    def _take(self, entry: Entry, how: str) -> None:
        name = _name_of(entry)
        self._note(f"{name}{how}")
        if name in self.refuses:
            self.is_writable = False
            self._check()


class NotedDesk(FakeDesk):
    """Approvals that note the order. `on_ask` is what the person does at once."""

    def __init__(self, clock: FakeClock, note: Callable[[str], None]) -> None:
        super().__init__(clock)
        self.on_ask: Callable[[Approval], object] | None = None
        self.on_wait: Callable[[], object] | None = None
        self.consumed_by: list[str] = []
        self.lost: set[str] = set()
        self._note = note

    async def ask(self, ask: ApprovalAsk) -> Approval:
        self._note("ask")
        self.is_reachable = "ask" not in self.lost
        approval = await super().ask(ask)
        if self.on_ask is not None:
            self.on_ask(approval)
        return approval

    async def wait(self, approval_id: str, seconds_max: float) -> Approval:
        self._note("wait")
        self.is_reachable = "wait" not in self.lost
        if self.on_wait is not None:
            self.on_wait()
        return await super().wait(approval_id, seconds_max)

    async def consume(self, approval_id: str, digest: str, claim_id: str) -> Approval | None:
        self._note("consume")
        self.is_reachable = "consume" not in self.lost
        self.consumed_by.append(claim_id)
        return await super().consume(approval_id, digest, claim_id)


@dataclass
class FakeWorld:
    """A pipeline with everything around it."""

    canonical: Canonical | Exception
    rules: str = "- {id: all, priority: 1, effect: ALLOW}"
    settings: PipelineSettings = field(default_factory=PipelineSettings)
    hold_settings: HoldSettings = field(default_factory=lambda: HoldSettings(hold_seconds_max=5.0))
    events: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.canonicalizer = FakeCanonicalizer(self.canonical)
        self.upstream = FakeUpstream(self.events.append)
        self.records = NotedRecords(self.events.append)
        self.desk = NotedDesk(self.clock, self.events.append)
        self.bundle: Bundle = bundle_of(policy_text(self.rules))
        self.stops = FakeStops()
        self.limits: LimitStore = LocalLimits(self.clock)
        world = World(
            self.upstream,
            self.desk,
            FakeDirectory(),
            self.stops,
            self.limits,
            self.records,
            self.clock,
            numbered_ids(),
        )
        self.pipeline = Pipeline(
            self.settings,
            self.hold_settings,
            Ruleset(cast("Canonicalizer", self.canonicalizer), self.bundle),
            DestinationGuard(DestinationSettings(), set()),
            world,
        )

    def swap(self, bundle: Bundle) -> None:
        """Decide by another bundle from now on."""
        judge = self.pipeline.judge
        judge.ruleset = Ruleset(judge.ruleset.canonicalizer, bundle)

    @property
    def outcomes(self) -> list[tuple[str, str | None]]:
        """Of every outcome that was recorded: what became of it, and why."""
        entries = [entry for entry in self.records.entries if isinstance(entry, OutcomeEntry)]
        return [(entry.outcome.value, entry.code) for entry in entries]

    @property
    def decisions(self) -> list[DecisionEntry]:
        return [entry for entry in self.records.entries if isinstance(entry, DecisionEntry)]


async def govern(
    world: FakeWorld, channel: FakeChannel | None = None, **exchange: object
) -> FakeChannel:
    """Walk one request through the world's pipeline; `exchange` are arguments of `an_exchange`."""
    channel = channel or FakeChannel()
    await world.pipeline.govern(an_exchange(**exchange), channel)  # type: ignore[arg-type]
    return channel


def told(channel: FakeChannel) -> str:
    """What the agent reads in a refusal."""
    assert channel.response is not None
    assert channel.head is None
    assert channel.response.status >= 400
    return channel.response.body.decode()


def _name_of(entry: Entry) -> str:
    if isinstance(entry, DecisionEntry):
        return "intent" if entry.sends else "decision"
    return type(entry).__name__.removesuffix("Entry").lower()
