"""`python -m tests.end_to_end.faults`: every fault of the page on real processes, and what came of
it, row by row.

    python -m tests.end_to_end.faults --row 17 --row 24

Ends with status 1 when a row fails, and 2 when there is nothing to run. What this machine can't do
(mount, move the clock) is skipped and said.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from tests.structure.test_faults import LINE, ROWS, rows_of

FOLDER = Path(__file__).parent

LONG = {"CHECKREIN_TEST_RELOADS": "1000", "CHECKREIN_TEST_KILLS": "100"}
LONG_KILLS = 500
LONG_SECONDS_MAX = 7_200
"""Of one test."""


@dataclass
class Row:
    """What came of one row's tests; `notes` are the reasons of skips and the names of failures."""

    results: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


class Results:
    """A plugin that counts results by row."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for number in rows_of(report.nodeid.rpartition("::")[2]):
            row = self.rows.setdefault(number, Row())
            row.seconds += report.duration
            is_verdict = report.when == "call" or report.outcome != "passed"
            if not is_verdict:
                continue
            row.results[report.outcome] += 1
            if report.outcome == "failed":
                row.notes.append(report.nodeid.rpartition("::")[2])
            if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
                row.notes.append(str(report.longrepr[2]).removeprefix("Skipped: "))


def main() -> int:
    """Run the tests of every fault, or of some rows, and say what came of each."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.end_to_end.faults",
        description=main.__doc__,
        epilog="example: python -m tests.end_to_end.faults --row 17 --row 24",
    )
    parser.add_argument("--row", type=int, action="append", choices=ROWS, metavar="N", default=[])
    parser.add_argument("--long", action="store_true", help="1,000 reloads, 600 kills: an hour")
    parser.add_argument("--json", action="store_true", help="one JSON document and no table")
    options = parser.parse_args()
    arguments = _arguments(options.row)
    if options.long:
        os.environ.update(LONG)
        arguments.append(f"--timeout={LONG_SECONDS_MAX}")
    results = Results()
    status = int(pytest.main(arguments, plugins=[results]))
    is_machine = options.json or not sys.stdout.isatty()
    if is_machine:
        print(json.dumps(_as_json(results), indent=2))
    else:
        _show(results, Console())
    if options.long and (not options.row or 29 in options.row):
        from tests.end_to_end import kills

        sys.argv = ["kills", "--kills", str(LONG_KILLS), *(["--json"] if is_machine else [])]
        status = max(status, kills.main())
    if not results.rows:
        return 2
    return 1 if status else 0


def _arguments(rows: Sequence[int]) -> list[str]:
    chosen = " or ".join(f"row_{row:02} or and_{row:02}" for row in rows)
    told = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:terminalreporter"]
    scratch = f"--basetemp={tempfile.mkdtemp(prefix='cr-faults-')}"
    return [str(FOLDER), *told, scratch, *(["-k", chosen] if chosen else [])]


def _faults() -> dict[int, str]:
    """By row, what fails, as the page says it."""
    page = (FOLDER / "README.md").read_text()
    return {
        int(found[1]): re.sub(r"[`*]", "", found[0].split("|")[2].strip())
        for found in LINE.finditer(page)
    }


def _as_json(results: Results) -> list[dict[str, Any]]:
    faults = _faults()
    return [
        {
            "row": number,
            "fault": faults[number],
            **{outcome: row.results[outcome] for outcome in ("passed", "failed", "skipped")},
            "seconds": round(row.seconds, 1),
            "notes": row.notes,
        }
        for number, row in sorted(results.rows.items())
    ]


def _show(results: Results, console: Console) -> None:
    table = Table("row", "fault", "passed", "failed", "skipped", "s", "")
    for each in _as_json(results):
        style = "red" if each["failed"] else "green" if each["passed"] else "yellow"
        table.add_row(
            f"[{style}]{each['row']}[/]", each["fault"], str(each["passed"]),
            str(each["failed"]), str(each["skipped"]), f"{each['seconds']:.1f}",
            "; ".join(dict.fromkeys(each["notes"])),
        )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
