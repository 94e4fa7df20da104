"""A real way out to a scripted TLS upstream on loopback."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.enforce.upstream import UpstreamPool, UpstreamSettings
from gateway.model.decision import Permit
from gateway.model.exchange import Authority, Exchange, Header, HttpRequest, Principal
from gateway.model.stop import Stop
from gateway.ports import Sent
from tests.support.fake_channel import FakeChannel
from tests.support.pki import TestAuthority
from tests.support.raw_upstream import RawUpstream, Script, run_upstream

HOST = "api.example"
QUICK = UpstreamSettings(upstream_watch_seconds=0.02)


class SystemClock:
    def now(self) -> int:
        return int(time.time() * 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic()


class WayOut:
    """An `UpstreamPool` in front of one upstream, and requests to send through it."""

    def __init__(self, upstream: RawUpstream, pool: UpstreamPool) -> None:
        self.upstream = upstream
        self.pool = pool
        self.stop: Stop | None = None
        self._sent = 0

    async def send(
        self,
        method: str = "POST",
        body: bytes | None = b"a=1",
        *,
        channel: FakeChannel | None = None,
        headers: tuple[Header, ...] = (),
        agent: str = "agent",
        body_bytes: int | None = None,
        scheme: str = "https",
        host: str = HOST,
        is_websocket: bool = False,
    ) -> tuple[Sent, FakeChannel]:
        self._sent += 1
        request_id = f"req_{self._sent}"
        channel = channel or FakeChannel()
        if body is not None:
            body_bytes = len(body)
        all_headers = ((b"Host", host.encode()), *headers)
        request = HttpRequest(
            method, scheme, Authority(host, 443), b"/v1/charges", all_headers,
            {name.lower(): value for name, value in all_headers}, frozenset(), body, body_bytes,
            is_websocket=is_websocket,
        )  # fmt: skip
        exchange = Exchange(request_id, Principal(agent), request, 0)
        permit = Permit(request_id, "dec_1")
        sent = await self.pool.send(permit, exchange, channel, lambda: self.stop)
        return sent, channel


MakeWayOut = Callable[..., Awaitable[WayOut]]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def make_way_out(authority: TestAuthority) -> AsyncIterator[MakeWayOut]:
    """`await make_way_out(script, upstream_...=...)`; all of it ends with the test."""
    async with AsyncExitStack() as stack:

        async def make(script: Script, *, context: Any = "good", **changes: Any) -> WayOut:
            if context == "good":
                context = authority.server_context([HOST])
            upstream = await stack.enter_async_context(run_upstream(script, context))
            guard = DestinationGuard(
                DestinationSettings(connect_to=(f":443:127.0.0.1:{upstream.port}",)), set()
            )
            settings = replace(QUICK, upstream_ca=str(authority.ca_file), **changes)
            pool = UpstreamPool(settings, guard, SystemClock())
            stack.push_async_callback(pool.close)
            return WayOut(upstream, pool)

        yield make
