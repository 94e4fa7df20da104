"""Keeps connections to upstreams: hands out idle ones, opens new ones within bounds, queues the
rest.

Knows neither HTTP nor TLS: how to connect is given to it. It must never hand out a connection that
another agent has used, so that an upstream that is out of step answers nobody else, and never open
more than its limits, since a burst of handshakes makes all of them fail.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.enforce.connection import Connection
from gateway.model.dataclass import dataclass
from gateway.model.errors import UpstreamError
from gateway.ports import Clock


class Origin(NamedTuple):
    """Where connections lead: they are shared only within one origin. A key on the hot path, where
    a tuple costs a quarter of a dataclass."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """See `UpstreamSettings` for units and reasons."""

    idle_seconds_max: float
    idle_count_max: int
    idle_total_max: int
    connects_max: int
    connections_max: int
    queue_count_max: int
    queue_seconds_max: float


Waiter = asyncio.Future[Connection | None]
"""Gets an idle connection, or None: a place to connect, already counted."""


class _Lane:
    """The connections of one origin. `idle` holds them by agent, oldest first."""

    __slots__ = ("connecting", "idle", "idle_count", "open_count", "waiters")

    def __init__(self) -> None:
        self.idle: dict[str, list[Connection]] = {}
        self.idle_count = 0
        self.open_count = 0
        self.connecting = 0
        self.waiters: deque[tuple[Waiter, str]] = deque()

    @property
    def is_empty(self) -> bool:
        return not self.open_count and not self.waiters


class ConnectionPool:
    """All connections of the way out. `connect` opens one; the pool counts it."""

    def __init__(
        self,
        limits: PoolLimits,
        clock: Clock,
        connect: Callable[[Origin, str], Awaitable[Connection]],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._connect = connect
        self._lanes: dict[Origin, _Lane] = {}
        self._origins: dict[Connection, Origin] = {}
        self._idle_total = 0
        self._is_closed = False

    @property
    def open_count(self) -> int:
        """Connections open or opening."""
        return sum(lane.open_count for lane in self._lanes.values())

    @property
    def idle_count(self) -> int:
        return self._idle_total

    def take(self, origin: Origin, agent: str) -> Connection | None:
        """The idle connection of this agent that was used last, if it is young enough: the one
        least likely to be closed by the other side just now."""
        lane = self._lanes.get(origin)
        stack = lane.idle.get(agent) if lane is not None else None
        if lane is None or not stack:
            return None
        if stack[-1].idle_since + self._limits.idle_seconds_max < self._clock.monotonic():
            self.sweep()
            return None
        lane.idle_count -= 1
        self._idle_total -= 1
        return stack.pop()

    async def open(self, origin: Origin, agent: str) -> Connection:
        """Open a connection, or wait for one to be free where the limits are reached.

        Raises:
            UpstreamError: it can't be connected, or `upstream.busy` (503): the queue is full or
                took too long.
        """
        lane = self._lanes.get(origin)
        if lane is None:
            lane = self._lanes[origin] = _Lane()
        if lane.waiters or not self._has_room(lane):
            self._make_room(lane)
            found = await self._wait(lane, agent)
            if found is not None:
                return found
        else:
            self._reserve(lane)
        return await self._open_reserved(lane, origin, agent)

    def give_back(self, connection: Connection) -> None:
        """Take a connection that may carry another request."""
        lane = self._lanes[self._origins[connection]]
        for entry in lane.waiters:
            waiter, agent = entry
            if agent == connection.agent and not waiter.done():
                lane.waiters.remove(entry)
                waiter.set_result(connection)
                return
        if self._is_closed or lane.waiters or not self._has_room_for_idle(lane):
            connection.retire()
            return
        connection.idle_since = self._clock.monotonic()
        lane.idle.setdefault(connection.agent, []).append(connection)
        lane.idle_count += 1
        self._idle_total += 1

    def forget(self, connection: Connection) -> None:
        """Count a connection as gone; an idle one is taken out."""
        origin = self._origins.pop(connection, None)
        if origin is None:
            return
        lane = self._lanes[origin]
        stack = lane.idle.get(connection.agent)
        if stack and connection in stack:
            stack.remove(connection)
            lane.idle_count -= 1
            self._idle_total -= 1
        lane.open_count -= 1
        self._wake(lane)
        self._drop_lane(origin, lane)

    def sweep(self) -> None:
        """Close what has been idle for too long."""
        self._close_idle_since(self._clock.monotonic() - self._limits.idle_seconds_max)

    def close_idle(self) -> None:
        """Close all that nobody uses just now."""
        self._close_idle_since(math.inf)

    def _close_idle_since(self, oldest: float) -> None:
        for origin, lane in list(self._lanes.items()):
            for agent, stack in list(lane.idle.items()):
                for connection in [item for item in stack if item.idle_since < oldest]:
                    connection.retire()  # which takes it out of the stack
                if not stack:
                    lane.idle.pop(agent, None)
            self._drop_lane(origin, lane)

    def close(self) -> None:
        """Close every connection; those in use are cut, and those who wait are refused."""
        self._is_closed = True
        for lane in self._lanes.values():
            while lane.waiters:
                waiter, _ = lane.waiters.popleft()
                if not waiter.done():
                    waiter.set_exception(_busy("the gateway is stopping"))
        for connection in list(self._origins):
            connection.drop()

    # --- places -----------------------------------------------------------------------------------

    def _has_room(self, lane: _Lane) -> bool:
        limits = self._limits
        return lane.connecting < limits.connects_max and lane.open_count < limits.connections_max

    def _has_room_for_idle(self, lane: _Lane) -> bool:
        limits = self._limits
        return lane.idle_count < limits.idle_count_max and self._idle_total < limits.idle_total_max

    def _make_room(self, lane: _Lane) -> None:
        """Close the oldest idle connection where only idle ones of other agents fill the lane."""
        if lane.open_count >= self._limits.connections_max and lane.idle_count:
            idle = [connection for stack in lane.idle.values() for connection in stack]
            min(idle, key=lambda connection: connection.idle_since).retire()

    def _reserve(self, lane: _Lane) -> None:
        lane.connecting += 1
        lane.open_count += 1

    def _unreserve(self, lane: _Lane) -> None:
        lane.connecting -= 1
        lane.open_count -= 1
        self._wake(lane)

    def _wake(self, lane: _Lane) -> None:
        while lane.waiters and self._has_room(lane):
            waiter, _ = lane.waiters.popleft()
            if not waiter.done():
                self._reserve(lane)
                waiter.set_result(None)

    async def _wait(self, lane: _Lane, agent: str) -> Connection | None:
        if self._is_closed or len(lane.waiters) >= self._limits.queue_count_max:
            raise _busy("too many requests wait for a connection to this upstream")
        waiter: Waiter = asyncio.get_running_loop().create_future()
        entry = (waiter, agent)
        lane.waiters.append(entry)
        self._wake(lane)
        try:
            async with asyncio.timeout(self._limits.queue_seconds_max):
                return await waiter
        except TimeoutError as error:
            self._leave(lane, entry)
            raise _busy("no connection to this upstream became free in time") from error
        except asyncio.CancelledError:
            self._leave(lane, entry)
            raise

    def _leave(self, lane: _Lane, entry: tuple[Waiter, str]) -> None:
        """Stop waiting; what was handed over in the meantime goes to the next."""
        waiter, _ = entry
        if entry in lane.waiters:
            lane.waiters.remove(entry)
        if not waiter.done() or waiter.cancelled() or waiter.exception() is not None:
            return
        connection = waiter.result()
        if connection is None:
            self._unreserve(lane)
        elif not connection.is_gone:
            self.give_back(connection)

    async def _open_reserved(self, lane: _Lane, origin: Origin, agent: str) -> Connection:
        try:
            connection = await self._connect(origin, agent)
        except BaseException:
            self._unreserve(lane)
            self._drop_lane(origin, lane)
            raise
        if connection.is_gone:
            self._unreserve(lane)
            raise UpstreamError("upstream.closed", "the upstream closed at once", sent=False)
        self._origins[connection] = origin
        lane.connecting -= 1
        self._wake(lane)
        if self._is_closed:
            connection.drop()
            raise _busy("the gateway is stopping")
        return connection

    def _drop_lane(self, origin: Origin, lane: _Lane) -> None:
        if lane.is_empty and self._lanes.get(origin) is lane:
            del self._lanes[origin]


def _busy(message: str) -> UpstreamError:
    return UpstreamError("upstream.busy", message, sent=False, status=503)
