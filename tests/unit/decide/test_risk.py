"""The score of an action: what adds to it, what caps it, and that the README says the same."""

from __future__ import annotations

import pytest

from gateway.decide.risk import scheme
from gateway.decide.risk.model import UNREADABLE_RISK, RiskModel
from gateway.decide.risk.readings import WALKED_MAX, longest_list
from gateway.model.action import Action, Kind
from gateway.model.risk_class import RiskClass
from tests.support.risk_world import at, call, points_of

PLAIN = {
    "operation.kind": 6, "operation.class": 8, "target.sensitivity": 5, "context.hours": 1,
    "deviation.history": 5,
}  # fmt: skip
"""Of a create that nobody has a class for, where nothing is configured."""

FACTORS: dict[str, tuple[Action, dict[str, int]]] = {
    "a create": (call(), {}),
    "a read": (call("get_x", "read"), {"operation.kind": 2, "operation.class": 3}),
    "an update": (call("update_x", "update"), {"operation.kind": 6, "operation.class": 8}),
    "an execution": (call("run_x", "execute"), {"operation.kind": 8, "operation.class": 8}),
    "words to somebody": (call("send_x", "send"), {"operation.kind": 8, "operation.class": 14}),
    "a delete": (call("delete_x", "delete"), {"operation.kind": 10, "operation.class": 14}),
    "who may do what": (call("grant_x", "admin"), {"operation.kind": 10, "operation.class": 14}),
    "a payout": (call("create_payout"), {"operation.class": 20}),
    "a refund": (call("create_refund"), {"operation.class": 14}),
    "a folder": (call("create_folder"), {"operation.class": 3}),
    "a tool that calls a deletion a listing": (
        call("list_bucket", "delete"), {"operation.kind": 10, "operation.class": 14},
    ),
    "a tool that calls a listing a payout": (
        call("create_payout", "read"), {"operation.kind": 2, "operation.class": 20},
    ),
    "nobody knows what it is": (
        call("unknown", "unknown", operation="unknown"),
        {"operation.kind": 10, "operation.class": 20, "context.operation": 10},
    ),
    "a known operation of unknown kind": (
        call("x", "unknown"),
        {"operation.kind": 10, "operation.class": 20, "context.operation": 10},
    ),
    "for good": (call(reversible=False), {"operation.irreversible": 5}),
    "a read is never for good": (
        call("get_x", "read", reversible=False), {"operation.kind": 2, "operation.class": 3},
    ),
    "delicate": (call(sensitive="pii"), {"operation.sensitive": 5}),
    "a small amount": (call(params={"amount": 999}), {}),
    "a thousand": (call(params={"amount": 1_000}), {"context.amount": 4}),
    "ten thousand": (call(params={"amount": 10_000}), {"context.amount": 8}),
    "a hundred thousand": (call(params={"amount": 100_000}), {"context.amount": 12}),
    "a million": (call(params={"amount": 1_000_000}), {"context.amount": 16}),
    "ten million": (call(params={"amount": 10_000_000}), {"context.amount": 20}),
    "no end of digits": (call(params={"amount": 10**5000}), {"context.amount": 20}),
    "money the other way": (call(params={"amount": -10_000}), {"context.amount": 8}),
    "an amount that is text": (call(params={"amount": "5"}), {"context.amount": 12}),
    "an amount that is true": (call(params={"amount": True}), {"context.amount": 12}),
    "an amount that is declared and absent": (call(missing=["amount"]), {"context.amount": 12}),
    "an amount that can't be read": (call(unreadable=["amount"]), {"context.amount": 12}),
    "more params than could be named": (
        call(unreadable=["*"]),
        {"context.amount": 12, "context.breadth": 5, "context.recipients": 4},
    ),
    "something else is absent": (call(missing=["note"]), {}),
    "something else can't be read": (call(unreadable=["note"]), {"context.breadth": 5}),
    "one of a list": (call(params={"ids": ["a"]}), {}),
    "two of a list": (call(params={"ids": ["a", "b"]}), {"context.breadth": 2}),
    "ten of a list": (call(params={"ids": ["a"] * 10}), {"context.breadth": 5}),
    "a hundred of a list": (call(params={"ids": ["a"] * 100}), {"context.breadth": 10}),
    "a thousand of a list": (call(params={"ids": ["a"] * 1000}), {"context.breadth": 15}),
    "a list inside": (call(params={"a": {"b": [{"c": ["d"] * 10}]}}), {"context.breadth": 5}),
    "too many to look at": (
        call(params={"a": [{"b": list(range(99))} for _ in range(99)]}), {"context.breadth": 15},
    ),
    "something that is no value": (call(params={"a": object()}), {}),
    "many by number": (call(params={"count": 500}), {"context.breadth": 10}),
    "many by a negative number": (call(params={"count": -500}), {"context.breadth": 10}),
    "many by text": (call(params={"count": "500"}), {"context.breadth": 5}),
    "a number that can't be read": (call(unreadable=["count"]), {"context.breadth": 5}),
    "what can't be read beside much": (
        call(params={"ids": ["a"] * 100, "count": "1"}), {"context.breadth": 10},
    ),
    "recipients": (
        call("send_x", "send", {"recipients": ["a@b.c"]}),
        {"operation.kind": 8, "operation.class": 14, "context.recipients": 2},
    ),
    "recipients that are none": (call(params={"recipients": 5}), {"context.recipients": 4}),
    "recipients of another sort": (call(params={"recipients": [5]}), {"context.recipients": 4}),
    "recipients that can't be read": (
        call(missing=["recipients"]), {"context.recipients": 4},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("action", "changed"), FACTORS.values(), ids=FACTORS.keys())
def test_what_an_action_weighs(action: Action, changed: dict[str, int]) -> None:
    """Without an organisation and a baseline: the factors that differ from a plain create."""
    assert points_of(RiskModel(), action, at()) == PLAIN | changed


ENVIRONMENTS = {"": 2, "prod": 5, "Production": 5, "staging": 0}


@pytest.mark.parametrize(("environment", "points"), ENVIRONMENTS.items())
def test_what_an_environment_weighs(environment: str, points: int) -> None:
    """Production, and where nobody says which it is."""
    changed = {"context.environment": points} if points else {}
    found = points_of(RiskModel(), call(), at(environment=environment))
    assert found == PLAIN | changed


REQUESTS = {1: 0, 2: 2, 10: 5, 100: 10, 1000: 15}


@pytest.mark.parametrize(("actions", "points"), REQUESTS.items())
def test_what_a_batch_weighs(actions: int, points: int) -> None:
    """Each action of a request weighs as one of many."""
    changed = {"context.breadth": points} if points else {}
    assert points_of(RiskModel(), call(), at(), actions) == PLAIN | changed


def test_parts_are_capped() -> None:
    """What comes last gives way."""
    action = call(
        "unknown", "unknown", {"amount": 10**9, "ids": ["a"] * 1000, "recipients": 5},
        reversible=False, sensitive="pii", operation="unknown",
    )  # fmt: skip
    assert points_of(RiskModel(), action, at(environment="prod")) == {
        "operation.kind": 10,
        "operation.class": 20,
        "operation.irreversible": 5,
        "operation.sensitive": 5,
        "target.sensitivity": 5,
        "context.operation": 10,
        "context.environment": 5,
        "context.amount": 10,
        "context.breadth": 0,
        "context.recipients": 0,
        "context.hours": 0,
        "deviation.history": 5,
    }


def test_no_score_leaves_its_scale() -> None:
    """The caps add up to a hundred, and every kind and class has its points."""
    caps = (scheme.OPERATION_MAX, scheme.TARGET_MAX, scheme.CONTEXT_MAX, scheme.DEVIATION_MAX)
    assert sum(caps) == 100
    assert set(scheme.KIND_POINTS) == set(Kind)
    assert set(scheme.CLASS_POINTS) == set(RiskClass)


def test_what_nobody_can_read_has_a_risk() -> None:
    """The risk of refusals, and of requests without an action."""
    assert UNREADABLE_RISK.vector == "RS2/O:35/T:5/C:13/D:5"
    assert UNREADABLE_RISK.factors[0].observed == "unknown"


def test_observations_say_what_was_seen() -> None:
    """In bands, never the value that an agent wrote."""
    action = call("create_x", params={"amount": 123_456_789}, sensitive="pii")
    shown = {each.name: each.observed for each in RiskModel().assess(action, at()).risk.factors}
    assert shown == {
        "operation.kind": "create",
        "operation.class": "medium, as usual for create: it has no class of its own",
        "operation.sensitive": "pii",
        "target.sensitivity": "not classified",
        "context.amount": "10000000 minor units or more",
        "context.hours": "working hours are not stated",
        "deviation.history": "no baseline",
    }


def test_many_values_are_not_walked_twice() -> None:
    """The walk ends where it can't matter any more."""
    assert longest_list([{"a": {"b": 1}}]) == 0
    assert longest_list([[0] * WALKED_MAX]) == WALKED_MAX
    assert longest_list([[[0] * 5] * WALKED_MAX]) > WALKED_MAX
