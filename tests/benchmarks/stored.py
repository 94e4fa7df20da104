"""Where the run that README shows is kept, and how it gets there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks import plot, report

HERE = Path(__file__).parent
STORED = HERE / "results.json"
PICTURE = HERE / "results.svg"
README = HERE.parents[1] / "README.md"


def publish(stored: report.Document) -> None:
    """Store a run, draw it, and write it into README between its marks."""
    STORED.write_text(json.dumps(stored, indent=1) + "\n")
    PICTURE.write_text(plot.draw(stored))
    README.write_text(report.replace_part(README.read_text(), stored))
