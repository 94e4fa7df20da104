"""The gateway's own data path without anything that governs: what remains is interception.

A process of its own (`python -m tests.benchmarks.passthrough`: one line of JSON in, one out, then
until it is ended): listener, TLS, strict parsing, upstream pool and relaying are the product's;
the governor lets every exchange pass at once and records nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.enforce.upstream import UpstreamPool, UpstreamSettings
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.listener import Listener
from gateway.intercept.settings import InterceptSettings
from gateway.model.decision import Permit
from gateway.model.errors import AgentProtocolError, UpstreamError
from gateway.model.exchange import Authority, Exchange, Principal
from gateway.ports import AgentChannel, TunnelVerdict, Wire
from gateway.process.system import RandomIds, SystemClock


class PassingGovernor:
    """Lets everything pass."""

    def __init__(self, upstream: UpstreamPool) -> None:
        self._upstream = upstream

    async def authenticate(self, agent: str, key: str) -> Principal | None:
        return Principal(agent)

    def admit_tunnel(self, principal: Principal, authority: Authority) -> TunnelVerdict:
        return TunnelVerdict.INTERCEPT

    async def open_tunnel(self, principal: Principal, authority: Authority) -> Wire:
        raise UpstreamError("tunnel.none", "there are no passthrough hosts", sent=False)

    def note_tunnel_closed(self, upstream: Wire, sent_bytes: int, received_bytes: int) -> None: ...

    def note_refusal(
        self, error: AgentProtocolError, agent: str | None, authority: Authority | None
    ) -> None:
        print(error.code, file=sys.stderr)

    async def govern(self, exchange: Exchange, channel: AgentChannel) -> None:
        permit = Permit(exchange.request_id, "none")
        await self._upstream.send(permit, exchange, channel, lambda: None)


async def _run(told: dict[str, str]) -> None:
    clock = SystemClock()
    guard = DestinationGuard(DestinationSettings(connect_to=(told["connect_to"],)), set())
    upstream = UpstreamPool(UpstreamSettings(upstream_ca=told["upstream_ca"]), guard, clock)
    authority = CertificateAuthority.load_or_make(Path(told["folder"]))
    settings = InterceptSettings(proxy_port=0)
    listener = Listener(settings, PassingGovernor(upstream), authority, clock, RandomIds())
    await listener.start()
    print(json.dumps({"port": listener.address[1], "ca": str(authority.ca_pem_file)}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    wanted = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(wanted))
