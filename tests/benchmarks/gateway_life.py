"""What the gateway costs beside its traffic: its start, its idle memory, held requests and their
release, a large answer.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import ssl
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks import accounting
from tests.benchmarks.candidates import BIG_BYTES, BIG_PATH, HOST
from tests.support.raw_client import RawClient, request
from tests.support.stack import Gateway, Stack, Upstreams

STARTS = 5
HELD_SECONDS_MAX = 120.0
REVIEWERS = 8
"""Answers given at once while everything held is released."""

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Life:
    """Milliseconds, megabytes and kilobytes of 1,000; `released_bad` of `held` got no good
    answer."""

    start_ms: float
    start_ms_min: float
    start_ms_max: float
    idle_mb: float
    held: int
    held_kb: float
    released_bad: int
    big_mb_per_second: float
    big_cpu_ms: float
    big_grown_mb: float


def measure(stack: Stack, upstreams: Upstreams, held: int) -> Life:
    """Measure all, in an order that leaves the shared gateway's memory for last."""
    starts, idle = _starts(stack, upstreams)
    speed, cpu, grown = _big(stack)
    per_held, bad = _held(stack, held)
    return Life(
        statistics.median(starts),
        min(starts),
        max(starts),
        idle / 1e6,
        held,
        per_held / 1e3,
        bad,
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


def _held(stack: Stack, held: int) -> tuple[float, int]:
    """Hold many distinct requests at once, divide what the gateway grew by their number; then
    approve all, and count those that did not get a good answer."""
    gateway = stack.gateway
    body = b'{"amount":9000}'
    with contextlib.ExitStack() as open_sockets:
        warm = open_sockets.enter_context(_client(stack, gateway).open_tls(HOST))
        warm.sendall(request("POST", "/v1/orders/warm/refund", _JSON, body))
        stack.api.wait_pending(frozenset[str]())
        before = accounting.resident_bytes(gateway.process.pid)
        sockets: list[ssl.SSLSocket | socket.socket] = []
        for number in range(held):
            sock = open_sockets.enter_context(_client(stack, gateway).open_tls(HOST))
            sock.sendall(request("POST", f"/v1/orders/held{number}/refund", _JSON, body))
            sockets.append(sock)
        _wait_held(gateway, held + 1)
        grown = accounting.resident_bytes(gateway.process.pid) - before
        _approve_all(stack, held + 1)
        bad = sum(not _is_good(sock) for sock in sockets)
    return grown / held, bad


def _approve_all(stack: Stack, count: int) -> None:
    """A request is parked before its question is asked: look until all have been answered."""
    deadline = time.monotonic() + HELD_SECONDS_MAX
    answered: set[str] = set()
    with concurrent.futures.ThreadPoolExecutor(REVIEWERS) as reviewers:
        while len(answered) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {len(answered)} of {count} questions were asked")
            pending = {approval["approvalId"] for approval in _pending(stack)} - answered
            list(reviewers.map(lambda one: stack.api.resolve(one, "APPROVE"), pending))
            answered |= pending


def _pending(stack: Stack) -> Iterator[dict[str, str]]:
    cursor: dict[str, str] = {}
    while True:
        page = stack.api.call("GET", "/v1/approvals", status="PENDING", limit="100", **cursor)
        yield from page["approvals"]
        if not page.get("nextCursor"):
            return
        cursor = {"cursor": page["nextCursor"]}


def _is_good(sock: ssl.SSLSocket | socket.socket) -> bool:
    sock.settimeout(HELD_SECONDS_MAX)
    try:
        return sock.recv(65_536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _client(stack: Stack, gateway: Gateway) -> RawClient:
    return RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)


def _wait_held(gateway: Gateway, count: int) -> None:
    """Wait until the gateway's own gauge says that so many requests are parked."""
    deadline = time.monotonic() + HELD_SECONDS_MAX
    while gateway.metric("checkrein_gateway_held") < count:
        if time.monotonic() > deadline:
            held = gateway.metric("checkrein_gateway_held")
            raise SystemExit(f"only {held:.0f} of {count} requests are held")
        time.sleep(0.1)
