"""The untouched passing of bytes between an agent and an upstream, with back-pressure both ways:
for passthrough hosts, and for what a WebSocket carries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.intercept.deadline import Deadline
from gateway.ports import Wire


class _End:
    """One direction: what this wire reads is written to `other`."""

    def __init__(self, own: Wire, other: Wire, tunnel: _Tunnel) -> None:
        self.bytes = 0
        self._own = own
        self._other = other
        self._tunnel = tunnel

    def wire_data(self, data: bytes) -> None:
        self.bytes += len(data)
        self._tunnel.touch()
        self._other.write(data)

    def wire_eof(self) -> None:
        self._tunnel.end()

    def wire_full(self) -> None:
        self._other.pause_reading()

    def wire_drained(self) -> None:
        self._tunnel.touch()
        self._other.resume_reading()

    def wire_lost(self, error: Exception | None) -> None:
        self._tunnel.end()


class _Tunnel:
    def __init__(self, agent: Wire, upstream: Wire, idle_seconds_max: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_seconds_max = idle_seconds_max
        self._ended = asyncio.Event()
        self._deadline = Deadline(self._loop, self.end)
        self._wires = (agent, upstream)
        self._sent = _End(agent, upstream, self)
        self._received = _End(upstream, agent, self)
        agent.receiver, upstream.receiver = self._sent, self._received

    def touch(self) -> None:
        if not self._ended.is_set():
            self._deadline.set(self._loop.time() + self._idle_seconds_max)

    def end(self) -> None:
        self._ended.set()

    async def run(self, note_end: Callable[[int, int], None]) -> None:
        self.touch()
        if any(wire.is_closing for wire in self._wires):
            self.end()  # lost before anybody was told
        for wire in self._wires:
            wire.resume_reading()
        try:
            await self._ended.wait()
        finally:
            self._deadline.end()
            for wire in self._wires:
                wire.close()
            note_end(self._sent.bytes, self._received.bytes)


async def splice(
    agent: Wire, upstream: Wire, idle_seconds_max: float, note_end: Callable[[int, int], None]
) -> None:
    """Pass bytes both ways until either side ends or nothing moves.

    Both wires are closed afterwards; what was read is still written. `note_end` is told the bytes
    sent and received, also of what is cancelled.
    """
    await _Tunnel(agent, upstream, idle_seconds_max).run(note_end)
