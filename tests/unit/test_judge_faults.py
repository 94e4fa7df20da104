"""Whatever breaks while a request is judged, it is blocked and recorded, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.journey.settings import PipelineSettings
from gateway.model.action import Canonical
from gateway.model.effect import Mode
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.policy_world import act, bundle_of

POLICY = """
apiVersion: checkrein/v1
kind: Policy
metadata: {name: p}
spec:
  rules: [{id: all, priority: 1, effect: ALLOW}]
  limits: [{id: few, per: agent, window: 1d, max: 5}]
"""
CHARGE = Canonical((act("create_charge"),), "stripe", "stripe")
NAMELESS = Canonical((act("create_charge", operation="stripe.\ud800"),), "stripe", "stripe")


def break_stops(world: FakeWorld) -> None:
    def find(*_: object) -> None:
        raise RuntimeError("the board")

    world.stops.find = find  # type: ignore[method-assign]


def break_limits(world: FakeWorld) -> None:
    async def reserve(*_: object) -> None:
        raise RuntimeError("the counters")

    world.limits.reserve = reserve  # type: ignore[method-assign,assignment]


BROKEN: dict[str, tuple[Canonical | Exception, Callable[[FakeWorld], None]]] = {
    "the mapper": (RuntimeError("the mapper"), lambda world: None),
    "the board of stops": (CHARGE, break_stops),
    "the counters": (CHARGE, break_limits),
}


@pytest.mark.parametrize(("canonical", "breaks"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.MONITOR])
async def test_a_fault_is_a_block(
    canonical: Canonical | Exception, breaks: Callable[[FakeWorld], None], mode: Mode
) -> None:
    """In monitor mode too: nobody could say what was let pass."""
    world = FakeWorld(canonical, settings=PipelineSettings(mode=mode))
    world.swap(bundle_of(POLICY))
    breaks(world)
    await _assert_blocked(world)


async def test_an_act_without_a_digest_is_blocked() -> None:
    """An approval could be bound to nothing."""
    world = FakeWorld(NAMELESS)
    world.swap(bundle_of(POLICY.replace("ALLOW", "REQUIRE_APPROVAL")))
    await _assert_blocked(world)
    assert world.desk.asks == []


async def _assert_blocked(world: FakeWorld) -> None:
    channel = await govern(world)
    assert "could not be evaluated" in told(channel) or "the mapper failed" in told(channel)
    assert world.upstream.permits == []
    ((outcome, code),) = world.outcomes
    assert outcome == "refused"
    assert code in {"POLICY_EVALUATION_FAILED", "GATEWAY_FAULT"}
    assert [entry.decision.passes for entry in world.decisions] == [False]
