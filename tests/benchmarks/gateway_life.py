"""What the gateway costs beside its traffic: its start, its idle memory, a held request."""

from __future__ import annotations

import contextlib
import statistics
import time

from rich.table import Table

from tests.benchmarks import accounting
from tests.benchmarks.candidates import HOST
from tests.support.raw_client import RawClient, request
from tests.support.stack import Gateway, Stack, Upstreams

STARTS = 3
HELD_SECONDS_MAX = 60.0


def report(stack: Stack, upstreams: Upstreams, held: int) -> Table:
    """Measure all three; a table of one row a figure."""
    table = Table(title="the gateway's life")
    table.add_column("figure")
    table.add_column("value", justify="right")
    starts, idle = _starts(stack, upstreams)
    table.add_row(
        "start to first governed request, ms (median of 3; min-max)",
        f"{statistics.median(starts):.0f} ({min(starts):.0f}-{max(starts):.0f})",
    )
    table.add_row("resident memory, idle, MB", f"{idle / 1e6:.1f}")
    per_held, count = _per_held(stack, held)
    table.add_row(f"resident memory per held request ({count} held), KB", f"{per_held / 1e3:.1f}")
    return table


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


def _per_held(stack: Stack, held: int) -> tuple[float, int]:
    """Hold many distinct requests at once and divide what the gateway grew by their number."""
    gateway = stack.gateway
    raw = _client(stack, gateway)
    body = b'{"amount":9000}'
    with contextlib.ExitStack() as open_sockets:
        warm = open_sockets.enter_context(raw.open_tls(HOST))
        warm.sendall(request("POST", "/v1/orders/warm/refund", _JSON, body))
        known = frozenset[str]()
        stack.api.wait_pending(known)
        before = accounting.resident_bytes(gateway.process.pid)
        for number in range(held):
            sock = open_sockets.enter_context(raw.open_tls(HOST))
            sock.sendall(request("POST", f"/v1/orders/held{number}/refund", _JSON, body))
        _wait_held(gateway, held + 1)
        grown = accounting.resident_bytes(gateway.process.pid) - before
    return grown / held, held


_JSON = {"Content-Type": "application/json"}


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
