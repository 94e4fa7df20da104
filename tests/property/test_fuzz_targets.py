"""The short form of `python -m tests.fuzz`: what was ever kept, and some mutants of it."""

from __future__ import annotations

import pytest

from tests.fuzz import corpus, engine
from tests.fuzz.targets import TARGETS

RUNS = 600
SECONDS_MAX = 1.0
SEED = 1


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_no_input_breaks_the_promise_of_a_parser(name: str) -> None:
    """Seeds, kept inputs and the same mutants each time: no fault, and other readers agree."""
    target = TARGETS[name]
    kept = corpus.kept(target)
    tally = engine.fuzz(target, kept, SEED, seconds=SECONDS_MAX, runs_max=RUNS + len(kept))

    assert not tally.findings, [
        (finding.data, finding.where, finding.text) for finding in tally.findings.values()
    ]
    assert tally.runs >= len(kept) + len(target.seeds)
