"""Rules that are missing or that nobody vouches for any more: everything is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.bundle import Bundle
from gateway.journey.settings import PipelineSettings
from gateway.model.action import Canonical
from gateway.model.effect import Mode
from gateway.model.stop import Stop, StopScope
from tests.support.entries import AT
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.policy_world import act

READ = Canonical((act("get_charge", "read"),), "stripe", "stripe")
STOP = Stop("stop-1", StopScope.AGENT, "agent", "it runs wild", "ada", 0)

UNTIL = {
    "for ever": (None, []),
    "a moment longer": (AT + 1, []),
    "until this very moment": (AT, []),
    "a moment less": (AT - 1, [("refused", "BUNDLE_STALE")]),
    "long ago": (0, [("refused", "BUNDLE_STALE")]),
}


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.MONITOR])
@pytest.mark.parametrize(("until", "refused"), UNTIL.values(), ids=UNTIL.keys())
async def test_how_long_rules_are_usable(
    until: int | None, refused: list[tuple[str, str]], mode: Mode
) -> None:
    """In monitor mode too: it lets pass what rules forbid, and nobody knows these are the rules."""
    world = FakeWorld(READ, settings=PipelineSettings(mode=mode))
    judge = world.pipeline.judge
    judge.ruleset = replace(judge.ruleset, usable_until=until)
    channel = await govern(world)
    assert [each for each in world.outcomes if each[0] == "refused"] == refused
    assert len(world.upstream.permits) == (not refused)
    if refused:
        assert "has not confirmed the policies for too long" in told(channel)


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.MONITOR])
async def test_no_rules_let_nothing_pass(mode: Mode) -> None:
    """A gateway that waits for its first bundle refuses everything."""
    world = FakeWorld(READ, settings=PipelineSettings(mode=mode))
    world.swap(Bundle.empty())
    await govern(world)
    assert world.outcomes == [("refused", "NO_POLICY")]
    assert world.upstream.permits == []


async def test_a_stop_is_told_before_staleness() -> None:
    """Somebody pulled the switch: that is what the agent should read."""
    world = FakeWorld(READ)
    world.stops.stop = STOP
    judge = world.pipeline.judge
    judge.ruleset = replace(judge.ruleset, usable_until=0)
    await govern(world)
    assert world.outcomes == [("refused", "KILL_SWITCH")]
