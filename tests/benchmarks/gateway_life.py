"""What the gateway costs beside its traffic: its start, its idle memory, held requests and their
release, a large answer.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from tests.benchmarks import accounting, held_requests
from tests.benchmarks.candidates import BIG_BYTES, BIG_PATH, HOST
from tests.support.raw_client import RawClient, request
from tests.support.stack import Gateway, Stack, Upstreams

STARTS = 5


@dataclass(frozen=True, slots=True)
class Life:
    """Milliseconds, megabytes and kilobytes of 1,000. Of the held see `held_requests.Held`;
    `released_bad` are those that failed."""

    start_ms: float
    start_ms_min: float
    start_ms_max: float
    idle_mb: float
    held: int
    held_kb: float | None
    held_asked_seconds: float
    held_released_seconds: float
    released_bad: int
    big_mb_per_second: float
    big_cpu_ms: float
    big_grown_mb: float


def measure(stack: Stack, upstreams: Upstreams, held: int) -> Life:
    """Measure all, in an order that leaves the shared gateway's memory for last."""
    starts, idle = _starts(stack, upstreams)
    speed, cpu, grown = _big(stack)
    of_held = held_requests.measure(stack, held)
    return Life(
        statistics.median(starts),
        min(starts),
        max(starts),
        idle / 1e6,
        of_held.count,
        of_held.kb_each,
        of_held.asked_seconds,
        of_held.released_seconds,
        of_held.failed,
        speed,
        cpu,
        grown,
    )


def _starts(stack: Stack, upstreams: Upstreams) -> tuple[list[float], int]:
    """Start gateways whose CA exists already; the clock stops when a governed answer is there."""
    times: list[float] = []
    idle = 0
    gateway = Gateway(stack.folder, "starting", stack.control, upstreams)
    gateway.start()  # makes the CA once
    gateway.process.stop()
    for _ in range(STARTS):
        begun = time.perf_counter()
        gateway.start()
        raw = _client(stack, gateway)
        with raw.open_tls(HOST) as sock:
            sock.sendall(request("GET", "/v1/orders/o1"))
            assert sock.recv(65_536).startswith(b"HTTP/1.1 200")
        times.append((time.perf_counter() - begun) * 1e3)
        idle = accounting.resident_bytes(gateway.process.pid)
        gateway.process.stop()
    return times, idle


def _big(stack: Stack) -> tuple[float, float, float]:
    """Fetch one large answer: MB/s, CPU milliseconds, and by how many MB the gateway grew."""
    gateway = stack.gateway
    before = accounting.resident_bytes(gateway.process.pid)
    spent, begun, got = accounting.cpu_seconds(gateway.process.pid), time.perf_counter(), 0
    with _client(stack, gateway).open_tls(HOST) as sock:
        sock.sendall(request("GET", BIG_PATH))
        while got < BIG_BYTES and (piece := sock.recv(1 << 20)):
            got += len(piece)
    took = time.perf_counter() - begun
    if got < BIG_BYTES:
        return 0.0, 0.0, 0.0
    cpu = accounting.cpu_seconds(gateway.process.pid) - spent
    grown = accounting.resident_bytes(gateway.process.pid) - before
    return got / 1e6 / took, cpu * 1e3, grown / 1e6


def _client(stack: Stack, gateway: Gateway) -> RawClient:
    return RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
