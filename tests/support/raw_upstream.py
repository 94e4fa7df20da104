"""A TLS server on loopback that does exactly what a test says, and remembers what reached it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Script = Callable[["RawPeer"], Awaitable[None]]


class RawPeer:
    """One accepted connection, as its script sees it."""

    def __init__(
        self, upstream: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.upstream = upstream
        self.reader = reader
        self.writer = writer

    async def read_request(self) -> tuple[bytes, bytes]:
        """The next head and body; counts it. Raises IncompleteReadError at the end."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.upstream.heads.append(head)
        body = await self._read_body(head.lower())
        self.upstream.bodies.append(body)
        return head, body

    async def _read_body(self, head: bytes) -> bytes:
        if b"transfer-encoding: chunked" in head:
            body = b""
            while True:
                size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
                body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
                if not size:
                    return body
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return await self.reader.readexactly(int(line.partition(b":")[2]))
        return b""

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def wait_end(self) -> None:
        """Until the gateway ends its side, however it does that."""
        with suppress(OSError):
            while await self.reader.read(65_536):
                pass
        self.upstream.ended.set()

    def reset(self) -> None:
        """Send RST, or at least no close_notify."""
        self.writer.transport.abort()


class RawUpstream:
    """Counts connections (also failed handshakes are seen by `heads` staying empty)."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.open_now = 0
        self.open_most = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.ended = asyncio.Event()


@asynccontextmanager
async def run_upstream(
    script: Script, context: ssl.SSLContext | None
) -> AsyncIterator[RawUpstream]:
    """Serve while the block runs; a script that raises is a failure of the test."""
    upstream = RawUpstream()
    failures: list[BaseException] = []
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        upstream.connections += 1
        upstream.open_now += 1
        upstream.open_most = max(upstream.open_most, upstream.open_now)
        try:
            await script(RawPeer(upstream, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the gateway left
        except asyncio.CancelledError:
            pass  # the test is over
        except BaseException as error:
            failures.append(error)
        finally:
            upstream.open_now -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks))
    assert not failures, failures


def answer_each(response: bytes) -> Script:
    """Answer every request of a connection with the same bytes."""

    async def script(peer: RawPeer) -> None:
        while True:
            await peer.read_request()
            peer.write(response)

    return script
