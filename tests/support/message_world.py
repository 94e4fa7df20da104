"""A WebSocket whose messages are governed, between two wires in memory, and who decides on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.intercept.message_relay import MessageRelay, RelayTerms
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import (
    Authority,
    Exchange,
    HttpRequest,
    Principal,
    Response,
    ResponseHead,
)
from gateway.ports import AgentChannel, Messages, Sender, Switched
from gateway.wire.websocket_frames import Opcode, client_frame
from tests.support.fakes import FakeWire
from tests.support.websocket_frames import taken_elsewhere

SECONDS_MAX = 10.0
BYTES_MAX = 10_000
HEAD = ResponseHead(101, b"Switching Protocols", (), None, False)
HEADERS = ((b"Host", b"live.test"), (b"Sec-WebSocket-Key", b"k"), (b"X-Tenant", b"t-1"))
HANDSHAKE = Exchange(
    "req-0",
    Principal("agent"),
    HttpRequest(
        "GET", "https", Authority("live.test", 443), b"/rooms/a?b=c", HEADERS,
        {name.lower(): value for name, value in HEADERS}, frozenset(), b"", None,
        is_websocket=True,
    ),
    0,
)  # fmt: skip


class World:
    """A relay between two wires in memory; `answer` governs, and lets pass by itself what no test
    says anything about."""

    def __init__(self, early: bytes = b"", idle_seconds_max: float = 3_600.0) -> None:
        self.agent, self.upstream = FakeWire(), FakeWire()
        self.governed: list[Exchange] = []
        self.channels: list[AgentChannel] = []
        self.refusals: list[str] = []
        self.ended: list[tuple[int, int]] = []
        self.answer: Callable[[Exchange, AgentChannel], Awaitable[bool]] | None = None
        self.stranger: AgentProtocolError | None = None
        terms = RelayTerms(
            self._govern, self._recognize, lambda error: self.refusals.append(error.code),
            lambda who, what: Exchange("req-1", who, what, 0), BYTES_MAX, idle_seconds_max,
        )  # fmt: skip
        messages = Messages(HANDSHAKE, self)  # type: ignore[arg-type]
        switched = Switched(HEAD, self.upstream, early, messages)
        self.relay = MessageRelay(self.agent, switched, messages, terms)
        self.task = asyncio.create_task(
            self.relay.run(lambda sent, received: self.ended.append((sent, received))),
            name="relay",
        )

    async def _recognize(self) -> Principal:
        if self.stranger is not None:
            raise self.stranger
        return Principal("agent")

    async def _govern(self, exchange: Exchange, channel: AgentChannel, sender: Sender) -> None:
        assert sender is self
        self.governed.append(exchange)
        self.channels.append(channel)
        if self.answer is None or await self.answer(exchange, channel):
            assert exchange.request.body is not None
            self.upstream.write(client_frame(Opcode.TEXT, exchange.request.body))

    def say(self, data: bytes) -> None:
        """The agent sends bytes."""
        self.agent.receiver.wire_data(data)

    @property
    def arrived(self) -> list[tuple[Opcode, bytes]]:
        """What the upstream's server takes."""
        return taken_elsewhere(self.upstream.written)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while not condition():
                await asyncio.sleep(0)

    async def end(self) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await self.task
        assert len(self.ended) == 1
        assert self.agent.is_closing
        assert self.upstream.is_closing


class Held:
    """Governs as one that waits for a person: until `decide`, or until the agent has left."""

    def __init__(self) -> None:
        self.passes = asyncio.get_running_loop().create_future()

    async def __call__(self, _exchange: Exchange, channel: AgentChannel) -> bool:
        gone = asyncio.create_task(channel.wait_gone(), name="gone")
        await asyncio.wait({gone, self.passes}, return_when=asyncio.FIRST_COMPLETED)
        if channel.is_gone:
            return False
        gone.cancel()
        return bool(self.passes.result())


async def blocked(_exchange: Exchange, channel: AgentChannel) -> bool:
    headers = ((b"Checkrein-Decision", b"dec-1"), (b"Checkrein-Reason", b"NEVER"))
    channel.respond(Response(403, headers, b"{}"))
    return False
