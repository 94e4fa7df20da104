"""Builds calls and moments for tests of risk, and takes a risk apart."""

from __future__ import annotations

from typing import Any

from gateway.decide.assessment import FACTOR_NAMES, PARTS
from gateway.decide.risk import scheme
from gateway.decide.risk.model import RiskModel
from gateway.model.action import Action, Kind, Target
from gateway.model.decision import Context

HOUR = 3_600_000_000
MONDAY_TEN = 4 * 24 * HOUR + 10 * HOUR
"""5 January 1970, 10:00 UTC."""


def call(
    action: str = "create_x",
    kind: str = "create",
    params: dict[str, Any] | None = None,
    **more: Any,
) -> Action:
    missing = frozenset(more.pop("missing", ())) | frozenset(more.get("unreadable", ()))
    more["unreadable"] = frozenset(more.get("unreadable", ()))
    target = Target("x", more.pop("id", "x_1"))
    operation = more.pop("operation", f"p.{action}")
    return Action("p", operation, action, Kind(kind), target, params or {}, missing=missing, **more)


def at(now: int = MONDAY_TEN, environment: str = "test", agent: str = "a") -> Context:
    return Context(agent, None, now, {}, environment)


def points_of(
    model: RiskModel, action: Action, context: Context, actions: int = 1
) -> dict[str, int]:
    """The factors of a risk, once it is known that they add up."""
    found = model.assess(action, context, actions)
    points = {factor.name: factor.points for factor in found.risk.factors}
    assert len(points) == len(found.risk.factors)
    assert sum(points.values()) == sum(found.parts.values()) == found.risk.score <= 100
    assert found.factors == dict.fromkeys(FACTOR_NAMES, 0) | points
    assert list(points) == [name for name in FACTOR_NAMES if name in points]
    shown = [f"{part[0].upper()}:{found.parts[part]}" for part in PARTS]
    assert found.risk.vector == "/".join([scheme.SCHEME, *shown])
    return points
