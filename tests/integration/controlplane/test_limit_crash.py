"""What the counters' answers are worth when the database is killed right after them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from controlplane.faults import ControlFault, Fault
from controlplane.store.embedded import EmbeddedPostgres, PostgresSettings
from controlplane.store.keys import KeyStore
from controlplane.store.limits import Claim, Demand, LimitLedger
from controlplane.store.roles import open_embedded
from tests.support.database import POOL, everybodys

FLIGHT_SECONDS = 3600


async def test_what_was_taken_survives_a_killed_database(tmp_path: Path):
    """Forty reservations at once, half of them held and started; the server gets SIGKILL at once
    after the answers. While it is away the counters refuse; then every one still counts."""
    server = EmbeddedPostgres(tmp_path / "pg", tmp_path / "pg.log", PostgresSettings())
    await server.start()
    try:
        database = everybodys(await open_embedded(server, POOL))
        tenant = await KeyStore(database).ensure_tenant("default")
        ledger = LimitLedger(database, FLIGHT_SECONDS)

        def demand(number: int, amount: int) -> Demand:
            now = time.time_ns() // 1000
            lapses_at = now + 1_000_000 if number % 2 else None
            one = Claim("l", "k", amount, 40, now - 86_400_000_000, 86_400, True)
            return Demand(tenant, f"own-{number}", now, lapses_at, (one,))

        made = await asyncio.gather(*(ledger.reserve(demand(number, 1)) for number in range(40)))
        started = await asyncio.gather(*(ledger.start(tenant, one.token) for one in made[1::2]))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert all(started)
        # By its end every hold that was not started would have lapsed.
        await asyncio.sleep(1)
        deadline = time.monotonic() + 20
        while True:
            try:
                told = await ledger.reserve(demand(100, 1))
                break
            except ControlFault as fault:
                if fault.fault is not Fault.UNAVAILABLE or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
        assert (told.token, told.readings[0].used) == (None, 40)
        await database.close()
    finally:
        await server.stop()
