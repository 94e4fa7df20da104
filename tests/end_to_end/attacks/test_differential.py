"""Promise: for any bytes that an agent sends, what the upstream understood is what was decided and
recorded, or nothing arrived. At length: `python -m tests.end_to_end.attacks.differential`."""

from __future__ import annotations

import random

from tests.end_to_end.attacks.conftest import make_scene
from tests.end_to_end.attacks.differential import attack
from tests.support.stack import Stack

MUTANTS = 40
SEED = 7


def test_what_arrives_of_mutants_was_decided(stack: Stack) -> None:
    """Each arrival has its intent with method, path and body; all servers read the same bytes so;
    the gateway finds no fault of its own, and the upstream no garbage."""
    faults = len(stack.oracle.faults)
    tally = attack(make_scene(stack, stack.brief), random.Random(SEED), MUTANTS)

    assert tally["arrived"] >= 6, tally
    assert stack.oracle.faults[faults:] == []
    assert stack.brief.metric("checkrein_gateway_bugs_total") == 0, stack.brief.process.log
