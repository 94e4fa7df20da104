"""Row 29: whatever is killed whenever, every effect is recorded and nothing is done twice.

`python -m tests.end_to_end.kills --kills 500` is the same at length.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.kills import kill_under_load
from tests.support.replicas import Kind

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 4
SEED = 9
"""A gateway dies when an intent was just written, and when the upstream has the request; PostgreSQL
at any time; a control plane when a person has just approved."""


async def test_row_29_kills_under_load_break_no_promise() -> None:
    """Gateways, control planes and the database die under load: upstream effects are a subset of
    the intents, nothing approved is done twice or lost, every chain verifies."""
    run = await kill_under_load(KILLS, SEED)
    assert run.verdict.shown() == []
    assert run.verdict.counted["changes at the upstream"] > 0
    assert run.verdict.counted["of them approved by a person"] > 0
    assert run.count == KILLS
    assert {kind for kind, _ in run.kills} == {Kind.GATEWAY, Kind.CONTROL_PLANE, Kind.POSTGRES}
