"""One agent connection from its first byte to its last: CONNECT or plain proxy, TLS, exchanges.

One task per connection and one request at a time; what is pipelined waits in the reader and is
decided on its own. Knows nothing of policy: everything is asked of the `Governor`.

INVARIANT(fail-closed): whatever goes wrong here ends in an answer of ours or in a closed
connection, never in a request that was not governed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from gateway import telemetry
from gateway.intercept import answers
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.channel import Channel, whole_answer
from gateway.intercept.deadline import Deadline
from gateway.intercept.http1 import Head, Limits, RequestReader
from gateway.intercept.request import (
    connect_authority,
    make_request,
    parse_credentials,
    proxied_target,
    tunnelled_target,
)
from gateway.intercept.settings import InterceptSettings
from gateway.intercept.tunnel import Gone, peek_hello, served_name, splice
from gateway.model.errors import AgentProtocolError, CheckreinError, RecordError, UpstreamError
from gateway.model.exchange import Authority, Exchange, Principal, Response
from gateway.ports import Clock, Governor, TunnelVerdict, Wire
from gateway.wire.faults import WireError
from gateway.wire.socket_wire import SocketWire
from gateway.wire.tls_wire import start_tls_server

log = logging.getLogger(__name__)

STREAM_BUFFER_BYTES_MAX: Final = 262_144
"""What is read ahead of a body that streams: one read of the wire."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What all sessions share."""

    settings: InterceptSettings
    governor: Governor
    authority: CertificateAuthority
    clock: Clock
    new_id: Callable[[str], str]


class Session:
    """A `WireReceiver`, and `run`: the whole life of the task that serves it."""

    def __init__(self, surroundings: Surroundings) -> None:
        settings = surroundings.settings
        self._s = surroundings
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(
            Limits(settings.head_bytes_max, settings.headers_max, settings.target_bytes_max)
        )
        self._wire: Wire
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = Deadline(self._loop, self._expire)
        self._stall = Deadline(self._loop, self._stalled)
        self._is_gone = False
        self._is_late = False
        self._is_full = False
        self._is_draining = False
        self._is_idle = True
        self._is_reading_paused = False
        self._is_answerable = True
        self._in_flight: Channel | None = None
        self._streams = False
        self._agent: str | None = None
        self._authority: Authority | None = None
        self._credentials: tuple[bytes, Principal] | None = None

    def drain(self) -> None:
        """End after the request in flight; at once when there is none."""
        self._is_draining = True
        if self._is_idle:
            self._leave()

    async def run(self, wire: SocketWire) -> None:
        """Serve the connection to its end. Never raises but for cancellation."""
        self._wire = wire
        try:
            await self._serve(wire)
        except Gone:
            pass
        except WireError:
            self._leave()
        except AgentProtocolError as error:
            self._refuse(error)
        except asyncio.CancelledError:
            self._wire.abort()
            raise
        except Exception:
            log.exception("a connection failed")
            telemetry.BUGS.inc()
            self._answer(answers.fault())
        finally:
            self._leave()
            self._deadline.end()
            self._stall.end()
            self._wire.close()

    # --- what the wire tells ----------------------------------------------------------------------

    def wire_data(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._waiter is not None:
            self._wake()
        elif self._streams:
            if self._reader.buffered_bytes > STREAM_BUFFER_BYTES_MAX:
                self._is_reading_paused = True
                self._wire.pause_reading()
        elif self._reader.buffered_bytes > self._s.settings.pipelined_bytes_max:
            # Reading goes on while a request is in flight so that a leaving agent is noticed
            # (nothing may be sent for it then); what it pipelines is bounded by cutting it off.
            self._wire.abort()
            self._leave()

    def wire_eof(self) -> None:
        self._leave()

    def wire_full(self) -> None:
        self._is_full = True
        self._stall.set(self._loop.time() + self._s.settings.write_stall_seconds_max)
        if self._in_flight is not None:
            self._in_flight.full()

    def wire_drained(self) -> None:
        self._is_full = False
        self._stall.clear()
        if self._in_flight is not None:
            self._in_flight.drained()
        self._wake()

    def wire_lost(self, error: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        self._is_gone = True
        if self._in_flight is not None:
            self._in_flight.leave()
        self._wake()

    def _stalled(self) -> None:
        self._wire.abort()
        self._leave()

    def _expire(self) -> None:
        self._is_late = True
        self._wake()

    # --- waiting ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def _more(self, due_at: float) -> bool:
        """Wait until something happened; False when `due_at` has passed.

        Raises:
            Gone: the agent is.
        """
        if self._is_gone:
            raise Gone
        self._is_late = False
        self._deadline.set(due_at)
        self._waiter = self._loop.create_future()
        if self._is_reading_paused:
            self._is_reading_paused = False
            self._wire.resume_reading()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline.clear()
        if self._is_gone:
            raise Gone
        return not self._is_late

    async def _read_head(self, idle_seconds_max: float) -> Head:
        reader, began = self._reader, self._reader.buffered_bytes > 0
        self._is_idle = not began
        head_seconds_max = self._s.settings.head_seconds_max
        due_at = self._loop.time() + (head_seconds_max if began else idle_seconds_max)
        try:
            while (head := reader.read_head()) is None:
                if self._is_draining and not began:
                    raise Gone
                if not await self._more(due_at):
                    if not began:
                        raise Gone
                    raise AgentProtocolError("request.timed_out", "the head took too long", 408)
                if not began and reader.buffered_bytes:
                    began, self._is_idle = True, False
                    due_at = self._loop.time() + head_seconds_max
        finally:
            self._is_idle = False
        if self._is_gone:
            raise Gone
        return head

    # --- the connection ---------------------------------------------------------------------------

    async def _serve(self, wire: SocketWire) -> None:
        head = await self._read_head(self._s.settings.proxy_head_seconds_max)
        if head.method == "CONNECT":
            await self._serve_tunnel(wire, head)
            return
        while True:
            if head.method == "CONNECT":
                raise AgentProtocolError("request.connect_inside", "CONNECT must come first")
            self._authority, target = proxied_target(head)
            principal = await self._authenticate(head)
            self._s.governor.admit_tunnel(principal, self._authority)
            if not await self._exchange(head, "http", self._authority, target, principal):
                return
            head = await self._read_head(self._s.settings.keep_alive_seconds_max)

    async def _serve_tunnel(self, wire: SocketWire, head: Head) -> None:
        governor, settings = self._s.governor, self._s.settings
        wire.pause_reading()
        authority = self._authority = connect_authority(head)
        principal = await self._authenticate(head)
        if self._reader.buffered_bytes:
            raise AgentProtocolError(
                "tunnel.early_bytes", "bytes came in the tunnel before it was established"
            )
        verdict = governor.admit_tunnel(principal, authority)
        if verdict is TunnelVerdict.PASSTHROUGH:
            await self._pass_through(wire, principal, authority)
            return
        self._is_answerable = False
        wire.write(answers.ESTABLISHED)
        hello = await peek_hello(wire, settings.tls_seconds_max)
        name, mismatch = served_name(hello, authority)
        context = self._s.authority.context_for(name)
        self._wire = await start_tls_server(wire, context, self, settings.tls_seconds_max)
        self._is_answerable = True
        self._reader.start_next()
        while True:
            head = await self._read_head(settings.keep_alive_seconds_max)
            if mismatch is not None:
                # Answered inside the tunnel, under the name that the client asked for: the only
                # place where its user can read why.
                raise mismatch
            if head.method == "CONNECT":
                raise AgentProtocolError("request.connect_inside", "a tunnel carries no CONNECT")
            target = tunnelled_target(head, authority)
            if not await self._exchange(head, "https", authority, target, principal):
                return

    async def _authenticate(self, head: Head) -> Principal:
        """Who acts. A plain proxy connection repeats its credentials with every request."""
        presented = head.control.get(b"proxy-authorization", b"")
        if self._credentials is not None and self._credentials[0] == presented:
            return self._credentials[1]
        credentials = parse_credentials(head)
        configured = self._s.settings.configured_agent
        if credentials is not None:
            self._agent = credentials.agent.partition("+")[0]
            principal = await self._s.governor.authenticate(credentials.agent, credentials.key)
        else:
            principal = Principal(configured) if configured else None
        if principal is None:
            code = "agent.unknown" if credentials is not None else "agent.unauthenticated"
            raise AgentProtocolError(
                code, "name an agent in the proxy URL: `http://AGENT:KEY@host:port`", 407
            )
        self._agent = principal.agent
        self._credentials = (presented, principal)
        return principal

    async def _pass_through(
        self, wire: SocketWire, principal: Principal, authority: Authority
    ) -> None:
        try:
            upstream = await self._s.governor.open_tunnel(principal, authority)
        except (UpstreamError, RecordError) as error:
            status = error.status if isinstance(error, UpstreamError) else 503
            raise AgentProtocolError(error.code, error.message, status) from error
        self._is_answerable = False
        wire.write(answers.ESTABLISHED)
        sent, received = await splice(wire, upstream, self._s.settings.tunnel_idle_seconds_max)
        self._s.governor.note_tunnel_closed(upstream, sent, received)

    # --- one exchange -----------------------------------------------------------------------------

    async def _exchange(
        self, head: Head, scheme: str, authority: Authority, target: bytes, principal: Principal
    ) -> bool:
        """Govern one request; whether the connection can carry another."""
        prefix, is_whole = await self._collect(head)
        body = b"".join(prefix) if is_whole else None
        request = make_request(head, scheme, authority, target, body)
        exchange = Exchange(self._s.new_id("req"), principal, request, self._s.clock.now())
        channel = Channel(
            self._wire,
            is_head=head.method == "HEAD",
            is_http10=head.is_http10,
            must_close=lambda: (
                not head.keeps_alive or self._is_draining or not self._reader.is_complete
            ),
            body_rest=lambda: self._body_rest(head, prefix),
        )
        self._in_flight, self._streams = channel, not is_whole
        try:
            await self._s.governor.govern(exchange, channel)
            if not channel.is_done and not channel.is_gone:
                raise AssertionError("an exchange ended without an answer")
        except Exception:
            log.exception("an exchange failed", extra={"request_id": exchange.request_id})
            telemetry.BUGS.inc()
            self._end_faulty(channel)
            return False
        finally:
            self._in_flight, self._streams = None, False
            channel.detach()
        if channel.closes or self._is_gone or not self._reader.is_complete:
            return False
        while self._is_full:
            await self._more(self._loop.time() + self._s.settings.write_stall_seconds_max)
        self._reader.start_next()
        return True

    async def _collect(self, head: Head) -> tuple[list[bytes], bool]:
        """Read the body up to the inspection limit; whether that was all of it."""
        reader, settings = self._reader, self._s.settings
        if reader.is_complete:
            return [], True
        if head.body_bytes is not None and head.body_bytes > settings.body_bytes_max:
            return [], False
        if head.expects_continue and not reader.buffered_bytes:
            self._wire.write(answers.CONTINUE)
        pieces: list[bytes] = []
        left = settings.body_bytes_max
        while True:
            piece = reader.read_body()
            if piece:
                pieces.append(piece)
                left -= len(piece)
            if left < 0 or reader.is_complete:
                return pieces, left >= 0
            await self._more_body()

    async def _body_rest(self, head: Head, prefix: list[bytes]) -> AsyncIterator[bytes]:
        """The whole body in pieces: what was collected, then what comes, no faster than it is
        taken."""
        reader = self._reader
        for piece in prefix:
            yield piece
        if not prefix and head.expects_continue and not reader.buffered_bytes:
            self._wire.write(answers.CONTINUE)
        prefix.clear()
        is_over = reader.is_complete
        while not is_over:
            piece = reader.read_body()
            is_over = reader.is_complete
            if piece:
                yield piece
            elif not is_over:
                await self._more_body()

    async def _more_body(self) -> None:
        due_at = self._loop.time() + self._s.settings.body_idle_seconds_max
        try:
            if await self._more(due_at):
                return
        except Gone:
            raise AgentProtocolError("body.cut", "the agent left within its body") from None
        raise AgentProtocolError("body.timed_out", "the body stopped coming", 408)

    # --- answers of our own -----------------------------------------------------------------------

    def _end_faulty(self, channel: Channel) -> None:
        if channel.is_fresh:
            channel.respond(answers.fault())
        else:
            channel.cut()

    def _refuse(self, error: AgentProtocolError) -> None:
        try:
            self._s.governor.note_refusal(error, self._agent, self._authority)
        except CheckreinError as fault:
            log.error("a refusal could not be recorded", extra={"code": fault.code})
        self._answer(answers.refusal(error))

    def _answer(self, response: Response) -> None:
        """Answer outside of an exchange, where bytes of HTTP are what the agent waits for."""
        if self._is_answerable and not self._is_gone:
            self._wire.write(whole_answer(response, closes=True))
