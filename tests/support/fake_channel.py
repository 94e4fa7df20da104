"""The agent's side of an exchange, in memory: writes down what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from gateway.model.exchange import Header, Response, ResponseHead
from gateway.ports import Flow, Switched


class FakeChannel:
    """`ports.AgentChannel`. `pieces` is the body that streams; `go` makes the agent leave.

    A piece that is an exception is raised in its place; `hang` never gives the next piece, and
    keeps a WebSocket open until it is cut.
    """

    def __init__(self, pieces: Sequence[bytes | Exception] = (), *, hang: bool = False) -> None:
        self.pieces = pieces
        self.hang = hang
        self.head: ResponseHead | None = None
        self.body = bytearray()
        self.response: Response | None = None
        self.end: str | None = None
        self.trailers: Sequence[Header] = ()
        self.flow: Flow | None = None
        self.switched: Switched | None = None
        self.pieces_taken = 0
        self.pause_at: int | None = None
        self.has_begun = asyncio.Event()
        self._gone = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def wait_gone(self) -> None:
        await self._gone.wait()

    def go(self) -> None:
        self._gone.set()

    def respond(self, response: Response) -> None:
        assert self.head is None
        assert self.response is None
        self.response = response

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        assert self.head is None, "one answer for each request"
        self.head, self.flow = head, flow
        self.has_begun.set()

    def write(self, data: bytes) -> None:
        assert self.head is not None
        assert self.end is None
        self.body += data
        if self.pause_at is not None and len(self.body) >= self.pause_at and self.flow:
            self.pause_at = None
            self.flow.pause_reading()

    def finish(self, trailers: Sequence[Header] = ()) -> None:
        assert self.end is None
        self.trailers = trailers
        self.end = "finished"

    def cut(self) -> None:
        assert self.end is None
        self.end = "cut"

    async def carry(self, switched: Switched, note_end: Callable[[int, int], None]) -> None:
        assert self.response is None
        self.switched = switched
        self.has_begun.set()
        try:
            while self.hang and not switched.wire.is_closing:
                await asyncio.sleep(0)
        finally:
            note_end(3, 5)

    async def body_rest(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            self.pieces_taken += 1
            yield piece
        if self.hang:
            await asyncio.Event().wait()
