"""Generated calls, organisations and baselines: the score adds up, stays in bounds, only grows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.assessment import FACTOR_NAMES, PARTS, Assessment
from gateway.decide.baseline import Baseline, Usual
from gateway.decide.bundle import Bundle
from gateway.decide.conditions.values.zones import load_zone
from gateway.decide.organisation import Organisation, TargetField, TargetLabel, WorkingHours
from gateway.decide.patterns import parse_pattern
from gateway.decide.risk import scheme
from gateway.decide.risk.model import RiskModel
from gateway.model.action import Action, Kind, Target
from gateway.model.decision import Context
from gateway.model.effect import Mode
from gateway.model.risk_class import RiskClass
from tests.support.policy_world import policies_of, policy_text

EXAMPLES = 150
"""Together about four seconds."""

CAPS = {
    "operation": scheme.OPERATION_MAX,
    "target": scheme.TARGET_MAX,
    "context": scheme.CONTEXT_MAX,
    "deviation": scheme.DEVIATION_MAX,
}

WEIRD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.floats(), st.binary(max_size=3)
)
VALUES = st.recursive(
    WEIRD,
    lambda inside: (
        st.lists(inside, max_size=12) | st.dictionaries(st.text(max_size=3), inside, max_size=4)
    ),
    max_leaves=30,
)
NAMES = st.sampled_from(["amount", "currency", "count", "recipients", "ids", "note"])
PARAMS = st.dictionaries(
    NAMES, VALUES | st.integers(-(10**9), 10**9) | st.lists(st.text(max_size=8), max_size=30)
)
UNREADABLE = st.frozensets(
    st.sampled_from(["amount", "currency", "count", "recipients", "target.id", "note", "*"])
)


@st.composite
def actions(draw: st.DrawFn) -> Action:
    unreadable = draw(UNREADABLE)
    return Action(
        draw(st.sampled_from(["stripe", "aws"])),
        draw(st.sampled_from(["unknown", "stripe.x", "s3:x"])),
        draw(st.sampled_from(["create_refund", "delete_bucket", "get_charge", "tool", "unknown"])),
        draw(st.sampled_from(list(Kind))),
        Target(draw(st.sampled_from(["charge", "bucket"])), draw(st.text(max_size=5))),
        draw(PARAMS),
        draw(st.booleans()),
        draw(st.none() | st.just("pii")),
        unreadable | draw(UNREADABLE) - {"*"},
        unreadable,
    )


CONTEXTS = st.builds(
    Context,
    st.sampled_from(["a", "b", "c"]),
    st.none(),
    st.integers(0, 2 * 10**15) | st.integers(),
    st.just({}),
    st.sampled_from(["", "prod", "staging"]),
)

BERLIN = load_zone("Europe/Berlin")
assert BERLIN is not None

ORGANISATION = Organisation(
    "o",
    target_labels=(
        TargetLabel("billing", ((TargetField.PROVIDER, parse_pattern(["stripe"])),), None),
        TargetLabel("short", (), parse_pattern(["a*"])),
    ),
    sensitivity={"billing": 12, "short": 20},
    domains=parse_pattern(["ours.com"]),
    working_hours=WorkingHours("Europe/Berlin", BERLIN, frozenset(range(5)), 480, 1080),
    amount_scales={"inr": 80},
    risk_classes={"tool": RiskClass.CRITICAL},
)
BASELINE = Baseline(
    "s",
    "2026-11-20",
    {
        "a": {
            "create_refund": Usual(50, 20, frozenset(range(8, 18)), {"usd": 5_000, "none": 100}),
            "delete_bucket": Usual(2, 1, frozenset({3}), {}),
        },
        "b": {},
    },
)
MODELS = [
    RiskModel(),
    RiskModel(ORGANISATION),
    RiskModel(None, BASELINE),
    RiskModel(ORGANISATION, BASELINE),
]
MODEL = st.sampled_from(MODELS)


def adds_up(found: Assessment) -> bool:
    points = {factor.name: factor.points for factor in found.risk.factors}
    parts = {
        part: sum(points.get(name, 0) for name in FACTOR_NAMES if name.startswith(f"{part}."))
        for part in PARTS
    }
    return (
        found.risk.score == sum(points.values()) == sum(found.parts.values())
        and 0 <= found.risk.score <= 100
        and dict(found.parts) == parts
        and all(0 <= parts[part] <= CAPS[part] for part in PARTS)
        and all(value >= 0 for value in points.values())
        and dict(found.factors) == dict.fromkeys(FACTOR_NAMES, 0) | points
        and found.risk.vector
        == "/".join(["RS2", *(f"{part[0].upper()}:{parts[part]}" for part in PARTS)])
    )


@settings(max_examples=EXAMPLES)
@given(MODEL, actions(), CONTEXTS, st.integers(1, 2_000))
def test_every_call_has_a_score_that_adds_up(
    model: RiskModel, action: Action, context: Context, count: int
) -> None:
    """Whatever a request carries: it is the sum of its factors and of its parts, within bounds."""
    found = model.assess(action, context, count)
    assert adds_up(found)
    # A model that has assessed nothing yet says the same: what is kept changes no answer.
    fresh = RiskModel(model.organisation, BASELINE if model.habits is not None else None)
    again = fresh.assess(action, context, count)
    assert (again.risk, again.labels) == (found.risk, found.labels)


@settings(max_examples=EXAMPLES)
@given(MODEL, actions(), CONTEXTS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_more_money_never_weighs_less(
    model: RiskModel, action: Action, context: Context, one: int, other: int
) -> None:
    """In one currency, with everything else as it is."""
    less, more = sorted((one, other))
    scores = [
        model.assess(
            replace(action, params={**action.params, "amount": amount}), context
        ).risk.score
        for amount in (less, more, -more)
    ]
    assert scores[0] <= scores[1] == scores[2]


@settings(max_examples=EXAMPLES)
@given(MODEL, actions(), CONTEXTS, st.integers(1, 2_000), st.integers(1, 2_000))
def test_more_actions_never_weigh_less(
    model: RiskModel, action: Action, context: Context, one: int, other: int
) -> None:
    """A longer batch, or a longer list."""
    less, more = sorted((one, other))
    batches = [model.assess(action, context, count).risk.score for count in (less, more)]
    assert batches[0] <= batches[1]
    lists = [
        model.assess(replace(action, params={**action.params, "ids": ["x"] * count}), context)
        for count in (less, more)
    ]
    assert lists[0].risk.score <= lists[1].risk.score


@settings(max_examples=EXAMPLES)
@given(MODEL, actions(), CONTEXTS, st.data())
def test_order_never_matters(
    model: RiskModel, action: Action, context: Context, data: st.DataObject
) -> None:
    """Of lists, at any depth, and of params."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return data.draw(st.permutations([shuffled(each) for each in value]))
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in data.draw(st.permutations(list(value)))}
        return value

    other = replace(action, params=shuffled(dict(action.params)))
    assert model.assess(other, context).risk == model.assess(action, context).risk


@settings(max_examples=EXAMPLES)
@given(MODEL, actions(), CONTEXTS, UNREADABLE)
def test_what_can_not_be_read_never_weighs_less_than_nothing(
    model: RiskModel, action: Action, context: Context, lost: frozenset[str]
) -> None:
    """Losing a param that is not there makes no call look safer."""
    gone = {name: value for name, value in action.params.items() if name not in lost}
    bare = replace(action, params=gone)
    hidden = replace(bare, missing=bare.missing | (lost - {"*"}), unreadable=bare.unreadable | lost)
    before, after = model.assess(bare, context), model.assess(hidden, context)
    assert before.risk.score <= after.risk.score
    assert set(before.labels) <= set(after.labels)


BUNDLE = Bundle.of(policies_of(policy_text("", default="ALLOW")), ORGANISATION, BASELINE)


@settings(max_examples=EXAMPLES)
@given(st.lists(actions(), min_size=1, max_size=4), CONTEXTS)
def test_what_a_bundle_keeps_changes_no_risk(asked: list[Action], context: Context) -> None:
    """One bundle decides all that comes; a request is as risky as the riskiest of its actions."""
    decision = BUNDLE.decide(tuple(asked), context, Mode.ENFORCE)
    fresh = RiskModel(ORGANISATION, BASELINE)
    risks = [fresh.assess(action, context, len(asked)).risk for action in asked]
    assert decision.risk == max(risks, key=lambda risk: risk.score)
