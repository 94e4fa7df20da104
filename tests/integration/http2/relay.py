"""The listener and the way out, with nothing between them that decides: what comes in goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.enforce.upstream import UpstreamPool, UpstreamSettings
from gateway.model.decision import Permit
from gateway.model.exchange import Exchange, Response
from gateway.ports import AgentChannel, Sent
from tests.integration.enforce.conftest import SystemClock
from tests.integration.intercept.agent import Proxy, running_proxy


class Relay:
    """A running gateway without a policy. `sent` is what the way out said of each exchange."""

    def __init__(self, proxy: Proxy, pool: UpstreamPool) -> None:
        self.proxy = proxy
        self.pool = pool
        self.sent: list[Sent] = []
        self.exchanges: list[Exchange] = []
        self.refuse: Response | None = None

    @property
    def proxy_url(self) -> str:
        return "http://agent+r1:secret@{}:{}".format(*self.proxy.listener.address)

    @property
    def ca_file(self) -> Path:
        return self.proxy.ca.ca_pem_file

    async def govern(self, exchange: Exchange, channel: AgentChannel) -> None:
        self.exchanges.append(exchange)
        if self.refuse is not None:
            channel.respond(self.refuse)
            return
        permit = Permit(exchange.request_id, "dec_1")
        sent = await self.pool.send(permit, exchange, channel, lambda: None)
        self.sent.append(sent)
        if not sent.began:
            channel.respond(Response(sent.error_status, (), (sent.code or "").encode()))

    async def until_sent(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.sent) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running_relay(
    folder: Path, upstream_port: int, upstream_ca: Path, **settings: object
) -> AsyncIterator[Relay]:
    """Every name leads to the port; `settings` are of the listener."""
    guard = DestinationGuard(
        DestinationSettings(connect_to=(f":443:127.0.0.1:{upstream_port}",)), set()
    )
    way_out = UpstreamSettings(upstream_ca=str(upstream_ca), upstream_watch_seconds=0.02)
    pool = UpstreamPool(way_out, guard, SystemClock())
    async with running_proxy(folder, **settings) as proxy:
        relay = Relay(proxy, pool)
        proxy.governor.govern_with = relay.govern
        try:
            yield relay
        finally:
            await pool.close()
