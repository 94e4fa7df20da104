"""One agent connection from its first byte to its last: CONNECT or plain proxy, TLS, exchanges.

One task per connection and one request at a time; what is pipelined waits in the reader and is
decided on its own. Knows nothing of policy: everything is asked of the `Governor`.

INVARIANT(fail-closed): whatever goes wrong here ends in an answer of ours or in a closed
connection, never in a request that was not governed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway import telemetry
from gateway.intercept import answers
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.channel import Channel, whole_answer
from gateway.intercept.client_hello import ClientHello
from gateway.intercept.http1 import Head
from gateway.intercept.inlet import Gone, Inlet
from gateway.intercept.redirected import is_redirected, is_tls, named_authority, redirected_target
from gateway.intercept.request import (
    Credentials,
    connect_authority,
    make_request,
    parse_credentials,
    proxied_target,
    tunnelled_target,
)
from gateway.intercept.settings import InterceptSettings
from gateway.intercept.splice import splice
from gateway.intercept.tunnel import peek_first, peek_hello, served_name, wants_http2
from gateway.model.dataclass import dataclass
from gateway.model.errors import AgentProtocolError, CheckreinError, RecordError, UpstreamError
from gateway.model.exchange import Authority, Exchange, Principal, Response, ResponseHead
from gateway.ports import Clock, Governor, Messages, Switched, TunnelVerdict, Wire
from gateway.wire.faults import WireError
from gateway.wire.socket_wire import SocketWire
from gateway.wire.tls_wire import start_tls_server

if TYPE_CHECKING:
    from gateway.intercept.http2_session import Http2Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What all sessions share."""

    settings: InterceptSettings
    governor: Governor
    authority: CertificateAuthority
    clock: Clock
    new_id: Callable[[str], str]


class Session:
    """`run` is the whole life of the task that serves one connection."""

    looks_first = False
    """Whether the first bytes are looked at before anybody takes them."""

    takes_http2 = True

    def __init__(self, surroundings: Surroundings) -> None:
        self.inlet = Inlet(surroundings.settings)
        self._s = surroundings
        self._is_answerable = True
        self._agent: str | None = None
        self._authority: Authority | None = None
        self._presented = b""
        self._credentials: Credentials | None = None
        self._http2: Http2Session | None = None
        self._rewrite_answer: Callable[[ResponseHead], ResponseHead] | None = None

    def drain(self) -> None:
        """End after the request in flight; at once when there is none."""
        self.inlet.drain()
        if self._http2 is not None:
            self._http2.drain()

    async def run(self, wire: SocketWire) -> None:
        """Serve the connection to its end. Never raises but for cancellation."""
        self.inlet.wire = wire
        try:
            await self._serve(wire)
        except (Gone, WireError):
            pass
        except AgentProtocolError as error:
            self._refuse(error)
        except asyncio.CancelledError:
            self.inlet.wire.abort()
            raise
        except Exception:
            log.exception("a connection failed")
            telemetry.BUGS.inc()
            self._answer(answers.fault())
        finally:
            self.inlet.end()
            self.inlet.wire.close()

    # --- the connection ---------------------------------------------------------------------------

    async def _serve(self, wire: SocketWire) -> None:
        head = await self.inlet.read_head(self._s.settings.proxy_head_seconds_max)
        if head.method == "CONNECT":
            await self._serve_tunnel(wire, head)
            return
        while True:
            if head.method == "CONNECT":
                raise AgentProtocolError("request.connect_inside", "CONNECT must come first")
            self._authority, target = proxied_target(head)
            principal = await self._authenticate(head)
            self._s.governor.admit_tunnel(principal, self._authority)
            if not await self._exchange(head, "http", self._authority, target):
                return
            head = await self.inlet.read_head(self._s.settings.keep_alive_seconds_max)

    async def _serve_tunnel(self, wire: SocketWire, head: Head) -> None:
        governor, settings = self._s.governor, self._s.settings
        wire.pause_reading()
        authority = self._authority = connect_authority(head)
        principal = await self._authenticate(head)
        if self.inlet.buffered_bytes:
            raise AgentProtocolError(
                "tunnel.early_bytes", "bytes came in the tunnel before it was established"
            )
        if is_redirected(head):
            self._is_answerable = False
            wire.write(answers.ESTABLISHED)
            await self.inlet.start_next()
            await self._serve_redirected(wire, authority.port)
            return
        verdict = governor.admit_tunnel(principal, authority)
        if verdict is TunnelVerdict.PASSTHROUGH:
            await self._pass_through(wire, principal, authority, answers.ESTABLISHED)
            return
        self._is_answerable = False
        wire.write(answers.ESTABLISHED)
        await self.inlet.start_next()
        hello = await peek_hello(wire, settings.tls_seconds_max)
        name, mismatch = served_name(hello, authority)
        await self._serve_tls(wire, hello, name, authority, mismatch)

    async def _serve_redirected(self, wire: SocketWire, port: int) -> None:
        """Serve a connection that was made to some address at `port`. What address it was means
        nothing: whom it is for stands in TLS or in Host, and is resolved by us. Reading must be
        paused."""
        settings = self._s.settings
        if not is_tls(await peek_first(wire, settings.tls_seconds_max)):
            wire.resume_reading()
            await self._serve_plain(port)
            return
        hello = await peek_hello(wire, settings.tls_seconds_max)
        authority = self._authority = named_authority(hello, port)
        principal = await self._recognize()
        refused: AgentProtocolError | None = None
        try:
            verdict = self._s.governor.admit_tunnel(principal, authority)
        except AgentProtocolError as error:
            verdict, refused = TunnelVerdict.INTERCEPT, error
        if verdict is TunnelVerdict.PASSTHROUGH:
            await self._pass_through(wire, principal, authority, b"")
            return
        await self._serve_tls(wire, hello, authority.host, authority, refused)

    async def _serve_plain(self, port: int) -> None:
        """Serve plain HTTP of a client that believes to speak to the server itself."""
        self._is_answerable = True
        while True:
            head = await self.inlet.read_head(self._s.settings.keep_alive_seconds_max)
            if head.method == "CONNECT":
                raise AgentProtocolError("request.connect_inside", "CONNECT is for proxies")
            self._authority, target = redirected_target(head, port)
            self._s.governor.admit_tunnel(await self._recognize(), self._authority)
            if not await self._exchange(head, "http", self._authority, target):
                return

    async def _serve_tls(
        self,
        wire: SocketWire,
        hello: ClientHello,
        name: str,
        authority: Authority,
        mismatch: AgentProtocolError | None,
    ) -> None:
        """Open TLS under a name, and serve what comes inside."""
        settings = self._s.settings
        is_http2 = self.takes_http2 and wants_http2(hello, authority.host, settings.http2_hosts)
        context = self._s.authority.context_for(name, http2=is_http2)
        self.inlet.may_half_close = False
        self.inlet.wire = tls = await start_tls_server(
            wire, context, self.inlet, settings.tls_seconds_max
        )
        if is_http2 and tls.is_http2:
            await self._serve_http2(tls, authority, mismatch)
            return
        self._is_answerable = True
        await self._serve_exchanges(authority, mismatch)

    async def _serve_http2(
        self, wire: Wire, authority: Authority, refused: AgentProtocolError | None
    ) -> None:
        """Serve streams, each of which is an exchange. Loaded late: few agents need it."""
        from gateway.intercept.http2_session import Http2Session, Http2Surroundings

        common = self._s
        surroundings = Http2Surroundings(
            common.settings, common.governor, common.clock, common.new_id,
            self._recognize, self._note_refusal,
        )  # fmt: skip
        self._http2 = Http2Session(surroundings, wire, authority, refused)
        wire.receiver = self._http2
        if self.inlet.is_draining:
            self._http2.drain()
        await self._http2.serve()

    async def _serve_exchanges(
        self, authority: Authority, mismatch: AgentProtocolError | None
    ) -> None:
        """Serve what comes inside an intercepted tunnel."""
        while True:
            head = await self.inlet.read_head(self._s.settings.keep_alive_seconds_max)
            if mismatch is not None:
                # Answered inside the tunnel, under the name that the client asked for: the only
                # place where its user can read why.
                raise mismatch
            if head.method == "CONNECT":
                raise AgentProtocolError("request.connect_inside", "a tunnel carries no CONNECT")
            target = tunnelled_target(head, authority)
            if not await self._exchange(head, "https", authority, target):
                return

    async def _authenticate(self, head: Head) -> Principal:
        """Who acts. A plain proxy connection repeats its credentials with every request."""
        presented = head.control.get(b"proxy-authorization", b"")
        if self._credentials is None or presented != self._presented:
            self._credentials, self._presented = parse_credentials(head), presented
        return await self._recognize()

    async def _recognize(self) -> Principal:
        """Who the presented credentials belong to now. Asked for every request, because a
        connection that is kept alive must not outlive its agent's key."""
        credentials, configured = self._credentials, self._s.settings.configured_agent
        if credentials is not None:
            self._agent = credentials.agent.partition("+")[0]
            principal = await self._s.governor.authenticate(credentials.agent, credentials.key)
        else:
            name, _, run = configured.partition("+")
            principal = Principal(name, run or None) if name else None
        if principal is None:
            code = "agent.unknown" if credentials is not None else "agent.unauthenticated"
            raise AgentProtocolError(
                code, "name an agent in the proxy URL: `http://AGENT:KEY@host:port`", 407
            )
        self._agent = principal.agent
        return principal

    async def _pass_through(
        self, wire: SocketWire, principal: Principal, authority: Authority, greeting: bytes
    ) -> None:
        try:
            upstream = await self._s.governor.open_tunnel(principal, authority)
        except (UpstreamError, RecordError) as error:
            status = error.status if isinstance(error, UpstreamError) else 503
            raise AgentProtocolError(error.code, error.message, status) from error
        self._is_answerable = False
        wire.write(greeting)
        note_end = partial(self._s.governor.note_tunnel_closed, upstream)
        await splice(wire, upstream, self._s.settings.tunnel_idle_seconds_max, note_end)

    # --- one exchange -----------------------------------------------------------------------------

    async def _exchange(self, head: Head, scheme: str, authority: Authority, target: bytes) -> bool:
        """Govern one request; whether the connection can carry another."""
        inlet = self.inlet
        prefix, is_whole = await inlet.collect(head)
        body = b"".join(prefix) if is_whole else None
        request = make_request(head, scheme, authority, target, body)
        if request.is_websocket and inlet.buffered_bytes:
            raise AgentProtocolError(
                "upgrade.early_bytes", "bytes came for a WebSocket before it was open"
            )
        principal = await self._recognize()
        exchange = Exchange(self._s.new_id("req"), principal, request, self._s.clock.now())
        channel = Channel(
            inlet.wire,
            is_head=head.method == "HEAD",
            is_http10=head.is_http10,
            must_close=lambda: not head.keeps_alive or inlet.is_spent or not inlet.is_complete,
            body_rest=lambda: inlet.body_rest(head, prefix),
            rewrite_answer=self._rewrite_answer,
            carry=self._carry,
            takes_trailers=request.takes_trailers,
        )
        inlet.begin_exchange(channel, streams=not is_whole)
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
            inlet.end_exchange()
            channel.detach()
        if channel.closes or inlet.is_gone or not inlet.is_complete:
            return False
        await inlet.start_next()
        return True

    async def _carry(
        self, answer: bytes, switched: Switched, note_end: Callable[[int, int], None]
    ) -> None:
        """Open a WebSocket with `answer`, and pass what it carries until it ends."""
        agent, upstream = self.inlet.wire, switched.wire
        if self.inlet.buffered_bytes:
            # It may not speak before it was answered (RFC 6455, section 4.1).
            agent.abort()
        agent.write(answer)
        agent.write(switched.early)
        if switched.messages is not None:
            await self._carry_messages(switched, switched.messages, note_end)
            return
        await splice(agent, upstream, self._s.settings.tunnel_idle_seconds_max, note_end)

    async def _carry_messages(
        self, switched: Switched, messages: Messages, note_end: Callable[[int, int], None]
    ) -> None:
        """Have each message of the agent governed. Loaded late: few agents need it."""
        from gateway.intercept.message_relay import MessageRelay, RelayTerms

        terms = RelayTerms(
            self._s.governor.govern,
            self._recognize,
            self._note_refusal,
            lambda who, what: Exchange(self._s.new_id("req"), who, what, self._s.clock.now()),
            self._s.settings.body_bytes_max,
            self._s.settings.tunnel_idle_seconds_max,
        )
        await MessageRelay(self.inlet.wire, switched, messages, terms).run(note_end)

    # --- answers of our own -----------------------------------------------------------------------

    def _end_faulty(self, channel: Channel) -> None:
        if channel.is_fresh:
            channel.respond(answers.fault())
        else:
            channel.cut()

    def _refuse(self, error: AgentProtocolError) -> None:
        self._note_refusal(error)
        self._answer(answers.refusal(error))

    def _note_refusal(self, error: AgentProtocolError) -> None:
        try:
            self._s.governor.note_refusal(error, self._agent, self._authority)
        except CheckreinError as fault:
            log.error("a refusal could not be recorded", extra={"code": fault.code})

    def _answer(self, response: Response) -> None:
        """Answer outside of an exchange, where bytes of HTTP are what the agent waits for."""
        if self._is_answerable and not self.inlet.is_gone:
            self.inlet.wire.write(whole_answer(response, closes=True))
