"""What a WebSocket carries, by every way in, between a real agent and a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.enforce.dialler import Unclaimed
from gateway.model.exchange import Exchange, ResponseHead
from gateway.ports import AgentChannel, Switched
from gateway.wire.socket_wire import connect
from tests.integration.intercept.agent import CREDENTIALS, SECONDS_MAX, Agent, Proxy, running_proxy
from tests.integration.intercept.test_base_urls import KEY, base_urls

HANDSHAKE = (
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
HEAD = ResponseHead(
    101, b"Switching Protocols", ((b"Sec-WebSocket-Accept", b"x"), (b"Server", b"s")), None, False
)
EARLY = b"early"
LARGE = b"0123456789abcdef" * 400_000


class Echo:
    """An upstream that is switched already: it sends back whatever comes."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, int]] = []
        self.has_ended = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def carry(self, _exchange: Exchange, channel: AgentChannel) -> None:
        """What the pipeline does with a handshake that was let through."""
        wire = await connect(("127.0.0.1", self.port), Unclaimed(), SECONDS_MAX)
        wire.pause_reading()
        await channel.carry(Switched(HEAD, wire, EARLY), self._note_end)

    def _note_end(self, sent_bytes: int, received_bytes: int) -> None:
        self.ended.append((sent_bytes, received_bytes))
        self.has_ended.set()


@asynccontextmanager
async def echoing() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with server:
        echo.port = server.sockets[0].getsockname()[1]
        yield echo


async def _tunnelled(proxy: Proxy) -> Agent:
    agent = await proxy.tunnel()
    agent.send(b"GET /live HTTP/1.1\r\nHost: api.test\r\n" + HANDSHAKE + b"\r\n")
    return agent


async def _plain(proxy: Proxy) -> Agent:
    agent = await proxy.dial()
    line = b"GET http://api.test/live HTTP/1.1\r\nHost: api.test\r\n"
    agent.send(line + CREDENTIALS + HANDSHAKE + b"\r\n")
    return agent


async def _by_base_url(proxy: Proxy) -> Agent:
    agent = await proxy.dial()
    line = b"GET /stripe/live HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
    agent.send(line + KEY + HANDSHAKE + b"\r\n")
    return agent


Ask = Callable[[Proxy], Awaitable[Agent]]
WAYS: dict[str, tuple[Callable[[Path], object], Ask]] = {
    "in a tunnel": (running_proxy, _tunnelled),
    "through a plain proxy": (running_proxy, _plain),
    "by a base URL": (base_urls, _by_base_url),
}


@pytest.mark.parametrize("way", WAYS)
async def test_bytes_pass_both_ways(tmp_path: Path, way: str) -> None:
    """The 101 in our framing, what came with it, then everything, counted; and it is known for
    what it is."""
    make_proxy, ask = WAYS[way]
    async with echoing() as echo, make_proxy(tmp_path) as proxy:  # type: ignore[attr-defined]
        proxy.governor.govern_with = echo.carry
        agent = await ask(proxy)
        status, headers = await agent.read_head()
        assert status == 101
        assert (headers[b"upgrade"], headers[b"connection"]) == (b"websocket", b"Upgrade")
        assert headers[b"sec-websocket-accept"] == b"x"
        assert await agent.reader.readexactly(len(EARLY)) == EARLY
        agent.send(LARGE)
        assert await agent.reader.readexactly(len(LARGE)) == LARGE
        agent.close()
        async with asyncio.timeout(SECONDS_MAX):
            await echo.has_ended.wait()
        assert echo.ended == [(len(LARGE), len(LARGE))]
        (exchange,) = proxy.governor.exchanges
        assert exchange.request.is_websocket


async def test_a_silent_one_ends(tmp_path: Path) -> None:
    """After the idle time of tunnels, both sides are closed."""
    async with echoing() as echo, running_proxy(tmp_path, tunnel_idle_seconds_max=0.05) as proxy:
        proxy.governor.govern_with = echo.carry
        agent = await _tunnelled(proxy)
        await agent.read_head()
        assert await agent.read_rest() == EARLY
        assert echo.ended == [(0, 0)]


async def test_an_agent_that_speaks_too_soon_is_cut(tmp_path: Path) -> None:
    """Frames before the 101 could be taken for another request by somebody: nothing passes."""
    go = asyncio.Event()
    async with echoing() as echo, running_proxy(tmp_path) as proxy:

        async def carry_late(exchange: Exchange, channel: AgentChannel) -> None:
            await go.wait()
            await echo.carry(exchange, channel)

        proxy.governor.govern_with = carry_late
        agent = await _plain(proxy)
        await proxy.governor.until(lambda: len(proxy.governor.exchanges) == 1)
        agent.send(b"\x81\x80")
        while not _is_read(proxy):
            await asyncio.sleep(0)
        go.set()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await agent.read_head()
        assert echo.ended == [(0, 0)]


def _is_read(proxy: Proxy) -> bool:
    (session,) = proxy.listener._sessions.values()
    return session.inlet.buffered_bytes > 0


async def test_bytes_behind_a_handshake_are_refused(tmp_path: Path) -> None:
    """The same in one segment: nobody is asked, and nothing is decided."""
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.tunnel()
        line = b"GET /live HTTP/1.1\r\nHost: api.test\r\n"
        answer = await agent.ask(line + HANDSHAKE + b"\r\n\x81\x80")
        assert answer.status == 400
        assert [error.code for error in proxy.governor.refusals] == ["upgrade.early_bytes"]
        assert proxy.governor.exchanges == []


async def test_a_page_of_somebody_elses_opens_none(tmp_path: Path) -> None:
    """A browser lets any page open a WebSocket here, with the sidecar's rights."""
    async with base_urls(tmp_path, "sidecar") as proxy:
        for origin, status in ((b"https://evil.test", 403), (b"http://127.0.0.1:1", 200)):
            agent = await proxy.dial()
            line = b"GET /stripe/live HTTP/1.1\r\nHost: 127.0.0.1:1\r\nOrigin: " + origin
            agent.send(line + b"\r\n" + HANDSHAKE + b"\r\n")
            assert (await agent.read_answer()).status == status
