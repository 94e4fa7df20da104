"""Replays files of records, in parts, on all cores: paths in, one tally out.

A file is cut where lines end and every part is read by whoever replays it, so that memory stays the
same however long the record is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from gateway.authoring.policies.replay.tally import Replay, Tally
from gateway.decide.loader import load_bundle
from gateway.model.dataclass import dataclass

PART_BYTES: Final = 16 * 1024 * 1024
"""Of a record, replayed at once: a fraction of a second's work."""

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""A longer line is no record of ours."""

PROCESSES_FROM_BYTES: Final = 64 * 1024 * 1024
"""Below, starting processes costs more than it saves."""

Progress = Callable[[int], None]
"""Is told how many bytes are done."""


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that begin within these bytes of a file."""

    path: Path
    start: int
    end: int


def record_files(paths: Iterable[Path]) -> list[Path]:
    """The files that paths name: themselves, or all `*.jsonl` of a folder, such as a gateway's
    spool, in order.

    Raises:
        OSError: a folder can't be read.
    """
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    return files


def replay_files(
    files: Sequence[Path],
    candidate: Sequence[Path],
    baseline: Sequence[Path],
    progress: Progress,
    processes: int | None = None,
) -> Tally:
    """Replay all lines of files.

    Raises:
        ConfigurationError: policies can't be loaded.
        OSError: a file can't be read.
    """
    parts = [part for file in files for part in _parts(file)]
    size = sum(part.end - part.start for part in parts)
    count = processes or (_cores() if size >= PROCESSES_FROM_BYTES else 1)
    if count == 1:
        return _replay_here(parts, candidate, baseline, progress)
    total = Tally()
    context = get_context("spawn")  # a fork would copy the threads of a progress bar, half alive
    with ProcessPoolExecutor(
        count, context, initializer=_load, initargs=(tuple(candidate), tuple(baseline))
    ) as pool:
        for part, tally in _in_flight(pool, parts, count * 2):
            total.add(tally)
            progress(part.end - part.start)
    return total


def _cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)


def _in_flight(
    pool: ProcessPoolExecutor, parts: Sequence[Part], most: int
) -> Iterator[tuple[Part, Tally]]:
    """Results as they come, with so many parts under way at most."""
    waiting = iter(parts)
    running: dict[Future[Tally], Part] = {}
    while True:
        for part in waiting:
            running[pool.submit(_replay_part, part)] = part
            if len(running) >= most:
                break
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future.result()


def _replay_here(
    parts: Iterable[Part], candidate: Sequence[Path], baseline: Sequence[Path], progress: Progress
) -> Tally:
    replay = _replay_of(candidate, baseline)
    for part in parts:
        for line in lines_of(part):
            replay.take(line)
        progress(part.end - part.start)
    return replay.tally


def _replay_of(candidate: Sequence[Path], baseline: Sequence[Path]) -> Replay:
    return Replay(load_bundle(candidate), load_bundle(baseline) if baseline else None)


_policies: list[tuple[tuple[Path, ...], tuple[Path, ...]]] = []
_replays: list[Replay] = []
"""What this process replays with; loaded once, by the first part."""


def _load(candidate: tuple[Path, ...], baseline: tuple[Path, ...]) -> None:
    _policies[:] = [(candidate, baseline)]


def _replay_part(part: Part) -> Tally:
    if not _replays:
        _replays.append(_replay_of(*_policies[0]))
    replay = _replays[0]
    replay.tally = Tally()
    for line in lines_of(part):
        replay.take(line)
    return replay.tally


def _parts(path: Path) -> Iterator[Part]:
    size = path.stat().st_size
    for start in range(0, size, PART_BYTES):
        yield Part(path, start, min(start + PART_BYTES, size))


def lines_of(part: Part) -> Iterator[bytes]:
    """The lines that begin within a part. Every line of a file begins in exactly one."""
    with part.path.open("rb") as file:
        at = part.start
        if at:
            # The line that reaches into this part began in the one before.
            file.seek(at - 1)
            at += len(file.readline(LINE_BYTES_MAX)) - 1
        while at < part.end:
            line = file.readline(LINE_BYTES_MAX)
            if not line:
                return
            at += len(line)
            yield line.removesuffix(b"\n")
