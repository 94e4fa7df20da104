"""A pipeline's world whose only policy has limits, for tests of every way out of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.enforce.hold import HoldSettings
from gateway.model.action import Canonical
from gateway.model.approval import Approval, ApprovalEvent
from gateway.model.effect import Mode
from gateway.model.errors import LimitError
from gateway.model.record import Outcome
from gateway.ports import Sent
from tests.support.entries import AT
from tests.support.fake_world import FakeWorld
from tests.support.limits import claim
from tests.support.policy_world import act, bundle_of, policy_text

PASS = "- {id: all, priority: 1, effect: ALLOW}"
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL, approval: {timeout: 30m}}"
THREE = "{id: budget, per: agent, window: 1d, max: 3, message: three a day}"
ASKS = (
    "{id: budget, per: agent, window: 1d, max: 1, effect: REQUIRE_APPROVAL, message: more than one}"
)
KEY = {"limit": "p/budget", "key": "agent:agent"}
AT_ONCE = HoldSettings(hold_seconds_max=0.0)
CHARGE = Canonical((act(),), "stripe", "stripe")


def limited(
    *limits: str, rules: str = PASS, canonical: Canonical = CHARGE, **world: object
) -> FakeWorld:
    """A world whose only policy has these limits."""
    made = FakeWorld(canonical, **world)  # type: ignore[arg-type]
    listed = "".join(f"    - {limit}\n" for limit in limits or (THREE,))
    made.swap(bundle_of(policy_text(rules) + f"  limits:\n{listed}"))
    return made


async def used(world: FakeWorld, **of: str) -> int:
    """What the counter holds now, open reservations included."""
    asked = claim(AT, 0, 0, mode=Mode.MONITOR, **(KEY | of))  # type: ignore[arg-type]
    reserved = await world.limits.reserve("reader", [asked], AT, None)
    await world.limits.release(reserved.token)
    return reserved.readings[0].used


def sends(world: FakeWorld, sent: Sent) -> None:
    """From now on the upstream makes this of what is sent."""
    world.upstream.sent = sent


def ended(outcome: Outcome, status: int | None) -> Sent:
    """An answer that the agent was given."""
    return Sent(outcome, status, True)


def answers(event: ApprovalEvent) -> Callable[[FakeWorld], object]:
    """A person answers while the agent waits."""

    def happen(world: FakeWorld) -> None:
        def answer(approval: Approval) -> None:
            def once() -> None:
                world.desk.on_wait = None
                world.desk.answer(approval.approval_id, event, "ada")

            world.desk.on_wait = once

        world.desk.on_ask = answer

    return happen


def lose(world: FakeWorld, *names: str) -> None:
    """From now on these calls of the counters have no answer."""

    async def fail(*_: object) -> None:
        raise LimitError("limit.unavailable", "the counters are gone")

    for name in names:
        setattr(world.limits, name, fail)


class Hanging:
    """An upstream that never answers."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()

    async def send(self, *_: object) -> Sent:
        self.has_begun.set()
        await asyncio.Event().wait()
        raise AssertionError
