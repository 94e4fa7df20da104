"""mitmproxy's hooks -> the pipeline. What is no HTTP, or no request of ours to send, is ended.

INVARIANT(fail-closed): a flow goes on only after the pipeline has released it; every other way
out of a hook leaves it answered or killed.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from gateway import telemetry
from gateway.addon.flows import (
    MitmFlow,
    bracketed,
    find_authority,
    make_exchange_request,
    read_connect,
    read_head,
    rewrite,
)
from gateway.addon.waiting import Ended, FlowChannel, FlowUpstream
from gateway.assembly import Assembled, assemble, note
from gateway.enforce.destination import DestinationGuard
from gateway.enforce.upstream import UpstreamPool
from gateway.intercept import answers
from gateway.intercept.ca_files import CERTIFICATE_NAME, KEY_NAME, write_atomically
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.http1 import Head
from gateway.intercept.request import connect_authority, parse_credentials
from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError, CheckreinError, UpstreamError
from gateway.model.exchange import Authority, Exchange, Principal, Response
from gateway.model.record import Outcome
from gateway.ports import Clock, TunnelVerdict
from gateway.settings import GatewaySettings

log = logging.getLogger(__name__)

_CHANNEL: Final = "checkrein_channel"
_TASK: Final = "checkrein_task"


class CheckreinAddon:
    """One per mitmproxy. `settings` are the gateway's; its listeners are not used."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._joined: Assembled | None = None
        self._guard: DestinationGuard | None = None
        self._tunnels: dict[str, tuple[Principal, Authority, Head]] = {}
        self._channels: dict[str, set[FlowChannel]] = {}

    # --- life -------------------------------------------------------------------------------------

    def configure(self, updated: set[str]) -> None:
        """Take the options that the guarantees stand on, whatever the command line says."""
        from mitmproxy import ctx

        wanted = {
            # Nothing is connected before it is decided.
            "connection_strategy": "lazy",
            "ssl_insecure": False,
            "validate_inbound_headers": True,
            "ssl_verify_upstream_trusted_ca": self._settings.upstream.upstream_ca or None,
            "body_size_limit": str(self._settings.intercept.body_bytes_max),
            "confdir": str(write_ca(self._settings.data_dir)),
        }
        for name, value in wanted.items():
            if getattr(ctx.options, name) != value:
                ctx.options.update(**{name: value})

    async def running(self) -> None:
        """Start everything behind the pipeline; mitmproxy ends where that fails."""

        def make_upstream(guard: DestinationGuard, clock: Clock) -> FlowUpstream:
            self._guard = guard
            own = UpstreamPool(self._settings.upstream, guard, clock)
            self._stack.push_async_callback(own.close)
            return FlowUpstream(own)

        try:
            self._joined = joined = await assemble(self._settings, self._stack, make_upstream)
        except CheckreinError as error:
            from mitmproxy import ctx

            log.error("checkrein can't start: %s", error.message)
            await self._stack.aclose()
            ctx.master.shutdown()
            return
        note(joined.recorder, joined.clock, "started", "behind mitmproxy")
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, joined.reload)
        log.info("checkrein governs what comes through mitmproxy")

    async def done(self) -> None:
        """Flush the record."""
        if self._joined is not None:
            self._joined.pipeline.stop_holding()
        await self._stack.aclose()

    # --- who --------------------------------------------------------------------------------------

    async def http_connect(self, flow: MitmFlow) -> None:
        """Admit a tunnel of the explicit proxy."""
        try:
            head = read_connect(flow, self._settings.intercept)
            authority = connect_authority(head)
            principal = await self._authenticate(head)
            verdict = self._running().pipeline.admit_tunnel(principal, authority)
            if verdict is TunnelVerdict.PASSTHROUGH:
                raise AgentProtocolError(
                    "tunnel.unsupported", "passthrough hosts are not served behind mitmproxy", 403
                )
            self._tunnels[flow.client_conn.id] = (principal, authority, head)
        except AgentProtocolError as error:
            self._refuse(flow, error)

    async def _authenticate(self, head: Head) -> Principal:
        """The agent of proxy credentials; without any, the one that is configured."""
        credentials = parse_credentials(head)
        configured = self._settings.intercept.configured_agent
        principal = Principal(configured) if credentials is None and configured else None
        if credentials is not None:
            pipeline = self._running().pipeline
            principal = await pipeline.authenticate(credentials.agent, credentials.key)
        if principal is None:
            raise AgentProtocolError(
                "agent.unauthenticated", "name an agent in the proxy URL, or configure one", 407
            )
        return principal

    def client_disconnected(self, client: Any) -> None:
        """Whoever waits for this agent need not any more."""
        self._tunnels.pop(client.id, None)
        for channel in self._channels.pop(client.id, ()):
            channel.leave()

    # --- one exchange -----------------------------------------------------------------------------

    async def request(self, flow: MitmFlow) -> None:
        """Govern a request whose body is whole."""
        if flow.response is not None or flow.error is not None:
            return
        try:
            await self._govern(flow)
        except AgentProtocolError as error:
            self._refuse(flow, error)
        except Exception:
            log.exception("an exchange failed")
            telemetry.BUGS.inc()
            _respond(flow, answers.fault())

    async def _govern(self, flow: MitmFlow) -> None:
        joined = self._running()
        head = read_head(flow, self._settings.intercept)
        authority = find_authority(flow)
        tunnel = self._tunnels.get(flow.client_conn.id)
        if tunnel is None:
            principal = await self._authenticate(head)
            joined.pipeline.admit_tunnel(principal, authority)
        elif tunnel[1] == authority:
            # Asked for every request: a tunnel that is kept open must not outlive its agent's key.
            principal = await self._authenticate(tunnel[2])
        else:
            raise AgentProtocolError(
                "authority.mismatch", "TLS and the CONNECT name different hosts", 421
            )
        request = make_exchange_request(
            flow, head, authority, self._settings.intercept.body_bytes_max
        )
        exchange = Exchange(joined.new_id("req"), principal, request, joined.clock.now())
        channel = FlowChannel()
        self._channels.setdefault(flow.client_conn.id, set()).add(channel)
        task = asyncio.create_task(joined.pipeline.govern(exchange, channel), name="exchange")
        flow.metadata[_CHANNEL], flow.metadata[_TASK] = channel, task
        await asyncio.wait((task, channel.decided), return_when=asyncio.FIRST_COMPLETED)
        if not channel.decided.done():
            task.result()  # a bug is raised, and refused
            raise AssertionError("an exchange ended without an answer")
        answer = channel.decided.result()
        if answer is None:
            from mitmproxy.http import Headers

            rewrite(flow, request, Headers)
        else:
            await task
            self._forget(flow)
            _respond(flow, answer)

    async def server_connect(self, data: Any) -> None:
        """Dial an address that was resolved and checked by us, and verify the decided name."""
        server = data.server
        host, port = server.address
        try:
            assert self._guard is not None, "nothing is sent before all is started"
            authority = parse_authority(bracketed(host, port), port)
            endpoints = await self._guard.resolve(authority)
        except (UpstreamError, AgentProtocolError, AssertionError) as error:
            server.error = str(error)
            return
        if server.tls or port == 443:
            server.sni = authority.host
        server.address = endpoints[0]

    def responseheaders(self, flow: MitmFlow) -> None:
        """Let answers stream, event by event."""
        flow.response.stream = True

    async def response(self, flow: MitmFlow) -> None:
        """Note what became of it."""
        content = flow.response.raw_content
        said = flow.response.headers.get("content-length", "")
        # Of an answer without a body nobody has looked at it: it may be any text.
        size = int(said) if re.fullmatch(r"[0-9]{1,15}", said) else 0
        size = len(content) if content else size
        await self._end(flow, Ended(Outcome.EXECUTED, flow.response.status_code, size))

    async def error(self, flow: MitmFlow) -> None:
        """Note that it failed; unknown as soon as a byte of it may have left."""
        server = flow.server_conn
        ready_at = server.timestamp_tls_setup if server.tls else server.timestamp_tcp_setup
        status = None if flow.response is None else flow.response.status_code
        outcome = Outcome.UNKNOWN if ready_at is not None else Outcome.NOT_SENT
        code = "upstream.broken" if ready_at is not None else "upstream.unreachable"
        await self._end(flow, Ended(outcome, status, code=code))

    async def _end(self, flow: MitmFlow, ended: Ended) -> None:
        channel, task = flow.metadata.get(_CHANNEL), flow.metadata.get(_TASK)
        if channel is None or task is None:
            return
        channel.end(ended)
        self._forget(flow)
        await asyncio.wait((task,))
        if not task.cancelled() and task.exception() is not None:
            log.error("an exchange failed", exc_info=task.exception())
            telemetry.BUGS.inc()

    def _forget(self, flow: MitmFlow) -> None:
        channel = flow.metadata.pop(_CHANNEL, None)
        flow.metadata.pop(_TASK, None)
        self._channels.get(flow.client_conn.id, set()).discard(channel)

    # --- what is no request -----------------------------------------------------------------------

    def tcp_start(self, flow: MitmFlow) -> None:
        """Bytes that are no HTTP can't be governed."""
        flow.kill()

    def udp_start(self, flow: MitmFlow) -> None:
        """Likewise."""
        flow.kill()

    def websocket_start(self, flow: MitmFlow) -> None:
        """Frames are not governed here."""
        flow.kill()

    # --- answers of our own -----------------------------------------------------------------------

    def _running(self) -> Assembled:
        if self._joined is None:
            raise AgentProtocolError("gateway.starting", "the gateway is starting; try again", 503)
        return self._joined

    def _refuse(self, flow: MitmFlow, error: AgentProtocolError) -> None:
        tunnel = self._tunnels.get(flow.client_conn.id)
        agent = None if tunnel is None else tunnel[0].agent
        authority = None if tunnel is None else tunnel[1]
        try:
            if self._joined is not None:
                self._joined.pipeline.note_refusal(error, agent, authority)
        except CheckreinError as fault:
            log.error("a refusal could not be recorded: %s", fault.code)
        _respond(flow, answers.refusal(error))


def write_ca(data_dir: Path) -> Path:
    """The folder in which mitmproxy finds the gateway's own CA, so that programs trust one."""
    source, folder = data_dir / "ca", data_dir / "mitmproxy"
    CertificateAuthority.load_or_make(source)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate = (source / CERTIFICATE_NAME).read_bytes()
    both = (source / KEY_NAME).read_bytes() + certificate
    write_atomically(folder / "mitmproxy-ca.pem", both, mode=0o600)
    shutil.copyfile(source / CERTIFICATE_NAME, folder / "mitmproxy-ca-cert.pem")
    return folder


def _respond(flow: MitmFlow, response: Response) -> None:
    from mitmproxy.http import Response as MitmResponse

    flow.response = MitmResponse.make(response.status, response.body, response.headers)
