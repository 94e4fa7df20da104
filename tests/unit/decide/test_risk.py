"""The risk score: named factors, capped sums, the published table."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.decide import risk
from gateway.decide.risk import Profile, amount_band
from gateway.model.action import Action, Kind
from tests.support.policy_world import act

README = Path(__file__).resolve().parents[3] / "policies" / "README.md"

SCORES = {
    "a read": (act("get", "read"), "", 10, "RS1/O:5/T:5/C:0/D:0"),
    "a create": (act(), "", 20, "RS1/O:15/T:5/C:0/D:0"),
    "a delete that can't be undone": (
        act("x", "delete", reversible=False), "", 45, "RS1/O:40/T:5/C:0/D:0",
    ),
    "a read is never irreversible": (
        act("get", "read", reversible=False), "", 10, "RS1/O:5/T:5/C:0/D:0",
    ),
    "a read of credentials": (
        act("get", "read", sensitive="credentials"), "", 20, "RS1/O:15/T:5/C:0/D:0",
    ),
    "the operation is capped": (
        act("x", "delete", reversible=False, sensitive="pii"), "", 45, "RS1/O:40/T:5/C:0/D:0",
    ),
    "production": (act(), "Production", 25, "RS1/O:15/T:5/C:5/D:0"),
    "an operation that nobody knows": (
        act("unknown", "unknown", operation="unknown"), "", 45, "RS1/O:30/T:5/C:10/D:0",
    ),
    "a small amount": (act(params={"amount": 999}), "", 20, "RS1/O:15/T:5/C:0/D:0"),
    "a thousand": (act(params={"amount": 1000}), "", 24, "RS1/O:15/T:5/C:4/D:0"),
    "ten thousand": (act(params={"amount": 10_000}), "", 28, "RS1/O:15/T:5/C:8/D:0"),
    "a hundred thousand": (act(params={"amount": 100_000}), "", 32, "RS1/O:15/T:5/C:12/D:0"),
    "a million": (act(params={"amount": 1_000_000}), "", 36, "RS1/O:15/T:5/C:16/D:0"),
    "ten million": (act(params={"amount": 10_000_000}), "", 40, "RS1/O:15/T:5/C:20/D:0"),
    "no end of digits": (act(params={"amount": 10**5000}), "", 40, "RS1/O:15/T:5/C:20/D:0"),
    "money the other way": (act(params={"amount": -10_000}), "", 28, "RS1/O:15/T:5/C:8/D:0"),
    "an amount that is text": (act(params={"amount": "5"}), "", 32, "RS1/O:15/T:5/C:12/D:0"),
    "an amount that is true": (act(params={"amount": True}), "", 32, "RS1/O:15/T:5/C:12/D:0"),
    "an amount that is missing": (act(missing=("amount",)), "", 32, "RS1/O:15/T:5/C:12/D:0"),
    "the context is capped": (
        act("x", "unknown", params={"amount": 10**9}), "prod", 60, "RS1/O:30/T:5/C:25/D:0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "environment", "score", "vector"), SCORES.values(), ids=SCORES.keys()
)
def test_scores(action: Action, environment: str, score: int, vector: str) -> None:
    """The score is the sum of its factors, and the vector says the parts."""
    found = Profile(action).risk(environment, amount_band(action))
    assert (found.score, found.vector) == (score, vector)
    assert sum(factor.points for factor in found.factors) == score
    assert all(factor.points >= 0 for factor in found.factors)
    assert found.factors[0].name == "operation.kind"
    assert found.factors[-1].name == "deviation.history"


def test_factors_are_named_with_what_was_seen() -> None:
    """In a fixed order, each with its observation."""
    action = act("x", "send", params={"amount": 2000}, reversible=False, sensitive="pii")
    found = Profile(action).risk("prod", amount_band(action))
    assert [(each.name, each.points, each.observed) for each in found.factors] == [
        ("operation.kind", 20, "send"),
        ("operation.irreversible", 10, "can't be undone"),
        ("operation.sensitive", 10, "pii"),
        ("target.class", 5, "not classified"),
        ("context.environment", 5, "prod"),
        ("context.amount", 4, "1000 to 9999 minor units"),
        ("deviation.history", 0, "no baseline"),
    ]


def test_no_score_leaves_its_scale() -> None:
    """The caps add up to a hundred."""
    total = risk.OPERATION_MAX + risk.TARGET_MAX + risk.CONTEXT_MAX + risk.DEVIATION_MAX
    assert total == 100
    assert set(risk.KIND_POINTS) == set(Kind)


def test_the_published_table_is_the_table() -> None:
    """What `policies/README.md` tells authors is what is computed."""
    text = README.read_text()
    kinds = ", ".join(f"{kind.value} {points}" for kind, points in risk.KIND_POINTS.items())
    bands = ", ".join(f"below {below}: {points}" for below, points, _ in risk.AMOUNT_BANDS)
    assert f"| `operation.kind` | {kinds} |" in text
    assert f"| `context.amount` | minor units {bands}, more: {risk.AMOUNT_POINTS_MAX}" in text
    assert f"not readable: {risk.AMOUNT_UNREADABLE_POINTS}; context together at most 25" in text
    assert f"| `operation.irreversible` | {risk.IRREVERSIBLE_POINTS} |" in text
    assert f"| `operation.sensitive` | {risk.SENSITIVE_POINTS}; the three together at most" in text
    assert f"| `target.class` | {risk.TARGET_UNCLASSIFIED_POINTS}: " in text
    assert f"| `context.operation` | {risk.UNKNOWN_OPERATION_POINTS} when" in text
    assert f"| `context.environment` | {risk.PRODUCTION_POINTS} when" in text
