"""An agent on loopback for the tests of the listener: asyncio streams, real TLS, any bytes."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.listener import Listener
from gateway.intercept.settings import InterceptSettings
from tests.support.fakes import FakeClock, FakeGovernor, numbered_ids

SECONDS_MAX = 9.0
"""Patient with a busy machine, and less than the 10 s after which the gateway ends what is slow
where a test gave it no shorter limit."""
SETTINGS = InterceptSettings(proxy_port=0)
CREDENTIALS = b"Proxy-Authorization: Basic " + base64.b64encode(b"agent+r1:secret") + b"\r\n"


@dataclass
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Agent:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read_head(self) -> tuple[int, dict[bytes, bytes]]:
        async with asyncio.timeout(SECONDS_MAX):
            head = await self.reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        headers = {}
        for text in lines:
            name, _, value = text.partition(b": ")
            assert name.lower() not in headers, f"{name!r} came twice"
            headers[name.lower()] = value
        return int(line.split(b" ")[1]), headers

    async def read_answer(self, *, is_head: bool = False) -> Answer:
        status, headers = await self.read_head()
        body = b""
        if is_head or status in (204, 304) or status < 200:
            pass
        elif b"content-length" in headers:
            body = await self.reader.readexactly(int(headers[b"content-length"]))
        elif b"transfer-encoding" in headers:
            while chunk := await self.read_chunk():
                body += chunk
        else:
            body = await self.read_rest()
        return Answer(status, headers, body)

    async def read_chunk(self) -> bytes:
        async with asyncio.timeout(SECONDS_MAX):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def read_rest(self) -> bytes:
        async with asyncio.timeout(SECONDS_MAX):
            return await self.reader.read()

    async def ask(self, data: bytes) -> Answer:
        self.send(data)
        return await self.read_answer()

    async def start_tls(self, context: ssl.SSLContext, name: str | None) -> None:
        await self.writer.start_tls(context, server_hostname=name)

    def close(self) -> None:
        self.writer.transport.abort()


class Proxy:
    """A listener with a fake governor behind it."""

    def __init__(
        self, listener: Listener, governor: FakeGovernor, ca: CertificateAuthority
    ) -> None:
        self.listener = listener
        self.governor = governor
        self.ca = ca
        self.agents: list[Agent] = []

    def context(self) -> ssl.SSLContext:
        """What a strict client of today trusts: Python 3.13 sets the flag by itself."""
        context = ssl.create_default_context(cafile=str(self.ca.ca_pem_file))
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    async def dial(self) -> Agent:
        agent = Agent(*await asyncio.open_connection(*self.listener.address))
        self.agents.append(agent)
        return agent

    async def connect(self, authority: bytes = b"api.test:443") -> Agent:
        agent = await self.dial()
        agent.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (authority, authority))
        agent.send(CREDENTIALS + b"\r\n")
        status, _ = await agent.read_head()
        assert status == 200, status
        return agent

    async def tunnel(self, authority: bytes = b"api.test:443", name: str = "api.test") -> Agent:
        agent = await self.connect(authority)
        await agent.start_tls(self.context(), name)
        return agent


@asynccontextmanager
async def running_proxy(folder: Path, **overrides: object) -> AsyncIterator[Proxy]:
    governor = FakeGovernor()
    ca = CertificateAuthority.load_or_make(folder / "ca")
    settings = replace(SETTINGS, **overrides)  # type: ignore[arg-type]
    listener = Listener(settings, governor, ca, FakeClock(), numbered_ids())
    await listener.start()
    proxy = Proxy(listener, governor, ca)
    try:
        yield proxy
    finally:
        for agent in proxy.agents:
            agent.close()
        await listener.drain(1.0)
        assert listener.connections == 0, "a session outlived its listener"


def post(body: bytes, extra: bytes = b"", path: bytes = b"/v1/things") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: api.test\r\nContent-Length: %d\r\n%b\r\n%b" % (
        path,
        len(body),
        extra,
        body,
    )


GET = b"GET /v1/things?a=b HTTP/1.1\r\nHost: api.test\r\n\r\n"
