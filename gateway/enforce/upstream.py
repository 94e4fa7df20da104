"""A permitted request -> bytes upstream over verified TLS, and the answer relayed.

Opens for a `Permit` and for nothing else. It never follows a redirect, never repeats what may have
changed something, and never calls an outcome known that it doesn't know.

INVARIANT(outcome): NOT_SENT only when no byte was handed to a connection; EXECUTED only when the
upstream ended its answer; everything between is UNKNOWN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from gateway import telemetry
from gateway.enforce import gate
from gateway.enforce.connection import REFUSED, Connection, Deadlines, Ending, Turn
from gateway.enforce.destination import DestinationGuard
from gateway.enforce.dialler import HTTP2_SCHEME, Dialler, DialLimits, Trust, Unclaimed
from gateway.enforce.http1_request import CHUNKED_END, SAFE_METHODS, chunk, request_head
from gateway.enforce.http1_response import ResponseLimits
from gateway.enforce.pool import ConnectionPool, Origin, PoolLimits
from gateway.model.dataclass import dataclass
from gateway.model.decision import Permit, ReasonCode
from gateway.model.errors import AgentProtocolError, CheckreinError, UpstreamError
from gateway.model.exchange import Authority, Exchange, HttpRequest
from gateway.model.grpc import is_grpc_call
from gateway.model.record import Outcome
from gateway.model.stop import Stop
from gateway.ports import AgentChannel, Clock, Sent, Wire

if TYPE_CHECKING:
    from gateway.enforce.http2_connection import Http2Connection

FindStop = Callable[[], Stop | None]


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Limits of the way out. Counts are per upstream (scheme, host and port).

    upstream_ca: PEM file of roots beside the system's; for private endpoints and mocks.
    upstream_connect_seconds_max: over all addresses of a name; two lost SYNs take 3 s.
    upstream_tls_seconds_max: a handshake is two round trips; the rest is a busy upstream.
    upstream_first_byte_seconds_max: language models think for minutes before the first byte.
    upstream_quiet_seconds_max: between bytes of an answer; event streams ping at 15 to 60 s.
    upstream_stalled_seconds_max: the upstream takes nothing of the request's body.
    upstream_paused_seconds_max: the agent takes nothing of the answer, holding a connection.
    upstream_idle_seconds_max: below the shortest keep-alive that is common (Node's 5 s answers
        are caught by the end it sends; nginx and the clouds use 60 to 75 s), so that a request
        rarely meets a connection that is just being closed.
    upstream_idle_count_max, upstream_idle_total_max: idle connections kept, for one upstream and
        for all; each costs some 40 KB. Where fewer are kept than there are answers in one turn of
        the loop, the next turn opens them anew: with 64 and 256 busy agents, TLS handshakes were
        most of all CPU.
    upstream_connects_max: handshakes at once; in a burst of 2,000 one in fourteen failed.
    upstream_connections_max: held by long answers (models stream for minutes).
    upstream_queue_count_max, upstream_queue_seconds_max: who waits for a connection, how long.
    upstream_watch_seconds: how often deadlines and gone agents are looked for.
    """

    upstream_ca: str = ""
    upstream_connect_seconds_max: float = 10.0
    upstream_tls_seconds_max: float = 10.0
    upstream_first_byte_seconds_max: float = 900.0
    upstream_quiet_seconds_max: float = 300.0
    upstream_stalled_seconds_max: float = 60.0
    upstream_paused_seconds_max: float = 300.0
    upstream_idle_seconds_max: float = 20.0
    upstream_idle_count_max: int = 256
    upstream_idle_total_max: int = 1_024
    upstream_connects_max: int = 64
    upstream_connections_max: int = 512
    upstream_queue_count_max: int = 2_000
    upstream_queue_seconds_max: float = 60.0
    upstream_watch_seconds: float = 0.25

    @property
    def pool_limits(self) -> PoolLimits:
        return PoolLimits(
            idle_seconds_max=self.upstream_idle_seconds_max,
            idle_count_max=self.upstream_idle_count_max,
            idle_total_max=self.upstream_idle_total_max,
            connects_max=self.upstream_connects_max,
            connections_max=self.upstream_connections_max,
            queue_count_max=self.upstream_queue_count_max,
            queue_seconds_max=self.upstream_queue_seconds_max,
        )

    @property
    def deadlines(self) -> Deadlines:
        return Deadlines(
            first_byte=self.upstream_first_byte_seconds_max,
            quiet=self.upstream_quiet_seconds_max,
            stalled=self.upstream_stalled_seconds_max,
            paused=self.upstream_paused_seconds_max,
        )

    @property
    def dialling(self) -> DialLimits:
        return DialLimits(
            self.upstream_ca,
            self.upstream_connect_seconds_max,
            self.upstream_tls_seconds_max,
            ResponseLimits(),
            self.deadlines,
        )


# Looked up once, as in `telemetry`.
_REUSED: Final = telemetry.UPSTREAM_CONNECTIONS.labels("true")
_OPENED: Final = telemetry.UPSTREAM_CONNECTIONS.labels("false")

_EXECUTED: Final = Outcome.EXECUTED

_ONE_WRITE_BYTES_MAX: Final = 65_536
"""Head and body up to this go in one write, which is one TLS record and one system call fewer;
above it the copy costs more."""


class UpstreamPool:
    """The real `ports.Upstream`. One per gateway; used on one event loop.

    Raises:
        ConfigurationError: the extra CA file can't be read.
    """

    def __init__(
        self, settings: UpstreamSettings, guard: DestinationGuard, clock: Clock, trust: Trust = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._dialler = Dialler(settings.dialling, guard, clock, trust)
        self._pool = ConnectionPool(settings.pool_limits, clock, self._connect)
        self._active: dict[Turn, Connection] = {}
        self._watch: asyncio.TimerHandle | None = None
        # Added to the metrics by the watch, since that costs more than the rest of reusing one.
        self._reused_count = 0
        self._opened_count = 0

    async def send(
        self, permit: Permit, exchange: Exchange, channel: AgentChannel, find_stop: FindStop
    ) -> Sent:
        assert permit.request_id == exchange.request_id, "a permit is for one request"
        request = exchange.request
        started = self._clock.monotonic()
        try:
            head = request_head(request)
            sent = await self._attempt(exchange, channel, head, find_stop)
            if sent is None:
                sent = await self._attempt(exchange, channel, head, find_stop, is_second=True)
            assert sent is not None, "only a first attempt may be repeated"
        except UpstreamError as error:
            # Nothing raises once a byte was handed over; from then on it is an `Ending`.
            sent = _not_sent(error)
        telemetry.UPSTREAM_SECONDS.observe(self._clock.monotonic() - started)
        return sent

    async def open_tunnel(self, permit: Permit, authority: Authority) -> Wire:
        return await self._dialler.dial(authority, Unclaimed())

    def reload_trust(self) -> None:
        """Read the roots that upstreams are verified by again. Idle connections were verified by
        the old ones, and end; requests that are on their way don't.

        Raises:
            ConfigurationError: they can't be read; those that were there stay.
        """
        self._dialler.load_trust()
        self._pool.close_idle()

    async def close(self) -> None:
        """Close idle connections and cut those in use, whose outcome is then unknown."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._count_connections()
        self._pool.close()

    # --- one request ------------------------------------------------------------------------------

    async def _attempt(
        self,
        exchange: Exchange,
        channel: AgentChannel,
        head: bytes,
        find_stop: FindStop,
        *,
        is_second: bool = False,
    ) -> Sent | None:
        """Send on one connection. None means: it was a stale one, and the request may go again.

        Raises:
            UpstreamError: no connection could be had; nothing was sent.
        """
        request = exchange.request
        agent = exchange.principal.agent
        scheme = HTTP2_SCHEME if request.is_http2 else request.scheme
        origin = Origin(scheme, request.authority.host, request.authority.port)
        is_fresh = is_second or request.is_websocket
        connection = None if is_fresh else self._pool.take(origin, agent)
        # One that was waited for may have ended before this task ran again.
        while connection is None or connection.is_gone:
            connection = await self._pool.open(origin, agent)
        if channel.is_gone:
            self._pool.give_back(connection)
            raise UpstreamError("agent_gone", "the agent is gone", sent=False)
        if request.is_http2 and not connection.is_http2 and is_grpc_call(request.fields):
            self._pool.give_back(connection)
            raise UpstreamError(
                "upstream.no_http2", "the upstream speaks no HTTP/2, which gRPC needs", sent=False
            )
        stop = find_stop()
        if stop is not None:
            self._pool.give_back(connection)
            raise UpstreamError(ReasonCode.KILL_SWITCH, stop.message, sent=False, status=403)
        was_used = connection.uses > 0
        if was_used:
            self._reused_count += 1
        else:
            self._opened_count += 1
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        turn = Turn(channel, ended, self._clock.monotonic())
        self._active[turn] = connection
        self._keep_watch()
        upload: asyncio.Task[None] | None = None
        try:
            if request.is_websocket:
                connection.start_websocket(turn, request, head)
            elif request.body is None:
                upload = self._start_upload(connection, turn, request, head, find_stop)
            elif connection.is_http2:
                cast("Http2Connection", connection).start_request(turn, request)
            elif len(request.body) <= _ONE_WRITE_BYTES_MAX:
                connection.start(turn, request.method, head + request.body)
            else:
                connection.start(turn, request.method, head, request.body)
            ending = await ended
        except BaseException:
            connection.abandon(turn)
            raise
        finally:
            del self._active[turn]
            if upload is not None:
                await _stop(upload)
        if _is_refused(ending.fault) and request.body is not None and not is_second:
            return None
        may_repeat = was_used and ending.was_silent and not is_second and _is_safe(request)
        if may_repeat and _is_stale(ending.fault):
            return None
        return _make_sent(turn, ending)

    # --- a body that streams ----------------------------------------------------------------------

    def _start_upload(
        self,
        connection: Connection,
        turn: Turn,
        request: HttpRequest,
        head: bytes,
        find_stop: FindStop,
    ) -> asyncio.Task[None]:
        turn.is_uploading = True
        if connection.is_http2:
            cast("Http2Connection", connection).start_request(turn, request)
        else:
            connection.start(turn, request.method, head)
        task = asyncio.create_task(
            self._upload(connection, turn, request.body_bytes, find_stop), name="upstream-upload"
        )
        if not connection.is_http2:
            # An answer before the end of the body: nobody wants the rest of it. Over HTTP/2 both
            # may go on beside each other, as calls that stream both ways do.
            turn.on_head = task.cancel
        return task

    async def _upload(
        self, connection: Connection, turn: Turn, length: int | None, find_stop: FindStop
    ) -> None:
        """Send the agent's body piece by piece, at the upstream's pace."""
        left = length
        is_chunked = length is None and not connection.is_http2
        try:
            async for data in turn.channel.body_rest():
                if not data:
                    continue
                if left is not None:
                    left -= len(data)
                    if left < 0:
                        raise AgentProtocolError("body.too_long", "the body exceeds its length")
                _check_stop(find_stop)
                connection.write(chunk(data) if is_chunked else data)
                await connection.wait_drained()
            if left:
                raise AgentProtocolError("body.too_short", "the body ended before its length")
            if length is None:
                _check_stop(find_stop)  # what is not ended is not whole
        except CheckreinError as error:
            connection.fail(error)
            return
        except Exception:
            connection.drop()  # a bug: end the turn, so that `send` sees it
            raise
        if connection.is_http2:
            cast("Http2Connection", connection).end_body()
        elif is_chunked:
            connection.write(CHUNKED_END)
        turn.on_head = None
        turn.is_uploading = False

    # --- connections ------------------------------------------------------------------------------

    async def _connect(self, origin: Origin, agent: str) -> Connection:
        return await self._dialler.open(origin, agent, self._pool.give_back, self._pool.forget)

    # --- watching ---------------------------------------------------------------------------------

    def _keep_watch(self) -> None:
        if self._watch is None:
            seconds = self._settings.upstream_watch_seconds
            self._watch = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Enforce deadlines of requests on their way and the age of idle connections: one timer
        for all, instead of several for each request."""
        self._watch = None
        self._count_connections()
        now = self._clock.monotonic()
        for connection in list(self._active.values()):
            connection.check(now)
        self._pool.sweep()
        if self._active or self._pool.open_count:
            self._keep_watch()

    def _count_connections(self) -> None:
        _REUSED.inc(self._reused_count)
        _OPENED.inc(self._opened_count)
        self._reused_count = self._opened_count = 0


def _check_stop(find_stop: FindStop) -> None:
    stop = find_stop()
    if stop is not None:
        raise AgentProtocolError(ReasonCode.KILL_SWITCH, gate.stopped(stop).message, 403)


def _is_safe(request: HttpRequest) -> bool:
    is_whole = request.body is not None and not request.is_websocket
    return request.method in SAFE_METHODS and is_whole


def _is_stale(fault: CheckreinError | None) -> bool:
    """Whether a connection that was idle turned out to be closed by the other side."""
    return fault is not None and fault.code == "upstream.closed"


def _is_refused(fault: CheckreinError | None) -> bool:
    """Whether the upstream itself says that it has not looked at the request."""
    return fault is not None and fault.code == REFUSED


def _not_sent(error: UpstreamError) -> Sent:
    assert not error.sent, "what was sent ends in an `Ending`"
    return Sent(
        Outcome.NOT_SENT,
        None,
        began=False,
        code=error.code,
        message=error.message,
        error_status=error.status,
    )


def _make_sent(turn: Turn, ending: Ending) -> Sent:
    fault = ending.fault
    if fault is None:
        return Sent(_EXECUTED, turn.status, turn.began, turn.response_bytes, switched=turn.switched)
    status = fault.status if isinstance(fault, UpstreamError | AgentProtocolError) else 502
    return Sent(
        Outcome.UNKNOWN,
        turn.status,
        turn.began,
        turn.response_bytes,
        fault.code,
        fault.message,
        status,
    )


async def _stop(task: asyncio.Task[None]) -> None:
    """End an upload that nobody needs any more; a bug in it is raised."""
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()
