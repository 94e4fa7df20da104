"""`python -m tests.benchmarks`: what a governed request costs, beside peers in the same run.

Every candidate stands between the same load and the same origin; rounds are interleaved and the
proxies pinned to one CPU, the load to another. CPU time comes from the kernel's books. Nothing is
asserted about time, but a wrong answer of ours ends the run, and one of a peer's its round, which
is then done again: the cost of wrong answers is of no interest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from tests.benchmarks import accounting, breakdown, gateway_life, http2, report
from tests.benchmarks.candidates import (
    Candidate,
    Unavailable,
    direct,
    end,
    install_mitmproxy,
    start_mitmproxy,
    start_nginx_proxy,
    start_origin,
)
from tests.benchmarks.measuring import LOAD_CPU, PROXY_CPU, measure, pin_tree
from tests.benchmarks.ours import (
    TWO_WORKERS,
    start_bare,
    start_ours,
    start_two_workers,
    start_unsynced,
)
from tests.benchmarks.peers import install_envoy, start_envoy, start_haproxy
from tests.benchmarks.rows import ALONE, FULL, HEADLINE, QUICK, RATES, READS, Row
from tests.benchmarks.stored import publish
from tests.support.processes import end_when_told
from tests.support.stack import Stack, Upstreams
from tests.support.upstream_files import UpstreamFiles, make_upstream_files

MITMPROXY_VERSION = "11.0.2"
"""The last that runs on Python 3.11."""

HTTP2_REQUESTS = 500
"""Of each kind, each way, each round."""

_FEW = frozenset({HEADLINE, READS})
_WHERE_SYNCS_TELL = _FEW | {ALONE} | {row.name for row in RATES}
"""One request waits for a sync alone, and thirty-two share one."""


def main() -> int:
    """Measure and print; 1 when nothing could be measured."""
    options = _options()
    end_when_told()
    console = Console(width=170)
    rows, rounds, held = (QUICK, 2, 200) if options.quick else (FULL, 3, 2_000)
    rounds, held = options.rounds or rounds, options.held or held
    with tempfile.TemporaryDirectory(prefix="cr-bench-") as name, contextlib.ExitStack() as ending:
        folder = Path(name)
        files = make_upstream_files(folder)
        try:
            origin_port, origin = start_origin(folder, files)
        except Unavailable as reason:
            console.print(f"[red]no origin: {reason}[/]")
            return 1
        ending.callback(end, origin)
        upstreams = Upstreams(origin_port, files.ca)
        stack, ours = start_ours(upstreams)
        ending.callback(ours.stop)
        control = stack.control.process.pid
        for pid in (origin.pid, control):
            pin_tree(pid, LOAD_CPU)
        straight = direct(origin_port, origin, files)
        candidates = [
            ours,
            *_own(console, folder, stack),
            *_peers(console, folder, files, origin_port, options),
        ]
        for candidate in candidates[1:]:
            ending.callback(candidate.stop)
        for candidate in candidates:
            if candidate.name != TWO_WORKERS:
                pin_tree(candidate.pid, PROXY_CPU)
        tell: Callable[[str], None] = lambda line: console.print(line, style="dim")  # noqa: E731
        results = measure(candidates, rows, rounds, options.seconds, control, tell)
        rates: tuple[Row, ...] = RATES[:1] if options.quick else RATES
        at_rates = measure([straight, *candidates], rates, rounds, options.seconds, control, tell)
        results.rounds += at_rates.rounds
        console.print("the gateway's life ...", style="dim")
        life = None
        try:
            life = gateway_life.measure(stack, upstreams, held)
        except SystemExit as reason:
            # What was measured before is not lost for it.
            console.print(f"[red]the gateway's life was not measured: {reason}[/]")
    console.print("HTTP/2 ...", style="dim")
    ways = http2.measure(rounds, HTTP2_REQUESTS)
    console.print("the parts of a request ...", style="dim")
    costs = breakdown.measure()
    stored = report.document(results, life, costs, ways, _where(options, rounds))
    console.print(report.table(stored))
    console.print(report.markdown(stored))
    if options.json:
        options.json.write_text(json.dumps(stored, indent=1) + "\n")
    if options.publish:
        publish(stored)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="two rows, 2 rounds: some 3 minutes")
    parser.add_argument("--rounds", type=int, help="default 3, with --quick 2")
    parser.add_argument("--seconds", type=float, default=2.0, help="of load, each measurement")
    parser.add_argument("--held", type=int, help="requests held; default 2000, with --quick 200")
    parser.add_argument("--mitmdump", type=Path, help="use this mitmdump; do not install one")
    parser.add_argument("--envoy", type=Path, help="use this Envoy; do not install one")
    parser.add_argument("--without", action="append", default=[], help="leave a candidate out")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument(
        "--publish", action="store_true", help="store the run, draw its picture, write README"
    )
    return parser.parse_args()


def _own(console: Console, folder: Path, stack: Stack) -> list[Candidate]:
    found: list[Candidate] = []
    with _skipping(console, "our bare data path"):
        found.append(start_bare(folder, stack.upstreams))
    with _skipping(console, "a record in memory"):
        found.append(start_unsynced(stack, _WHERE_SYNCS_TELL))
    with _skipping(console, "two workers"):
        found.append(start_two_workers(stack, _FEW))
    return found


def _peers(
    console: Console,
    folder: Path,
    files: UpstreamFiles,
    origin_port: int,
    options: argparse.Namespace,
) -> list[Candidate]:
    found: list[Candidate] = []
    with _skipping(console, "nginx as a proxy"):
        found.append(start_nginx_proxy(folder, files, origin_port))
    if "haproxy" not in options.without:
        with _skipping(console, "HAProxy"):
            found.append(start_haproxy(folder, files, origin_port))
    if "envoy" not in options.without:
        with _skipping(console, "Envoy"):
            envoy = options.envoy or install_envoy(folder)
            found.append(start_envoy(folder, files, origin_port, envoy, asks=False))
            found.append(start_envoy(folder, files, origin_port, envoy, asks=True))
    if "mitmproxy" not in options.without:
        with _skipping(console, "mitmproxy"):
            mitmdump = options.mitmdump or install_mitmproxy(folder, MITMPROXY_VERSION)
            proxy = start_mitmproxy(folder, files, origin_port, mitmdump)
            proxy.only_rows = _FEW
            found.append(proxy)
    return found


@contextlib.contextmanager
def _skipping(console: Console, what: str) -> Iterator[None]:
    """Say that a candidate is left out, and why, instead of failing or staying silent."""
    try:
        yield
    except Unavailable as reason:
        console.print(f"[yellow]SKIPPED {what}: {reason}[/]")


def _where(options: argparse.Namespace, rounds: int) -> dict[str, str]:
    machine, versions = accounting.where()
    manner = (
        f"{rounds} interleaved rounds of {options.seconds:g} s, TLS on both sides, kept alive; "
        "500-byte requests and answers of 1 KB unless the row says otherwise."
    )
    return {"machine": machine, "versions": versions, "manner": manner}


if __name__ == "__main__":
    sys.exit(main())
