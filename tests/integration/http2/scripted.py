"""An upstream of HTTP/2 that reads requests properly and answers in frames of the test's making."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

from gateway.model.exchange import Header


class ScriptedUpstream:
    """`answer` gives the bytes to write when the request of a stream is whole, or, with
    `answers_at_once`, when its head is there. With `pours` a body follows that never ends."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[list[Header]] = []
        self.body = b""
        self.answer: Callable[[int], bytes] = lambda _: b""
        self.answers_at_once = False
        self.pours = False
        self.poured = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        link.initiate_connection()
        writer.write(link.data_to_send())
        with suppress(ConnectionError, ProtocolError, ssl.SSLError):
            while received := await reader.read(65_536):
                for event in link.receive_data(received):
                    self._take(event, writer)
                writer.write(link.data_to_send())
                if self.pours and self.requests:
                    await self._pour(writer, link)
        writer.close()

    def _take(self, event: object, writer: asyncio.StreamWriter) -> None:
        match event:
            case RequestReceived():
                listed = [(bytes(name), bytes(value)) for name, value in event.headers]
                self.requests.append(listed)
                if self.answers_at_once:
                    writer.write(self.answer(event.stream_id))
            case DataReceived():
                self.body += event.data
            case StreamEnded() if not self.answers_at_once:
                writer.write(self.answer(event.stream_id))
            case _:
                pass

    async def _pour(self, writer: asyncio.StreamWriter, link: H2Connection) -> None:
        """Write what the other side's socket takes, beyond any window if it lets that happen."""
        head = (16_384).to_bytes(3, "big") + b"\0\0" + (1).to_bytes(4, "big")
        while self.poured < 262_144 - 16_384:
            writer.write(head + b"x" * 16_384)
            self.poured += 16_384
            await writer.drain()


@asynccontextmanager
async def scripted_upstream(context: ssl.SSLContext) -> AsyncIterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await upstream.serve(reader, writer)
        tasks.discard(task)

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
