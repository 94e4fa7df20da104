"""The bus's channel over LISTEN and NOTIFY: one connection listens, the pool sends.

LISTEN does not pass through a pooler in transaction mode; there the bus only re-reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

from controlplane.store.database import Database, PoolSettings, mapped_faults, session_settings
from controlplane.store.endpoint import Endpoint

CHANNEL = "checkrein"

ALIVE_SECONDS = 10.0
"""How often the listening connection is tried: a peer that vanished without a FIN is noticed."""


class PostgresChannel:
    def __init__(self, endpoint: Endpoint, database: Database, settings: PoolSettings) -> None:
        self._endpoint = endpoint
        self._database = database
        self._settings = settings

    async def send(self, message: str) -> None:
        await self._database.row("select pg_notify($1, $2)", CHANNEL, message)

    async def listen(self, ready: Callable[[], None], receive: Callable[[str], None]) -> None:
        with mapped_faults():
            connection = await asyncpg.connect(
                **self._endpoint.arguments(),
                timeout=self._settings.connect_seconds_max,
                command_timeout=self._settings.statement_seconds_max,
                server_settings=session_settings(self._settings),
            )
            lost = asyncio.Event()
            try:
                connection.add_termination_listener(lambda _: lost.set())
                await connection.add_listener(CHANNEL, lambda *message: receive(message[-1]))
                ready()
                while not lost.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(ALIVE_SECONDS):
                            await lost.wait()
                    if not lost.is_set():
                        await connection.fetchval("select 1")
            finally:
                connection.terminate()

    async def close(self) -> None:
        """The pool is closed by its owner."""
