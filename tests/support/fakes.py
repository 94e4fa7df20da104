"""Stand-ins for the ports: they do what the port says, remember what they were asked, and wait for
nothing. `tests/contract` holds those that have a real adapter against it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from gateway.model.errors import AgentProtocolError, UpstreamError
from gateway.model.exchange import Authority, Exchange, Principal, Response
from gateway.ports import AgentChannel, Sender, TunnelVerdict, Wire, WireReceiver

Govern = Callable[[Exchange, AgentChannel], Awaitable[None]]


class FakeClock:
    """Stands still until it is told to move."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * 1_000_000)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the time of day anew, as a wrong NTP server does; deadlines don't move."""
        self._now += int(seconds * 1_000_000)


def numbered_ids() -> Callable[[str], str]:
    """Ids that count: `req-1`, `dec-2`, ..."""
    numbers = itertools.count(1)
    return lambda kind: f"{kind}-{next(numbers)}"


class FakeFlow:
    """A stream's source that remembers whether it is paused."""

    def __init__(self) -> None:
        self.is_paused = False
        self.pauses = 0

    def pause_reading(self) -> None:
        self.is_paused = True
        self.pauses += 1

    def resume_reading(self) -> None:
        self.is_paused = False


class FakeWire(FakeFlow):
    """A connection that keeps what is written to it."""

    def __init__(self, receiver: WireReceiver | None = None) -> None:
        super().__init__()
        self.receiver: WireReceiver = receiver or FakeReceiver()
        self.peer = ("127.0.0.1", 1)
        self.written = b""
        self.writes: list[bytes] = []
        self.is_closing = False
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        if not self.is_closing:
            self.writes.append(data)
            self.written += data

    def close(self) -> None:
        self.is_closing = True

    def abort(self) -> None:
        self.is_closing = self.is_aborted = True


class FakeReceiver:
    """Writes down what a wire tells, and lets a test wait for the next of it."""

    def __init__(self) -> None:
        self.data = b""
        self.events: list[str] = []
        self.error: Exception | None = None
        self.largest = 0
        self._changed = asyncio.Event()

    def wire_data(self, data: bytes) -> None:
        self.data += data
        self.largest = max(self.largest, len(data))
        self._changed.set()

    def wire_eof(self) -> None:
        self._add("eof")

    def wire_full(self) -> None:
        self._add("full")

    def wire_drained(self) -> None:
        self._add("drained")

    def wire_lost(self, error: Exception | None) -> None:
        self.error = error
        self._add("lost")

    async def until(self, condition: Callable[[], bool], seconds_max: float = 5.0) -> None:
        async with asyncio.timeout(seconds_max):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _add(self, event: str) -> None:
        self.events.append(event)
        self._changed.set()


class FakeGovernor:
    """Knows one agent, `agent` with the key `secret`, and answers 200 with what `answer` says.

    `govern_with` replaces what is done with an exchange. Ports other than `ports` are forbidden.
    """

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.channels: list[AgentChannel] = []
        self.senders: list[Sender | None] = []
        self.refusals: list[AgentProtocolError] = []
        self.refused_agents: list[str | None] = []
        self.tunnels: list[tuple[int, int]] = []
        self.passthrough: set[str] = set()
        self.upstream: Callable[[Authority], Awaitable[Wire]] | None = None
        self.forbidden: set[str] = set()
        self.is_disabled = False
        self.labels: dict[str, str] = {}
        self.govern_with: Govern | None = None
        self.changed = asyncio.Event()

    async def authenticate(self, agent: str, key: str) -> Principal | None:
        name, _, run = agent.partition("+")
        if (name, key) != ("agent", "secret") or self.is_disabled:
            return None
        return Principal(name, run or None, dict(self.labels))

    def admit_tunnel(self, principal: Principal, authority: Authority) -> TunnelVerdict:
        if authority.host in self.forbidden:
            raise AgentProtocolError("destination.forbidden", "this host is forbidden", 403)
        if authority.host in self.passthrough:
            return TunnelVerdict.PASSTHROUGH
        return TunnelVerdict.INTERCEPT

    async def open_tunnel(self, principal: Principal, authority: Authority) -> Wire:
        if self.upstream is None:
            raise UpstreamError("upstream.unreachable", "nothing listens there", sent=False)
        return await self.upstream(authority)

    def note_tunnel_closed(self, upstream: Wire, sent_bytes: int, received_bytes: int) -> None:
        self.tunnels.append((sent_bytes, received_bytes))
        self.changed.set()

    async def govern(
        self, exchange: Exchange, channel: AgentChannel, sender: Sender | None = None
    ) -> None:
        self.senders.append(sender)
        self.exchanges.append(exchange)
        self.channels.append(channel)
        self.changed.set()
        if self.govern_with is not None:
            await self.govern_with(exchange, channel)
            return
        body = exchange.request.body
        text = b"%b %b %d" % (
            exchange.request.method.encode(),
            exchange.request.target,
            -1 if body is None else len(body),
        )
        channel.respond(Response(200, ((b"content-type", b"text/plain"),), text))

    def note_refusal(
        self, error: AgentProtocolError, agent: str | None, authority: Authority | None
    ) -> None:
        self.refusals.append(error)
        self.refused_agents.append(agent)
        self.changed.set()

    async def until(self, condition: Callable[[], bool], seconds_max: float = 5.0) -> None:
        async with asyncio.timeout(seconds_max):
            while not condition():
                self.changed.clear()
                await self.changed.wait()
