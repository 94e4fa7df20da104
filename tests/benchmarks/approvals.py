"""`python -m tests.benchmarks.approvals`: what a reviewer waits for while decisions stream in.

A whole control plane on an embedded Postgres, filled with past records, takes decisions at a given
rate over HTTP, as gateways ship them, while approvals are read over HTTP too; all in one process.
Asserts nothing about time, but stops when an answer is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from controlplane.app import ControlPlane
from controlplane.settings import ControlSettings
from tests.benchmarks import accounting
from tests.support.control_plane import ask_body, chain

AGENTS = 20
BATCH = 100
"""Records of one shipment, as a busy gateway makes them."""

READ_PAUSE_SECONDS = 0.02
FILL_BATCH = 1_000

Records = list[dict[str, Any]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.approvals", description=main.__doc__
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=500, help="decisions a second")
    parser.add_argument("--filled", type=int, default=100_000, help="records that are there before")
    options = parser.parse_args()
    asyncio.run(_run(options, Console(width=130)))
    return 0


async def _run(options: argparse.Namespace, console: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="cr-approvals-") as name:
        home = Path(name)
        plane = ControlPlane(ControlSettings(home, api_port=0))
        await plane.start()
        keys = {role: (home / f"{role}.key").read_text().strip() for role in ("admin", "gateway")}
        try:
            async with aiohttp.ClientSession() as http:
                bench = Bench(plane.api_url, http, keys)
                await bench.fill(options.filled)
                shipped, took = await bench.measure(options.rate, options.seconds)
        finally:
            await plane.stop()
    table = Table("", "p50 ms", "p99 ms", "max ms", "reads")
    for what, times in took.items():
        table.add_row(what, *(f"{_at(times, part) * 1e3:.1f}" for part in (0.5, 0.99, 1.0)),
                      str(len(times)))  # fmt: skip
    console.print(table)
    console.print(f"{shipped / options.seconds:.0f} decisions a second were taken meanwhile")
    console.print(accounting.machine())


class Bench:
    """One gateway that ships its chain, and a reviewer."""

    def __init__(self, url: str, http: aiohttp.ClientSession, keys: dict[str, str]) -> None:
        self._url = url
        self._http = http
        self._keys = keys
        self._sent = 0
        self._prev = "0" * 64

    async def fill(self, count: int) -> None:
        """Ship what is there before."""
        while self._sent < count:
            await self._ship(FILL_BATCH)

    async def measure(self, rate: int, seconds: float) -> tuple[int, dict[str, Sequence[float]]]:
        """Ship at a rate and read; how much was shipped, and how long each read took."""
        asked = [await self._ask(f"agent-{n % AGENTS}") for n in range(3 * AGENTS)]
        before, until = self._sent, time.perf_counter() + seconds
        reads = {"approval": "", "context": "/context"}
        took: dict[str, list[float]] = {what: [] for what in reads}

        async def ship() -> None:
            start = time.perf_counter()
            while time.perf_counter() < until:
                due = start + (self._sent - before) / (2 * rate)
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await self._ship(BATCH)

        async def read(what: str) -> None:
            place = 0
            while time.perf_counter() < until:
                approval_id = asked[place % len(asked)]
                place += 1
                began = time.perf_counter()
                await self._call("GET", f"/v1/approvals/{approval_id}{reads[what]}", "admin")
                took[what].append(time.perf_counter() - began)
                await asyncio.sleep(READ_PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            group.create_task(ship(), name="ship")
            for what in reads:
                group.create_task(read(what), name=what)
        return (self._sent - before) // 2, {what: sorted(times) for what, times in took.items()}

    async def _ask(self, agent: str) -> str:
        body = ask_body(agent=agent)
        answer = await self._call("POST", "/v1/approvals", "gateway", body)
        return str(answer["approval"]["approvalId"])

    async def _ship(self, count: int) -> None:
        entries = [_record(self._sent + place) for place in range(count)]
        lines = chain("bench", entries, self._sent + 1, self._prev)
        body = {"gatewayId": "bench", "records": lines}
        await self._call("POST", "/v1/records", "gateway", body)
        self._sent += count
        self._prev = hashlib.sha256(lines[-1].encode()).hexdigest()

    async def _call(self, method: str, path: str, role: str, body: Any = None) -> dict[str, Any]:
        headers = {"x-api-key": self._keys[role]}
        async with self._http.request(
            method, self._url + path, json=body, headers=headers
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status < 300, answer
            return answer


def _record(number: int) -> dict[str, Any]:
    """The intent and the outcome of a decision in turn."""
    decision = number // 2
    fields = {"decision_id": f"dec_{decision}", "agent": f"agent-{decision % AGENTS}"}
    if number % 2:
        return {**fields, "kind": "outcome", "outcome": "executed", "status": 200}
    act = {
        "operation": "stripe.charges.create", "action": "create_charge", "kind": "create",
        "target": {"type": "customer", "id": f"cus_{decision}"},
        "params": {"amount": decision, "currency": "usd", "description": "x" * 200},
    }  # fmt: skip
    return {
        **fields, "kind": "intent", "provider": "stripe", "effect": "ALLOW", "reason_code": "OK",
        "actions": [act],
    }  # fmt: skip


def _at(times: Sequence[float], part: float) -> float:
    return times[min(len(times) - 1, int(len(times) * part))]


if __name__ == "__main__":
    sys.exit(main())
