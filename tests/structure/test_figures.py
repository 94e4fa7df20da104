"""What README says of speed is what one stored run measured, and nothing typed in by hand."""

from __future__ import annotations

import json

from tests.benchmarks import plot, report
from tests.benchmarks.stored import PICTURE, README, STORED


def test_readme_shows_the_stored_run() -> None:
    """`python -m tests.benchmarks --publish` writes both; who edits one of them by hand is told."""
    stored = json.loads(STORED.read_text())
    text = README.read_text()
    assert report.replace_part(text, stored) == text


def test_the_picture_is_of_the_stored_run() -> None:
    """Drawn from the same figures."""
    assert plot.draw(json.loads(STORED.read_text())) == PICTURE.read_text()
