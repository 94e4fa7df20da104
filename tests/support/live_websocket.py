"""A gateway with a mapper and a policy of its own, between a real WebSocket client and server.

The server's port stays free until a test opens it, so that each test has a server of its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.support.stack import Gateway, Stack, Upstreams
from tests.support.upstream_files import UpstreamFiles, make_upstream_files


@dataclass(frozen=True)
class LiveWebSocket:
    """A gateway whose upstream `host` is reached at a port that each test opens anew."""

    gateway: Gateway
    stack: Stack
    files: UpstreamFiles
    host: str

    @asynccontextmanager
    async def serving(
        self, handle: Callable[[ServerConnection], Awaitable[None]], **more: Any
    ) -> AsyncIterator[None]:
        """Be the upstream; `more` as for `websockets`' own `serve`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.files.certificate, self.files.key)
        port = self.gateway.upstreams.port
        async with serve(handle, "127.0.0.1", port, ssl=context, **more) as server:
            assert server.is_serving()
            yield

    def dial(self, path: str, seconds_max: float, **more: Any) -> connect:
        """As a program does that knows of no gateway; `more` as for `websockets`' own `connect`."""
        proxy = f"http://agent:{self.stack.control.key('agent')}@127.0.0.1:{self.gateway.port}"
        context = ssl.create_default_context(cafile=str(self.gateway.ca_file))
        return connect(
            f"wss://{self.host}{path}", ssl=context, proxy=proxy, open_timeout=seconds_max,
            close_timeout=seconds_max, **more,
        )  # fmt: skip

    async def record(self, wanted: Mapping[str, object], text: str) -> dict[str, Any]:
        """The newest record of this kind with such a text, once it has come."""
        found: dict[str, Any] = await asyncio.to_thread(self.stack.api.wait_record, wanted, text)
        return found


@contextmanager
def live_gateway(
    stack: Stack,
    folder: Path,
    name: str,
    host: str,
    rules: tuple[str, str],
    variables: Mapping[str, str] | None = None,
) -> Iterator[tuple[Gateway, UpstreamFiles]]:
    """Run a gateway with the texts of one mapper and one policy, and the files of its upstream."""
    mapper, policy = folder / "mapper.yaml", folder / "policy.yaml"
    for path, text in zip((mapper, policy), rules, strict=True):
        path.write_text(text)
    files = make_upstream_files(folder, [host])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    gateway = Gateway(
        stack.folder, name, stack.control, Upstreams(port, files.ca, None, [host]),
        {
            "CHECKREIN_MAPPERS": str(mapper),
            "CHECKREIN_POLICIES": str(policy),
            **(variables or {}),
        },
    )  # fmt: skip
    gateway.start()
    try:
        yield gateway, files
    finally:
        gateway.process.close()
