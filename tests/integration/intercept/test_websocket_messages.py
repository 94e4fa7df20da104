"""Messages of a WebSocket, by every way in: each is an exchange of whoever acts at that moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.enforce.dialler import Unclaimed
from gateway.model.exchange import Exchange, Message
from gateway.ports import AgentChannel, Messages, Switched, Wire
from gateway.wire.socket_wire import connect
from gateway.wire.websocket_frames import Opcode, client_frame
from tests.integration.intercept.agent import SECONDS_MAX, Agent, Proxy
from tests.integration.intercept.test_websocket_carried import HEAD, WAYS, Echo, echoing
from tests.support.websocket_frames import frame, taken_elsewhere


class Room:
    """What the pipeline does: the handshake is let through, and every message but `stop`."""

    def __init__(self, echo: Echo) -> None:
        self.wire: Wire | None = None
        self._echo = echo

    async def govern(self, exchange: Exchange, channel: AgentChannel) -> None:
        request = exchange.request
        if request.message is None:
            wire = self.wire = await connect(
                ("127.0.0.1", self._echo.port), Unclaimed(), SECONDS_MAX
            )
            wire.pause_reading()
            messages = Messages(exchange, self)  # type: ignore[arg-type]
            await channel.carry(Switched(HEAD, wire, b"", messages), self._echo._note_end)
        else:
            assert self.wire is not None
            assert request.body is not None
            self.wire.write(client_frame(Opcode.TEXT, request.body))


async def _read(agent: Agent, count: int) -> list[tuple[Opcode, bytes]]:
    """So many frames that the echo sent back as they were, masked."""
    data = b""
    async with asyncio.timeout(SECONDS_MAX):
        while len(found := taken_elsewhere(data)) < count:
            data += await agent.reader.read(65_536)
    return found


async def _opened(proxy: Proxy, echo: Echo, way: str) -> Agent:
    proxy.governor.govern_with = Room(echo).govern
    agent = await WAYS[way][1](proxy)
    assert (await agent.read_head())[0] == 101
    return agent


@pytest.mark.parametrize("way", WAYS)
async def test_each_message_is_an_exchange(tmp_path: Path, way: str) -> None:
    """Of the agent, at the place and under the target of its handshake."""
    async with echoing() as echo, WAYS[way][0](tmp_path) as proxy:  # type: ignore[attr-defined]
        agent = await _opened(proxy, echo, way)
        agent.send(frame(1, b"one") + frame(1, b"two", first=0) + frame(0, b"!"))
        assert await _read(agent, 2) == [(Opcode.TEXT, b"one"), (Opcode.TEXT, b"two!")]
        handshake, *messages = proxy.governor.exchanges
        assert [one.request.body for one in messages] == [b"one", b"two!"]
        for one in messages:
            assert one.principal.agent == handshake.principal.agent
            assert one.request.authority == handshake.request.authority
            assert one.request.target == handshake.request.target
            assert one.request.message is Message.TEXT
        assert len({one.request_id for one in proxy.governor.exchanges}) == 3
        agent.close()
        async with asyncio.timeout(SECONDS_MAX):
            await echo.has_ended.wait()


async def test_a_key_that_ends_ends_it(tmp_path: Path) -> None:
    """With the next message: an open WebSocket does not outlive its agent's key."""
    make_proxy, _ = WAYS["in a tunnel"]
    async with echoing() as echo, make_proxy(tmp_path) as proxy:  # type: ignore[attr-defined]
        agent = await _opened(proxy, echo, "in a tunnel")
        proxy.governor.is_disabled = True
        agent.send(frame(1, b"one"))
        reason = b"\x03\xf0checkrein: agent.unknown"
        assert await agent.read_rest() == bytes((0x88, len(reason))) + reason
        assert [error.code for error in proxy.governor.refusals] == ["agent.unknown"]
        assert len(proxy.governor.exchanges) == 1
