"""`python -m tests.fuzz`: throws bytes at every parser, and compares what it takes with others.

    python -m tests.fuzz --seconds 60                    each target for a minute
    python -m tests.fuzz --target head --seconds 3600    one of them for an hour
    python -m tests.fuzz --target head --input FILE      one input again
    python -m tests.fuzz --target head --atheris         coverage-guided, where atheris is installed

`--seconds` counts CPU time; Ctrl-C and SIGTERM end it with a table. What is found is made small,
kept in the corpus and printed with their seed; the exit status is then 1. atheris is no dependency:
`pip install atheris` into the same environment. Asserts nothing about time but that no single input
takes seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz import corpus, engine
from tests.fuzz.target import CASE_BYTES_MAX, Target

ROUND_SECONDS = 20.0
"""Targets take turns, so that a run that is cut short has tried all of them."""


def main() -> int:
    """Fuzz and report."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU time of each target")
    parser.add_argument("--target", action="append", help="a name; all if left out")
    parser.add_argument("--seed", type=int, default=None, help="of the mutations; printed")
    parser.add_argument("--input", type=Path, help="try this file and nothing else")
    parser.add_argument("--atheris", action="store_true", help="guided by coverage; one target")
    options = parser.parse_args()
    targets = _instrumented() if options.atheris else _plain()
    unknown = set(options.target or ()) - targets.keys()
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are: {', '.join(sorted(targets))}")
    chosen = [targets[name] for name in options.target or sorted(targets)]
    if options.input is not None:
        return _try_file(chosen, options.input)
    if options.atheris:
        return _run_atheris(chosen, options.seconds)
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000_000
    return _run(chosen, options.seconds, seed)


def _plain() -> Mapping[str, Target]:
    from tests.fuzz.targets import TARGETS

    return TARGETS


def _instrumented() -> Mapping[str, Target]:
    """The targets, with our readers reporting which branches an input takes."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: `pip install atheris`, or leave `--atheris` out")
    with atheris.instrument_imports(include=["gateway.canonicalize", "gateway.intercept"]):
        return _plain()


def _run(chosen: list[Target], seconds: float, seed: int) -> int:
    tallies = {target.name: engine.Tally(0, 0.0, {}) for target in chosen}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        _take_turns(chosen, seconds, seed, tallies)
    _print(chosen, tallies, seed)
    return int(any(tally.findings for tally in tallies.values()))


def _take_turns(
    chosen: list[Target], seconds: float, seed: int, tallies: dict[str, engine.Tally]
) -> None:
    round_seconds = min(ROUND_SECONDS, seconds)
    number = 0
    while any(tally.cpu_seconds < seconds for tally in tallies.values()):
        for target in chosen:
            found = engine.fuzz(target, corpus.kept(target), seed + number, seconds=round_seconds)
            tally = tallies[target.name]
            tally.runs += found.runs
            tally.cpu_seconds += found.cpu_seconds
            for where, finding in found.findings.items():
                if where not in tally.findings:
                    tally.findings[where] = finding
                    path = corpus.keep(target, finding.data)
                    print(f"{target.name}: {where} (seed {seed + number}, kept as {path})\n"
                          f"  {finding.data!r}\n  {finding.text}", flush=True)  # fmt: skip
        number += 1


def _print(chosen: list[Target], tallies: dict[str, engine.Tally], seed: int) -> None:
    table = Table(title=f"fuzzed, seed {seed}")
    for name in ("target", "promise"):
        table.add_column(name)
    for name in ("inputs", "CPU s", "findings"):
        table.add_column(name, justify="right")
    for target in chosen:
        tally = tallies[target.name]
        table.add_row(
            target.name, target.promise, f"{tally.runs:,}", f"{tally.cpu_seconds:.0f}",
            str(len(tally.findings)),
        )  # fmt: skip
    Console(width=110).print(table)


def _try_file(chosen: list[Target], path: Path) -> int:
    data, is_broken = path.read_bytes(), False
    for target in chosen:
        finding = engine.try_one(target, data)
        print(f"{target.name}: {'holds' if finding is None else finding.where}")
        if finding is not None:
            print(f"  {finding.text}")
            is_broken = True
    return int(is_broken)


def _run_atheris(chosen: list[Target], seconds: float) -> int:
    """Hand over to libFuzzer, which ends the process itself. What it finds new ways with stays in
    a temporary folder; what breaks a promise is kept."""
    import atheris

    if len(chosen) != 1:
        sys.exit("name one `--target` for `--atheris`")
    (target,) = chosen
    kept = corpus.CORPUS / target.name
    kept.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{target.name}-"))
    for number, data in enumerate(target.seeds):
        (folder / f"seed-{number}").write_bytes(data)
    arguments = [
        sys.argv[0], f"-max_total_time={int(seconds)}", f"-max_len={CASE_BYTES_MAX}",
        "-timeout=10", f"-artifact_prefix={kept}/", str(folder), str(kept),
    ]  # fmt: skip
    atheris.Setup(arguments, target.check)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
