"""Our own fuzzer, for where atheris is not: seeds and words -> mutants -> findings, made small.

Blind but cheap: words of the grammar are put in, cut, doubled, swapped and spliced. An input that
raises, or takes too long, is a finding; it is made as small as it goes while the same kind of
exception comes out of the same line. Runs in the main thread, for the sake of the alarm.
"""

from __future__ import annotations

import random
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from tests.fuzz.target import CASE_BYTES_MAX, CASE_SECONDS_MAX, Target

MUTATIONS_MAX = 6
SHRINKS_MAX = 2_000
"""Tries at making one finding smaller."""


class TooSlowError(Exception):
    """One input took longer than any honest one could."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke the promise. `where` tells one fault from another."""

    data: bytes
    where: str
    text: str


def try_one(target: Target, data: bytes) -> Finding | None:
    """Check one input; what it broke, if anything."""
    try:
        with _deadline(CASE_SECONDS_MAX):
            target.check(data)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/gateway/" in frame.filename] or frames
        where = (
            f"{type(error).__name__} at {ours[-1].filename.rpartition('/')[2]}:{ours[-1].lineno}"
        )
        return Finding(data, where, f"{type(error).__name__}: {error}"[:2_000])
    return None


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    def expire(number: int, frame: FrameType | None) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGVTALRM, expire)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def mutants(
    target: Target,
    corpus: Sequence[bytes],
    dice: random.Random,
    changes_max: int = MUTATIONS_MAX,
) -> Iterator[bytes]:
    """Endless inputs: each a seed with a few changes."""
    while True:
        data = bytearray(dice.choice(corpus))
        for _ in range(dice.randint(1, changes_max)):
            _mutate(data, target.words, corpus, dice)
        yield bytes(data[:CASE_BYTES_MAX])


def _mutate(
    data: bytearray, words: Sequence[bytes], corpus: Sequence[bytes], dice: random.Random
) -> None:
    at = dice.randint(0, len(data))
    span = slice(at, at + dice.choice((0, 0, 1, 1, 2, 4, 8, 16)))
    match dice.randrange(8):
        case 0 | 1 | 2:
            data[span] = dice.choice(words)
        case 3:
            data[span] = b""
        case 4:
            data[span] = bytes([dice.randrange(256)])
        case 5:
            data[at:at] = data[span] * dice.choice((1, 1, 2, 16))
        case 6:
            other = dice.choice(corpus)
            begin = dice.randint(0, len(other))
            data[at:] = other[begin:]
        case _:
            begin = dice.randint(0, len(data))
            piece = data[begin : begin + dice.choice((1, 4, 16, 64))]
            data[at:at] = piece


def shrink(target: Target, finding: Finding) -> Finding:
    """The smallest input found that breaks the same promise in the same place."""
    smallest, tries = finding, 0
    size = max(len(finding.data) // 2, 1)
    while size:
        at = 0
        while at < len(smallest.data) and tries < SHRINKS_MAX:
            tries += 1
            data = smallest.data[:at] + smallest.data[at + size :]
            again = try_one(target, data)
            if again is not None and again.where == smallest.where:
                smallest = again
            else:
                at += size
        size //= 2
    return smallest


@dataclass(slots=True)
class Tally:
    """What a run came to. `findings` by where; the smallest input of each."""

    runs: int
    cpu_seconds: float
    findings: dict[str, Finding]


def fuzz(
    target: Target, corpus: Sequence[bytes], seed: int, *, seconds: float, runs_max: int = 0
) -> Tally:
    """Try the corpus, then mutants of it, until the CPU seconds or the runs are over."""
    dice = random.Random(seed)
    tally = Tally(0, 0.0, {})
    begun = time.process_time()
    for data in _all(target, [*target.seeds, *corpus], dice):
        finding = try_one(target, data)
        tally.runs += 1
        if finding is not None and finding.where not in tally.findings:
            tally.findings[finding.where] = shrink(target, finding)
        tally.cpu_seconds = time.process_time() - begun
        if tally.cpu_seconds >= seconds or tally.runs == runs_max:
            break
    return tally


def _all(target: Target, corpus: Sequence[bytes], dice: random.Random) -> Iterator[bytes]:
    yield from corpus
    yield from mutants(target, corpus, dice)
