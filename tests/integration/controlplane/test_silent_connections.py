"""A connection that never says what it wants does not stay for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import LIMITS, running_plane

IMPATIENT = replace(LIMITS, head_seconds_max=0.4)
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_half_a_head_is_not_waited_for(
    postgres_server: EmbeddedPostgres, database_name: str, tmp_path: Path, said: bytes
):
    """While who has asked for something may ask again."""
    async with running_plane(postgres_server, database_name, tmp_path, IMPATIENT) as client:
        at = urlsplit(client.url)
        asked, asks = await asyncio.open_connection(at.hostname, at.port)
        asks.write(WHOLE)
        assert (await asked.readline()).endswith(b"200 OK\r\n")
        silent, writer = await asyncio.open_connection(at.hostname, at.port)
        writer.write(said)
        assert await asyncio.wait_for(silent.read(), 10) == b""
        asks.write(WHOLE)
        assert await asyncio.wait_for(asked.readuntil(b"200 OK\r\n"), 10)
        for one in (asks, writer):
            one.close()
