"""What an organisation and a baseline add to a score."""

from __future__ import annotations

import pytest

from gateway.decide.baseline import Baseline, Usual
from gateway.decide.conditions.values.zones import load_zone
from gateway.decide.organisation import (
    DAYS,
    Organisation,
    TargetField,
    TargetLabel,
    WorkingHours,
)
from gateway.decide.patterns import parse_pattern
from gateway.decide.risk.labels import ID_CHARS_MAX, LABELLED_MAX
from gateway.decide.risk.model import RiskModel
from gateway.decide.risk.readings import RECIPIENTS_MAX
from gateway.model.action import Action
from gateway.model.decision import Context
from gateway.model.risk_class import RiskClass
from tests.support.risk_world import HOUR, MONDAY_TEN, at, call, points_of


def test_an_organisation_gives_classes_of_its_own() -> None:
    """They go before the taxonomy's."""
    classes = {"create_x": RiskClass.CRITICAL, "create_payout": RiskClass.NONE}
    model = RiskModel(Organisation("o", risk_classes=classes))
    assert points_of(model, call(), at())["operation.class"] == 20
    assert "operation.class" not in points_of(model, call("create_payout"), at())


# --- what an organisation says --------------------------------------------------------------------


def label(name: str, target_id: str | None = None, **fields: str) -> TargetLabel:
    patterns = tuple(
        (TargetField[key.upper()], parse_pattern([text])) for key, text in fields.items()
    )
    return TargetLabel(name, patterns, None if target_id is None else parse_pattern([target_id]))


LABELLED = Organisation(
    "o",
    target_labels=(
        label("billing", action="create_*"),
        label("prod", "prod-*", provider="p", target_type="x"),
        label("public", "www-*"),
        label("other", operation="q.*"),
        label("nameless", target_type="x"),
    ),
    sensitivity={"billing": 12, "prod": 20, "public": 0},
)

TARGETS: dict[str, tuple[Action, tuple[str, ...], int]] = {
    "by its action alone": (call(id="x"), ("billing", "nameless"), 12),
    "by its id too": (call(id="prod-1"), ("billing", "nameless", "prod"), 20),
    "a label of no points": (call("get_x", "read", id="www-1"), ("nameless", "public"), 0),
    "labels without points": (call("get_x", "read", id="x"), ("nameless",), 5),
    "an id that can't be read may be any": (
        call("get_x", "read", missing=["target.id"]), ("nameless", "prod", "public"), 20,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("action", "labels", "points"), TARGETS.values(), ids=TARGETS.keys())
def test_what_a_target_weighs(action: Action, labels: tuple[str, ...], points: int) -> None:
    """The most sensitive of its labels counts."""
    model = RiskModel(LABELLED)
    for _ in range(2):
        found = model.assess(action, at())
        assert found.labels == labels
        assert found.parts["target"] == found.factors["target.sensitivity"] == points


def test_labels_are_kept_within_bounds() -> None:
    """Ids come from agents: old ones make room, and long ones are not kept at all."""
    model = RiskModel(LABELLED)
    profile = model.profile(call())
    for number in range(LABELLED_MAX + 2):
        profile.key(call(id=f"prod-{number}"), at())
    assert len(model.shelf.found) == LABELLED_MAX
    before = set(model.shelf.found)
    key = profile.key(call(id="prod-" + "x" * ID_CHARS_MAX), at())
    assert profile.assess(key).labels == ("billing", "nameless", "prod")
    assert set(model.shelf.found) == before


def test_labels_of_one_operation_are_not_anothers() -> None:
    """Two profiles keep the same id apart."""
    model = RiskModel(LABELLED)
    one, two = model.profile(call()), model.profile(call("get_x", "read"))
    action = call(id="prod-1")
    for _ in range(2):
        assert one.assess(one.key(action, at())).labels == ("billing", "nameless", "prod")
        assert two.assess(two.key(action, at())).labels == ("nameless", "prod")


RECIPIENTS: dict[str, tuple[object, int]] = {
    "one of ours": (["a@ours.com"], 0),
    "one text": ("a@ours.com", 0),
    "in capitals": (["A@OURS.com"], 0),
    "with a name": (["Ann <a@ours.com>"], 0),
    "a house inside": (["a@eu.ours.com"], 0),
    "nobody": ([], 0),
    "as many as are looked at": (["a@ours.com"] * RECIPIENTS_MAX, 0),
    "more than are looked at": (["a@ours.com"] * (RECIPIENTS_MAX + 1), 4),
    "one outside among ours": (["a@ours.com", "b@else.com"], 4),
    "a domain that ends like ours": (["a@notours.com"], 4),
    "ours as a name": (["ours.com"], 4),
    "no mailbox": (["@ours.com"], 4),
    "a phone number": (["+15550100"], 4),
    "two in one text": (["b@else.com,a@ours.com"], 4),
    "two in one text, parted otherwise": (["b@else.com a@ours.com"], 4),
    "another inside the name": (["b@else.com <a@ours.com>"], 4),
    "a domain with a tail": (["a@ours.com>"], 4),
    "a mailbox that parts": (["x;y@ours.com"], 4),
}


@pytest.mark.parametrize(("recipients", "points"), RECIPIENTS.values(), ids=RECIPIENTS.keys())
def test_what_recipients_weigh(recipients: object, points: int) -> None:
    """Inside is what is plainly one address of our domains."""
    model = RiskModel(Organisation("o", domains=parse_pattern(["ours.com", "*.ours.com"])))
    found = model.assess(call(params={"recipients": recipients}), at())
    assert found.factors["context.recipients"] == points


BERLIN = load_zone("Europe/Berlin")

MOMENTS = {
    "Monday at eleven there": (MONDAY_TEN, 0),
    "Monday before work": (MONDAY_TEN - 3 * HOUR - 1, 3),
    "Monday, work begins": (MONDAY_TEN - 3 * HOUR, 0),
    "Monday, work ends": (MONDAY_TEN + 7 * HOUR, 3),
    "Sunday": (MONDAY_TEN - 24 * HOUR, 3),
    "the first moment, a Thursday at one": (0, 3),
    "Friday": (MONDAY_TEN + 4 * 24 * HOUR, 0),
    "Saturday": (MONDAY_TEN + 5 * 24 * HOUR, 3),
    "summer, when clocks are ahead": (1_783_584_000_000_000, 0),
    "a time before all calendars, on a Monday": (-(10**30) // (7 * 24 * HOUR) * 7 * 24 * HOUR, 3),
}


@pytest.mark.parametrize(("now", "points"), MOMENTS.values(), ids=MOMENTS.keys())
def test_what_an_hour_weighs(now: int, points: int) -> None:
    """From eight to six, Monday to Friday, in Berlin."""
    assert BERLIN is not None
    days = frozenset(range(len(DAYS) - 2))
    hours = WorkingHours("Europe/Berlin", BERLIN, days, 8 * 60, 18 * 60)
    model = RiskModel(Organisation("o", working_hours=hours))
    for _ in range(2):
        assert model.assess(call(), at(now)).factors["context.hours"] == points


def test_amounts_are_scaled_by_their_currency() -> None:
    """Only those that the organisation gives a scale; an agent's spelling makes no difference."""
    model = RiskModel(Organisation("o", amount_scales={"inr": 100}))
    for currency, points in {"inr": 4, "INR": 4, "usd": 12, None: 12, 5: 12}.items():
        action = call(params={"amount": 200_000, "currency": currency})
        assert model.assess(action, at()).factors["context.amount"] == points


# --- what agents usually do -----------------------------------------------------------------------

WORK = frozenset(range(8, 18))
BASELINE = Baseline(
    "s1",
    "2026-11-20",
    {
        "a": {
            "create_x": Usual(100, 20, WORK, {"usd": 1_000, "none": 50}),
            "update_x": Usual(4, 2, frozenset({3}), {}),
        },
        "b": {},
    },
)

DEVIATIONS: dict[str, tuple[Action, Context, dict[str, int]]] = {
    "as always": (call(params={"amount": 1_000, "currency": "usd"}), at(), {}),
    "without an amount": (call(), at(), {}),
    "above the usual": (call(params={"amount": 1_001, "currency": "usd"}), at(), {"amount": 2}),
    "three times": (call(params={"amount": 3_000, "currency": "USD"}), at(), {"amount": 2}),
    "above three times": (call(params={"amount": 3_001, "currency": "usd"}), at(), {"amount": 4}),
    "ten times": (call(params={"amount": -10_000, "currency": "usd"}), at(), {"amount": 4}),
    "above ten times": (call(params={"amount": 10_001, "currency": "usd"}), at(), {"amount": 7}),
    "another currency": (call(params={"amount": 1, "currency": "eur"}), at(), {"amount": 4}),
    "no currency": (call(params={"amount": 50}), at(), {}),
    "an amount that can't be read": (call(params={"amount": "1"}), at(), {"amount": 4}),
    "at night": (call(), at(MONDAY_TEN - 9 * HOUR), {"hour": 3}),
    "before all time": (call(), at(-1), {"hour": 3}),
    "seldom done": (call("update_x", "update"), at(), {"history": 4, "hour": 1}),
    "never done": (call("delete_x", "delete"), at(), {"history": 8}),
    "by an agent that does nothing": (call(), at(agent="b"), {"history": 8}),
    "by an agent that nobody knows": (call(), at(agent="c"), {"history": 8}),
}


@pytest.mark.parametrize(
    ("action", "context", "wanted"), DEVIATIONS.values(), ids=DEVIATIONS.keys()
)
def test_what_a_deviation_weighs(action: Action, context: Context, wanted: dict[str, int]) -> None:
    """Against what each agent usually does."""
    points = points_of(RiskModel(None, BASELINE), action, context)
    found = {
        name.removeprefix("deviation."): value
        for name, value in points.items()
        if name.startswith("deviation.")
    }
    assert found == wanted


def test_the_baseline_is_named() -> None:
    """A score that a snapshot had a part in says which."""
    found = RiskModel(None, BASELINE).assess(call("delete_x", "delete"), at())
    assert found.risk.factors[-1].observed == "never done by this agent (baseline s1)"
