"""`python -m tests.benchmarks.limits`: reservations per second of the shared counters.

A whole control plane on an embedded Postgres with its disk settings as shipped, and its callers in
the same process: by its store, and over HTTP with a key. Each call reserves one unit in flight and
settles it, as an allowed request does. Prints medians over interleaved rounds, because a disk has
good and bad moments; asserts nothing about time, but stops when the counters are wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from controlplane.app import ControlPlane
from controlplane.settings import ControlSettings
from controlplane.store.gathering import Gathering
from controlplane.store.limits import Claim, Demand, LimitLedger
from tests.benchmarks import accounting
from tests.support.database import everybodys

DAY_SECONDS = 86_400
MAX = 10**9

Reserve = Callable[[int], Awaitable[None]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.limits", description=main.__doc__
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="each measurement")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 50])
    parser.add_argument("--filled", type=int, default=100_000, help="uses in a counter already")
    options = parser.parse_args()
    asyncio.run(_run(options, Console(width=130)))
    return 0


async def _run(options: argparse.Namespace, console: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="cr-limits-") as name:
        home = Path(name)
        plane = ControlPlane(ControlSettings(home, api_port=0))
        await plane.start()
        key = (home / "gateway.key").read_text().strip()
        try:
            async with aiohttp.ClientSession(headers={"x-api-key": key}) as http:
                bench = Bench(plane, http)
                await bench.fill(options.filled)
                figures = await _rounds(bench, options, console)
                await bench.check()
        finally:
            await plane.stop()
    console.print(_table(figures))
    console.print(accounting.machine())


class Bench:
    """Calls of gateways; counts what was taken, to be compared with the counters at the end."""

    def __init__(self, plane: ControlPlane, http: aiohttp.ClientSession) -> None:
        assert plane.database is not None
        assert plane.bootstrapped is not None
        self._database = plane.database
        self._ledger = LimitLedger(everybodys(plane.database), 3600)
        self._tenant = plane.bootstrapped.tenant_id
        self._http = http
        self._url = f"{plane.api_url}/v1/limits/reservations"
        self._taken: dict[str, int] = {}
        self._inserting = Gathering(self._insert)

    async def reserve_own(self, caller: int) -> None:
        await self._take(f"own-{caller}")

    async def reserve_shared(self, caller: int) -> None:
        await self._take("shared")

    async def reserve_filled(self, caller: int) -> None:
        await self._take("filled")

    async def reserve_by_http(self, caller: int) -> None:
        now = time.time_ns() // 1000
        claim = {
            "limit": "bench/limit", "key": "http", "amount": 1, "max": MAX,
            "since": now - DAY_SECONDS * 1_000_000, "windowSeconds": DAY_SECONDS,
            "effect": "BLOCK", "mode": "enforce",
        }  # fmt: skip
        body = {"owner": uuid.uuid4().hex, "now": now, "lapsesAt": None, "claims": [claim]}
        async with self._http.post(self._url, json=body) as response:
            token = (await response.json())["token"]
        assert token
        async with self._http.post(f"{self._url}/{token}/settle", json={}) as response:
            assert response.status == 200
        self._taken["http"] = self._taken.get("http", 0) + 1

    async def refused(self, caller: int) -> None:
        made = await self._ledger.reserve(self._demand("shared", MAX + 1))
        assert made.token is None

    async def insert(self, caller: int) -> None:
        """Make the same rows durable without a lock and without reading: no store that keeps the
        order elsewhere, such as Redis, and still loses nothing with it, can do less."""
        token = uuid.uuid4()
        await self._inserting.add(token)
        await self._ledger.settle(self._tenant, token)

    async def _insert(self, tokens: Sequence[uuid.UUID]) -> Sequence[None]:
        async with self._database.connection() as connection:
            await connection.executemany(
                "with r as (insert into limit_reservations (token, tenant_id, owner, places, "
                "limits, keys, used, is_held, ends_at) values ($1, $2, $1::uuid::text, "
                "'{1,2}', '{bench/limit}', '{shared}', '{0}', false, limits_now() + 10^9)) "
                "insert into limit_uses (tenant_id, counter_id, token, amount, window_seconds) "
                "select $2, counter_id, $1, 0, 86400 "
                "from limit_counters where tenant_id = $2 and key = 'shared'",
                [(token, self._tenant) for token in tokens],
            )
        return [None] * len(tokens)

    async def fill(self, count: int) -> None:
        """Put `count` uses of one into the counter at once."""
        await self._take("filled")
        self._taken["filled"] += count
        async with self._database.connection() as connection:
            await connection.execute(
                "with u as (insert into limit_uses (tenant_id, counter_id, token, at, amount, "
                "window_seconds, expires_at) select tenant_id, counter_id, gen_random_uuid(), "
                "limits_now() - n * 500000::bigint, 1, 86400, limits_now() + 86400000000 "
                "from limit_counters, generate_series(1, $1::integer) n "
                "where key = 'filled' returning 1) "
                "update limit_counters set counted = counted + $1 where key = 'filled'",
                count,
            )

    async def check(self) -> None:
        """Stop where a counter does not hold what was taken."""
        for key, taken in self._taken.items():
            made = await self._ledger.reserve(self._demand(key, MAX + 1))
            if made.readings[0].used != taken:
                raise SystemExit(f"{key}: {made.readings[0].used} counted, {taken} taken")

    async def _take(self, key: str) -> None:
        made = await self._ledger.reserve(self._demand(key, 1))
        assert made.token is not None
        await self._ledger.settle(self._tenant, made.token)
        self._taken[key] = self._taken.get(key, 0) + 1

    def _demand(self, key: str, amount: int) -> Demand:
        now = time.time_ns() // 1000
        since = now - DAY_SECONDS * 1_000_000
        claim = Claim("bench/limit", key, amount, MAX, since, DAY_SECONDS, True)
        return Demand(self._tenant, uuid.uuid4().hex, now, None, (claim,))


Figures = dict[tuple[str, int], list[tuple[float, float, float]]]


async def _rounds(bench: Bench, options: argparse.Namespace, console: Console) -> Figures:
    """Every row once a round, in turn, so that a bad moment hits them all."""
    figures: Figures = {}
    rows = (
        ("one of its own for each caller", bench.reserve_own),
        ("one for all callers", bench.reserve_shared),
        (f"one for all, {options.filled} uses in its window", bench.reserve_filled),
        ("one for all, over HTTP", bench.reserve_by_http),
        ("full, so refused", bench.refused),
        ("none: rows alone, in an order kept elsewhere", bench.insert),
    )
    for number in range(options.rounds):
        for label, one in rows:
            for callers in options.callers:
                found = await _measure(one, callers, options.seconds)
                figures.setdefault((label, callers), []).append(found)
        console.print(f"round {number + 1} of {options.rounds}", style="dim")
    return figures


async def _measure(one: Reserve, callers: int, seconds: float) -> tuple[float, float, float]:
    """Calls per second and their times in milliseconds, `callers` of them always under way."""
    times: list[float] = []
    await asyncio.gather(*(one(caller) for caller in range(callers)))
    begun = time.perf_counter()
    deadline = begun + seconds

    async def call(caller: int) -> None:
        while (called := time.perf_counter()) < deadline:
            await one(caller)
            times.append((time.perf_counter() - called) * 1e3)

    await asyncio.gather(*(call(caller) for caller in range(callers)))
    rate = len(times) / (time.perf_counter() - begun)
    return rate, statistics.median(times), statistics.quantiles(times, n=100)[98]


def _table(figures: Figures) -> Table:
    table = Table(title="reservations, each reserved on disk and settled")
    for head in ("counter", "callers", "per second (min-max)", "p50 ms", "p99 ms"):
        table.add_column(head, justify="left" if head == "counter" else "right")
    for (label, callers), found in figures.items():
        rates, p50s, p99s = zip(*found, strict=True)
        table.add_row(
            label, str(callers),
            f"{statistics.median(rates):.0f} ({min(rates):.0f}-{max(rates):.0f})",
            f"{statistics.median(p50s):.2f}", f"{statistics.median(p99s):.2f}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
