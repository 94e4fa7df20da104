"""Runs rows against candidates, interleaved and pinned, and returns what the kernel's books say."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

import psutil

from tests.benchmarks import accounting
from tests.benchmarks.candidates import ANSWER_BYTES, HOST, Candidate
from tests.benchmarks.load import Load
from tests.benchmarks.rows import Row

PROXY_CPU = 0
LOAD_CPU = 1
SETTLE_SECONDS = 0.3
"""What a proxy still writes or ships for the requests after the last answer is on its bill too."""

OURS = "Checkrein"
PEER_TRIES_MAX = 3


class WrongAnswersError(Exception):
    """Some answers were not the origin's, or there were none."""


@dataclass(frozen=True, slots=True)
class Result:
    """One candidate and row in one round. `others_cpu_us` is the control plane's."""

    candidate: str
    row: str
    cpu_us: float
    done: int
    p50_us: float
    p99_us: float
    others_cpu_us: float


@dataclass(slots=True)
class Results:
    """All rounds, and what they come to."""

    rounds: list[Result] = field(default_factory=list)

    def of(self, candidate: str, row: str) -> list[Result]:
        return [one for one in self.rounds if (one.candidate, one.row) == (candidate, row)]

    @property
    def candidates(self) -> list[str]:
        return list(dict.fromkeys(one.candidate for one in self.rounds))

    @property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(one.row for one in self.rounds))

    def median(self, candidate: str, row: str, name: str = "cpu_us") -> float | None:
        """The median over rounds of one figure; None where it was not measured."""
        values = [getattr(one, name) for one in self.of(candidate, row)]
        return statistics.median(values) if values else None


def pin_tree(pid: int, cpu: int) -> None:
    """Keep a process and its descendants on one CPU, where there are two."""
    if (os.cpu_count() or 1) > 1:
        for each in [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]:
            accounting.pin(each, cpu)


def measure(
    candidates: Sequence[Candidate],
    rows: Sequence[Row],
    rounds: int,
    seconds: float,
    control_pid: int,
    tell: Callable[[str], None],
) -> Results:
    """Every candidate and row once a round, in turn, so that a noisy minute hits them all."""
    results = Results()
    for number in range(rounds):
        for row in rows:
            for candidate in candidates:
                if candidate.only_rows and row.name not in candidate.only_rows:
                    continue
                result = _right_answers(candidate, row, seconds, control_pid, tell)
                results.rounds.append(result)
                tell(
                    f"round {number + 1}, {row.name}, {candidate.name}: {result.cpu_us:.1f} us of "
                    f"CPU, p50 {result.p50_us:.0f} us, {result.done} requests"
                )
    return results


def _right_answers(
    candidate: Candidate, row: Row, seconds: float, control_pid: int, tell: Callable[[str], None]
) -> Result:
    """One round without a wrong answer. A peer may try again: now and then one drops a connection
    that it keeps alive, and an hour's run is not to end with that. We may not."""
    tries_max = 1 if candidate.name.startswith(OURS) else PEER_TRIES_MAX
    for left in reversed(range(tries_max)):
        try:
            return _once(candidate, row, seconds, control_pid)
        except WrongAnswersError as error:
            if not left:
                raise SystemExit(str(error)) from error
            tell(f"{error}; again")
    raise AssertionError("each try returns or raises")


def _once(candidate: Candidate, row: Row, seconds: float, control_pid: int) -> Result:
    """Raises WrongAnswersError."""
    load = Load(
        candidate.port, str(candidate.ca_file), candidate.server_name, candidate.authority, HOST,
        row.method, row.path, ANSWER_BYTES, row.connections, seconds, candidate.credentials,
        LOAD_CPU if (os.cpu_count() or 1) > 1 else None, row.manner, row.body_bytes, row.rate,
    )  # fmt: skip
    with loading(load) as loader:
        before = accounting.cpu_seconds(candidate.pid)
        others_before = accounting.cpu_seconds(control_pid)
        told = loader("go")
        time.sleep(SETTLE_SECONDS)
        spent = accounting.cpu_seconds(candidate.pid) - before
        others = accounting.cpu_seconds(control_pid) - others_before
    if told["bad"] or not told["done"]:
        raise WrongAnswersError(
            f"{candidate.name}, {row.name}: {told['bad']:.0f} wrong answers of {told}"
        )
    done = told["done"]
    return Result(
        candidate.name, row.name, spent / done * 1e6, int(done), told["p50_us"], told["p99_us"],
        others / done * 1e6,
    )  # fmt: skip


@contextlib.contextmanager
def loading(load: Load) -> Iterator[Callable[[str], dict[str, float]]]:
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
