"""Holds the decision to tests that go down every branch of it.

Its own tests are run once more, measured: some nine seconds of CPU, and the rest of the suite
needs no tracing. By hand:
`pytest tests/unit/decide --cov=gateway.decide --cov-branch --cov-report=term-missing`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.structure.tree import ROOT


def test_every_branch_of_the_decision_is_tested(tmp_path: Path) -> None:
    """By the unit tests of the decision alone; what is missing is named with its lines."""
    run = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/decide",
            "--cov=gateway.decide", "--cov-branch", "--cov-fail-under=100",
            "--cov-report=term-missing:skip-covered",
        ],
        cwd=ROOT,
        env={**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
    assert "TOTAL" in run.stdout
