"""An agent that speaks HTTP/2 in frames of its own making, through the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.integration.intercept.agent import Agent, Proxy
from tests.support.frames import Heard

SECONDS_MAX = 9.0


class RawAgent:
    """`send` frames, `until` something came back."""

    def __init__(self, agent: Agent) -> None:
        self.heard = Heard()
        self.is_closed = False
        self._agent = agent

    def send(self, *frames: bytes) -> None:
        self._agent.send(b"".join(frames))

    def close(self) -> None:
        self._agent.close()

    async def until(self, condition: Callable[[Heard], bool]) -> Heard:
        """Read until the condition holds, or the connection ends."""
        async with asyncio.timeout(SECONDS_MAX):
            while not self.is_closed and not condition(self.heard):
                try:
                    received = await self._agent.reader.read(65_536)
                except ConnectionError:
                    received = b""
                self.is_closed = not received
                self.heard.feed(received)
        return self.heard

    async def until_closed(self) -> Heard:
        return await self.until(lambda heard: False)


async def raw_agent(proxy: Proxy, name: str = "api.test") -> RawAgent:
    """A tunnel in whose TLS HTTP/2 was agreed on."""
    agent = await proxy.connect(f"{name}:443".encode())
    context = proxy.context()
    context.set_alpn_protocols(["h2"])
    await agent.start_tls(context, name)
    secured = agent.writer.get_extra_info("ssl_object")
    assert secured.selected_alpn_protocol() == "h2"
    return RawAgent(agent)
