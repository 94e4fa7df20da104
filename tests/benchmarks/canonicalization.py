"""`python -m tests.benchmarks.canonicalization`: what it costs to say what a request means.

With every shipped mapper and catalog: time of one call by shape of the request, beside the standard
library's own parsing of the same URL and body in the same run; the first load of each catalog; the
memory of a real gateway that uses three providers and ten AWS services. Asserts nothing about time,
but stops when a request was not understood.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.exchange import HttpRequest
from tests.benchmarks import accounting
from tests.benchmarks.provider_calls import CALLS, IN_USE
from tests.support.raw_client import RawClient
from tests.support.stack import Upstreams, start_stack
from tests.support.upstream_files import make_upstream_files

CALLS_AT_ONCE = 200


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.canonicalization")
    parser.add_argument("--rounds", type=int, default=25, help="of 200 calls each, a request")
    parser.add_argument("--without-gateway", action="store_true", help="leave the memory out")
    options = parser.parse_args()
    console = Console(width=150)
    console.print(_loads())
    console.print(_calls(options.rounds))
    if not options.without_gateway:
        console.print(_memory())
    console.print(accounting.machine())
    return 0


def _loads() -> Table:
    """The first call to each host: what is read for it, from a process that read nothing yet."""
    table = Table(title="first load, ms (the call that reads the catalog)")
    table.add_column("host")
    table.add_column("median of 5 (max)", justify="right")
    begun = time.perf_counter()
    Canonicalizer.load([mappers_dir()])
    table.add_row("(start: the index alone)", f"{(time.perf_counter() - begun) * 1e3:.1f}")
    hosts = {request.authority.host for request, _ in CALLS.values()}
    for host in sorted(hosts):
        times = []
        for _ in range(5):
            canonicalizer = Canonicalizer.load([mappers_dir()])
            request = build_request("GET", f"https://{host}/")
            begun = time.perf_counter()
            canonicalizer.canonicalize(request)
            times.append((time.perf_counter() - begun) * 1e3)
        table.add_row(host, f"{statistics.median(times):.1f} ({max(times):.1f})")
    return table


def _calls(rounds: int) -> Table:
    """One call of each shape, with every provider of the table loaded, and its bare parsing."""
    canonicalizer = Canonicalizer.load([mappers_dir()])
    table = Table(title="one request, us")
    for name in ("request", "p50", "p99 of rounds", "bare parsing, p50", "ratio"):
        table.add_column(name, justify="left" if name == "request" else "right")
    medians = []
    for name, (request, operation) in CALLS.items():
        canonical = canonicalizer.canonicalize(request)
        if [action.operation for action in canonical.actions] != [operation]:
            raise SystemExit(f"{name}: {canonical.actions or canonical.detail}")
    for name, (request, _) in CALLS.items():
        ours = _times(lambda request=request: canonicalizer.canonicalize(request), rounds)
        bare = _times(lambda request=request: _parse(request), rounds)
        p50 = statistics.median(ours)
        medians.append(p50)
        worst = statistics.quantiles(ours, n=100)[98]
        floor = statistics.median(bare)
        table.add_row(name, f"{p50:.1f}", f"{worst:.1f}", f"{floor:.1f}", f"{p50 / floor:.1f}")
    table.add_row("median of all", f"{statistics.median(medians):.1f}", "", "", "")
    return table


def _times(call: Callable[[], object], rounds: int) -> list[float]:
    """Microseconds of one call, a figure for each round."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(CALLS_AT_ONCE):
            call()
        times.append((time.perf_counter() - begun) / CALLS_AT_ONCE * 1e6)
    return times


def _parse(request: HttpRequest) -> object:
    """What any program that wants to look at the request does first."""
    parts = urllib.parse.urlsplit(f"https://{request.authority}{request.target.decode()}")
    body = request.body or b""
    if body.startswith(b"{"):
        return parts, json.loads(body)
    return parts, urllib.parse.parse_qsl(body.decode("latin-1"))


def _memory() -> Table:
    """A real gateway, before and after it met all providers that are in use."""
    table = Table(title="resident memory of a gateway, MB")
    table.add_column("state")
    table.add_column("MB", justify="right")
    with tempfile.TemporaryDirectory(prefix="cr-bench-") as name:
        files = make_upstream_files(Path(name))
        stack = start_stack("bench", Upstreams(1, files.ca))
        try:
            gateway = stack.add_gateway("ordinary", {"CHECKREIN_MAPPERS": str(mappers_dir())})
            raw = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
            pid = gateway.process.pid
            table.add_row("idle", f"{accounting.resident_bytes(pid) / 1e6:.1f}")
            for host in IN_USE:
                # No such path: known providers answer it with a refusal, and nothing is sent.
                head = f"DELETE /no/such/path HTTP/1.1\r\nHost: {host}\r\n\r\n"
                reply = raw.inside(host, head.encode())
                if reply.status != 403:
                    raise SystemExit(f"{host}: {reply.data[:300]!r}")
            table.add_row(
                f"{len(IN_USE)} hosts in use", f"{accounting.resident_bytes(pid) / 1e6:.1f}"
            )
        finally:
            stack.close()
    return table


if __name__ == "__main__":
    raise SystemExit(main())
