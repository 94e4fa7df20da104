"""`python -m tests.benchmarks`: what a governed request costs, beside peers in the same run.

Prints medians over interleaved rounds and the ratios to bare nginx. Reads CPU time from the
kernel's books for the proxy's process tree; asserts nothing about time, but stops when an answer
was wrong, because the cost of wrong answers is of no interest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks import accounting, gateway_life
from tests.benchmarks.candidates import (
    ANSWER_BYTES,
    HOST,
    Candidate,
    Unavailable,
    end,
    install_mitmproxy,
    start_mitmproxy,
    start_nginx_proxy,
    start_origin,
    start_ours,
)
from tests.benchmarks.load import Load
from tests.support.stack import Upstreams
from tests.support.upstream_files import make_upstream_files

MITMPROXY_VERSION = "11.0.2"
PROXY_CPU = 0
LOAD_CPU = 1
SETTLE_SECONDS = 0.3
"""What a proxy still writes or ships for the requests after the last answer is on its bill too."""


@dataclass(frozen=True, slots=True)
class Result:
    """One candidate in one round."""

    candidate: str
    row: str
    cpu_us: float
    done: int
    p50_us: float
    p99_us: float
    others_cpu_us: float


def main() -> int:
    """Measure and print; 1 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load, each measurement")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--held", type=int, default=200, help="requests held for the memory figure")
    parser.add_argument("--mitmdump", type=Path, help="use this mitmdump; do not install one")
    parser.add_argument("--without-mitmproxy", action="store_true")
    options = parser.parse_args()
    console = Console(width=150)
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
        _pin_to_load_cpu(origin.pid, stack.control.process.pid)
        candidates = [ours]
        with _skipping(console, "nginx as a proxy"):
            candidates.append(start_nginx_proxy(folder, files, origin_port))
        if not options.without_mitmproxy:
            with _skipping(console, "mitmproxy"):
                mitmdump = options.mitmdump or install_mitmproxy(folder, MITMPROXY_VERSION)
                candidates.append(start_mitmproxy(folder, files, origin_port, mitmdump))
        for candidate in candidates[1:]:
            ending.callback(candidate.stop)
        results = _measure(console, candidates, options, stack.control.process.pid)
        console.print(_table(results))
        console.print(gateway_life.report(stack, upstreams, options.held))
    console.print(accounting.machine())
    return 0


@contextlib.contextmanager
def _skipping(console: Console, what: str) -> Iterator[None]:
    """Say that a candidate is left out, and why, instead of failing or staying silent."""
    try:
        yield
    except Unavailable as reason:
        console.print(f"[yellow]SKIPPED {what}: {reason}[/]")


def _pin_to_load_cpu(*pids: int) -> None:
    """The rest of the world shares the other CPU with the load, where there are two."""
    if (os.cpu_count() or 1) > 1:
        for pid in pids:
            for process in [pid, *_children(pid)]:
                accounting.pin(process, LOAD_CPU)


def _children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _measure(
    console: Console, candidates: Sequence[Candidate], options: argparse.Namespace, control_pid: int
) -> list[Result]:
    """Every candidate and row once a round, in turn, so that a noisy minute hits them all."""
    results: list[Result] = []
    for candidate in candidates:
        for pid in [candidate.pid, *_children(candidate.pid)]:
            accounting.pin(pid, PROXY_CPU)
    for number in range(options.rounds):
        for candidate in candidates:
            for row, method, path in candidate.rows:
                result = _once(candidate, row, method, path, options, control_pid)
                results.append(result)
                console.print(
                    f"round {number + 1} {candidate.name} {row}: {result.cpu_us:.1f} us, "
                    f"{result.done} requests",
                    style="dim",
                )
    return results


def _once(
    candidate: Candidate,
    row: str,
    method: str,
    path: str,
    options: argparse.Namespace,
    control_pid: int,
) -> Result:
    load = Load(
        candidate.port, str(candidate.ca_file), candidate.server_name, candidate.authority, HOST,
        method, path, ANSWER_BYTES, options.connections, options.seconds, candidate.credentials,
        LOAD_CPU if (os.cpu_count() or 1) > 1 else None,
    )  # fmt: skip
    with _loading(load) as loader:
        before = accounting.cpu_seconds(candidate.pid)
        others_before = accounting.cpu_seconds(control_pid)
        told = loader("go")
        time.sleep(SETTLE_SECONDS)
        spent = accounting.cpu_seconds(candidate.pid) - before
        others = accounting.cpu_seconds(control_pid) - others_before
    if told["bad"] or not told["done"]:
        raise SystemExit(f"{candidate.name}, {row}: {told['bad']:.0f} wrong answers of {told}")
    done = told["done"]
    return Result(
        candidate.name, row, spent / done * 1e6, int(done), told["p50_us"], told["p99_us"],
        others / done * 1e6,
    )  # fmt: skip


@contextlib.contextmanager
def _loading(load: Load) -> Iterator[Callable[[str], dict[str, float]]]:
    """The load in its own process, connected and warm; call it with a word for its results."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    to_load, from_load = process.stdin, process.stdout
    assert to_load is not None
    assert from_load is not None

    def say(word: str) -> str:
        to_load.write(word + "\n")
        to_load.flush()
        answer = from_load.readline()
        if not answer:
            raise SystemExit(f"the load failed with status {process.wait()}")
        return answer

    say(json.dumps(asdict(load)))
    yield lambda word: json.loads(say(word))
    process.communicate("bye\n", timeout=20)


def _table(results: Sequence[Result]) -> Table:
    """Medians, their spread, and the ratio to bare nginx of the same row."""
    table = Table(title="CPU of the proxy's process tree per request")
    for head in ("candidate", "request", "CPU us (min-max)", "x nginx", "x mitmproxy",
                 "p50 us", "p99 us", "requests", "control plane CPU us"):  # fmt: skip
        table.add_column(head, justify="left" if head in ("candidate", "request") else "right")
    medians = {
        key: statistics.median(result.cpu_us for result in results if _key(result) == key)
        for key in dict.fromkeys(map(_key, results))
    }
    for (name, row), median in medians.items():
        own = [result for result in results if _key(result) == (name, row)]
        table.add_row(
            name, row,
            f"{median:.1f} ({min(r.cpu_us for r in own):.1f}-{max(r.cpu_us for r in own):.1f})",
            _ratio(median, medians, "nginx", row), _ratio(median, medians, "mitmproxy", row),
            f"{statistics.median(r.p50_us for r in own):.0f}",
            f"{statistics.median(r.p99_us for r in own):.0f}",
            str(sum(r.done for r in own)),
            f"{statistics.median(r.others_cpu_us for r in own):.1f}" if "checkrein" in name else "",
        )  # fmt: skip
    return table


def _key(result: Result) -> tuple[str, str]:
    return result.candidate, result.row


def _ratio(median: float, medians: dict[tuple[str, str], float], peer: str, row: str) -> str:
    found = [value for (name, other), value in medians.items() if peer in name and other == row]
    return f"{median / found[0]:.2f}" if found else "-"


if __name__ == "__main__":
    sys.exit(main())
