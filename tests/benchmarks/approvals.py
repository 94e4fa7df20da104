"""`python -m tests.benchmarks.approvals`: what a reviewer waits for while decisions stream in.

A control plane on its embedded Postgres, filled with past records, takes decisions at a given rate
over HTTP from two gateways, while approvals are asked, listed, read and answered. The server, each
gateway and the reviewer are processes of their own, so that none measures the other's Python. The
row `health` reads no table: it is what the machine itself makes one wait. Asserts nothing about
time, but stops when an answer is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks import accounting
from tests.support.chains import chain
from tests.support.control_plane import ask_body
from tests.support.processes import descendants
from tests.support.stack import ControlPlane, make_folder

AGENTS = 20
BATCH = 100
"""Records of one shipment, as a busy gateway makes them."""

GATEWAYS = ("left", "right")
PAUSE_SECONDS = 0.02
FILL_BATCH = 1_000

Took = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class At:
    """Where the server is, and the keys that it knows."""

    url: str
    admin: str
    gateway: str


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.approvals", description=main.__doc__
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=500, help="decisions a second")
    parser.add_argument("--filled", type=int, default=100_000, help="records that are there before")
    options = parser.parse_args()
    folder = make_folder("approvals")
    control = ControlPlane(folder)
    try:
        control.start()
        _run(control, options, Console(width=130))
    finally:
        control.process.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _run(control: ControlPlane, options: argparse.Namespace, console: Console) -> None:
    at = At(control.url, control.key("admin"), control.key("gateway"))
    spawn = multiprocessing.get_context("spawn")
    filled, begin, end = spawn.Semaphore(0), spawn.Event(), spawn.Event()
    shipped = spawn.Value("q", 0)
    share = (options.rate / len(GATEWAYS), options.filled // len(GATEWAYS))
    shippers = [
        spawn.Process(
            target=_ship_on, args=(at, name, *share, filled, begin, end, shipped), daemon=True
        )
        for name in GATEWAYS
    ]
    began = time.perf_counter()
    for shipper in shippers:
        shipper.start()
    for _ in shippers:
        filled.acquire()
    fill_seconds = time.perf_counter() - began
    pid = control.process.pid
    postgres = descendants(pid, "postgres")[0].pid
    before = (accounting.cpu_seconds(pid), accounting.cpu_seconds(postgres), shipped.value)
    began = time.perf_counter()
    begin.set()
    took = asyncio.run(_review(at, options.seconds))
    # A reviewer who waits finishes later than planned, and the gateways go on until then.
    seconds = time.perf_counter() - began
    after = (accounting.cpu_seconds(pid), accounting.cpu_seconds(postgres), shipped.value)
    end.set()
    for shipper in shippers:
        shipper.join()
        assert shipper.exitcode == 0, "a gateway failed; see above"
    console.print(_table(took))
    used, of_postgres, count = (now - then for now, then in zip(after, before, strict=True))
    console.print(
        f"{count / seconds:.0f} decisions a second were taken meanwhile; CPU of the server "
        f"{(used - of_postgres) / seconds:.0%}, of its Postgres "
        f"{of_postgres / seconds:.0%}; load {psutil.getloadavg()[0]:.1f}"
    )
    if options.filled:
        console.print(
            f"{options.filled} records were there, taken at {options.filled / fill_seconds:.0f} "
            "a second"
        )
    console.print(accounting.machine())


# --- gateways -------------------------------------------------------------------------------------


def _ship_on(
    at: At, name: str, rate: float, fill: int, filled: Any, begin: Event, end: Event, shipped: Any
) -> None:
    """A gateway's process: ship what is there before, then at a rate until the end."""

    async def ship() -> None:
        async with aiohttp.ClientSession() as http:
            shipper = Shipper(at, name, http)
            while shipper.sent < fill:
                await shipper.ship(FILL_BATCH)
            filled.release()
            await asyncio.to_thread(begin.wait)
            start, before = time.perf_counter(), shipper.sent
            while not end.is_set():
                due = start + (shipper.sent - before) / (2 * rate)
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await shipper.ship(BATCH)
                with shipped.get_lock():
                    shipped.value += BATCH // 2

    asyncio.run(ship())


class Shipper:
    """Ships one gateway's chain."""

    def __init__(self, at: At, name: str, http: aiohttp.ClientSession) -> None:
        self._at = at
        self._name = name
        self._http = http
        self._prev = "0" * 64
        self.sent = 0

    async def ship(self, count: int) -> None:
        """One batch."""
        entries = [_record(self._name, self.sent + place) for place in range(count)]
        lines = chain(self._name, entries, self.sent + 1, self._prev)
        body = {"gatewayId": self._name, "records": lines}
        await _call(self._http, self._at, "POST", "/v1/records", self._at.gateway, body)
        self.sent += count
        self._prev = hashlib.sha256(lines[-1].encode()).hexdigest()


def _record(gateway: str, number: int) -> dict[str, Any]:
    """The intent and the outcome of a decision in turn."""
    decision = number // 2
    fields = {"decision_id": f"dec_{gateway}_{decision}", "agent": f"agent-{decision % AGENTS}"}
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


# --- the reviewer ---------------------------------------------------------------------------------


async def _review(at: At, seconds: float) -> Took:
    """Ask, list, read and answer, each again and again; how long each took."""
    async with aiohttp.ClientSession() as http:

        async def call(method: str, path: str, key: str = at.admin, body: Any = None) -> Any:
            return await _call(http, at, method, path, key, body)

        async def ask(agent: str) -> str:
            answer = await call("POST", "/v1/approvals", at.gateway, ask_body(agent=agent))
            return str(answer["approval"]["approvalId"])

        asked = [await ask(f"agent-{n % AGENTS}") for n in range(3 * AGENTS)]

        async def answer_one() -> float:
            """From a person's yes to the gateway that waits for it."""
            approval_id = await ask("agent-answered")
            path = f"/v1/approvals/{approval_id}"
            waiting = asyncio.create_task(call("GET", f"{path}?waitSeconds=20", at.gateway))
            await asyncio.sleep(10 * PAUSE_SECONDS)
            began = time.perf_counter()
            resolving = asyncio.create_task(
                call("POST", f"{path}/resolve", at.admin, {"resolution": "APPROVE"})
            )
            seen = await waiting
            took = time.perf_counter() - began
            assert seen["approval"]["status"] == "APPROVED", seen
            await resolving
            return took

        def read(path: str) -> Callable[[], Awaitable[float]]:
            numbers = iter(range(10**9))

            async def once() -> float:
                approval_id = asked[next(numbers) % len(asked)]
                began = time.perf_counter()
                await call("GET", path.format(id=approval_id))
                return time.perf_counter() - began

            return once

        async def ask_one() -> float:
            began = time.perf_counter()
            await call("POST", f"/v1/approvals/{await ask('agent-gone')}/resolve", at.admin,
                       {"resolution": "REJECT"})  # fmt: skip
            return (time.perf_counter() - began) / 2

        work: dict[str, Callable[[], Awaitable[float]]] = {
            "health": read("/healthz"),
            "approval": read("/v1/approvals/{id}"),
            "its context": read("/v1/approvals/{id}/context"),
            "queue": read("/v1/approvals?status=PENDING&limit=50"),
            "counts": read("/v1/approvals/counts"),
            "ask or answer": ask_one,
            "answer seen": answer_one,
        }
        took: Took = {what: [] for what in work}
        until = time.perf_counter() + seconds

        async def again(what: str) -> None:
            while time.perf_counter() < until:
                took[what].append(await work[what]())
                await asyncio.sleep(PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            for what in work:
                group.create_task(again(what), name=what)
        return took


async def _call(
    http: aiohttp.ClientSession, at: At, method: str, path: str, key: str, body: Any
) -> dict[str, Any]:
    headers = {"x-api-key": key}
    async with http.request(method, at.url + path, json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status < 300, answer
        return answer


def _table(took: Took) -> Table:
    table = Table("", "p50 ms", "p99 ms", "max ms", "times")
    for what, times in took.items():
        times.sort()
        table.add_row(what, *(f"{_at(times, part) * 1e3:.1f}" for part in (0.5, 0.99, 1.0)),
                      str(len(times)))  # fmt: skip
    return table


def _at(times: Sequence[float], part: float) -> float:
    return times[min(len(times) - 1, int(len(times) * part))]


if __name__ == "__main__":
    sys.exit(main())
