"""`policies decide` as a function: what is read from a line, and what a bad line gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.authoring.policies.answers import LineDecider
from gateway.authoring.policies.questions import LINE_BYTES_MAX, parse_question
from gateway.decide.bundle import Bundle
from gateway.model.effect import Mode
from tests.support.policy_world import bundle_of, policy_text

BUNDLE = bundle_of(
    policy_text(
        """
        - {id: reads, priority: 1, match: {kind: read}, effect: ALLOW, reason: R}
        - id: refunds
          priority: 2
          match: {action: create_refund, agent: billing}
          when: params.amount > 5 && agent.labels.team == "pay" && params.rate == "1.50"
          effect: REQUIRE_APPROVAL
          reason: ASK
          message: ask
          approval: {timeout: 5m}
        """
    )
)


def decide_line(bundle: Bundle, line: bytes, mode: Mode = Mode.ENFORCE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(LineDecider(bundle, mode).decide(line))
    return found


READ: dict[str, Any] = {"provider": "stripe", "action": "get_charge", "kind": "read"}

LINES: dict[str, tuple[object, str, str]] = {
    "an action": (READ, "ALLOW", "R"),
    "an action with everything": (
        READ | {
            "operation": "o", "target": {"type": "t", "id": "i"}, "params": {"a": [1, {"b": None}]},
            "missing": ["x"], "reversible": False, "sensitive": "pii", "witness": {"read": "x"},
            "context": {
                "agent": "a", "run": "r", "now": 5, "labels": {"a": "b"}, "environment": "e",
            },
        },
        "ALLOW", "R",
    ),
    "a context that is null": (READ | {"context": None}, "ALLOW", "R"),
    "a moment as text": (READ | {"context": {"now": "2026-01-01T00:00:00Z"}}, "ALLOW", "R"),
    "the whole answer of mappers map": (
        {"actions": [READ], "refused": None, "provider": "stripe"}, "ALLOW", "R",
    ),
    "several actions": ({"actions": [READ, READ | {"kind": "delete"}]}, "BLOCK", "NO_RULE_MATCHED"),
    "no action": ({"actions": []}, "BLOCK", "NO_RULE_MATCHED"),
    "a refused request": (
        {"actions": [], "refused": "ambiguous_path", "detail": "x"}, "BLOCK", "AMBIGUOUS_REQUEST",
    ),
    "refused, with actions all the same": (
        {"actions": [READ], "refused": "ambiguous_path"}, "BLOCK", "AMBIGUOUS_REQUEST",
    ),
    "a number": (5, "BLOCK", "MALFORMED_ACTION"),
    "a list": ([READ], "BLOCK", "MALFORMED_ACTION"),
    "no provider": ({"action": "a", "kind": "read"}, "BLOCK", "MALFORMED_ACTION"),
    "an unknown kind": (READ | {"kind": "reed"}, "BLOCK", "MALFORMED_ACTION"),
    "an action that is a number": (READ | {"action": 5}, "BLOCK", "MALFORMED_ACTION"),
    "params that are a list": (READ | {"params": []}, "BLOCK", "MALFORMED_ACTION"),
    "reversible by word": (READ | {"reversible": "yes"}, "BLOCK", "MALFORMED_ACTION"),
    "labels that are numbers": (
        READ | {"context": {"labels": {"a": 1}}}, "BLOCK", "MALFORMED_ACTION",
    ),
    "a context that is text": (READ | {"context": "x"}, "BLOCK", "MALFORMED_ACTION"),
    "a moment that is none": (READ | {"context": {"now": "soon"}}, "BLOCK", "MALFORMED_ACTION"),
    "a moment of no zone": (
        READ | {"context": {"now": "2026-01-01T00:00:00"}}, "BLOCK", "MALFORMED_ACTION",
    ),
    "a run's state": (READ | {"context": {"run": "r", "run_state": "failed"}}, "ALLOW", "R"),
    "a run's state that is none": (
        READ | {"context": {"run_state": "asleep"}}, "BLOCK", "MALFORMED_ACTION",
    ),
    "what is missing by number": (READ | {"missing": [1]}, "BLOCK", "MALFORMED_ACTION"),
    "a target that is text": (READ | {"target": "ch_1"}, "BLOCK", "MALFORMED_ACTION"),
    "an agent that is null": (READ | {"context": {"agent": None}}, "BLOCK", "MALFORMED_ACTION"),
    "a moment that is true": (READ | {"context": {"now": True}}, "BLOCK", "MALFORMED_ACTION"),
    "too many actions": ({"actions": [READ] * 1001}, "BLOCK", "MALFORMED_ACTION"),
    "actions that are text": ({"actions": "x"}, "BLOCK", "MALFORMED_ACTION"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "effect", "reason"), LINES.values(), ids=LINES.keys())
def test_what_a_line_may_be(value: object, effect: str, reason: str) -> None:
    """An action or a request; whatever else is a BLOCK that says so."""
    decided = decide_line(BUNDLE, json.dumps(value).encode())
    assert (decided["effect"], decided["reason_code"]) == (effect, reason)
    json.dumps(decided)


BYTES = {
    "nothing": b"",
    "white space": b"  ",
    "no JSON": b"{",
    "two values": b"{} {}",
    "no text": b"\xff",
    "not a number": b'{"a": NaN}',
    "a key twice": b'{"provider":"a","provider":"b","action":"x","kind":"read"}',
    "too many digits": b"1" * 5000,
    "no end of nesting": b"[" * 200_000,
    "too long": b" " * (LINE_BYTES_MAX + 1),
}


@pytest.mark.parametrize("line", BYTES.values(), ids=BYTES.keys())
def test_bytes_that_are_no_line(line: bytes) -> None:
    """Never an exception, never a pass."""
    for mode in Mode:
        decided = decide_line(BUNDLE, line, mode)
        assert (decided["effect"], decided["reason_code"]) == ("BLOCK", "MALFORMED_ACTION")
        assert (decided["mode"], decided["rule"]) == ("enforce", None)


def test_a_wrong_value_is_not_repeated() -> None:
    """What is wrong is named by its place, since the value may be a secret."""
    line = json.dumps(READ | {"sensitive": {"key": "sk_live_1"}}).encode()
    assert "sk_live" not in json.dumps(decide_line(BUNDLE, line))


def test_a_decision_in_full() -> None:
    """Everything that the filter writes; decimals stay text."""
    line = (
        b'{"provider":"stripe","action":"create_refund","operation":"stripe.refunds.create",'
        b'"kind":"create","params":{"amount":1000,"rate":1.50},"reversible":false,'
        b'"context":{"agent":"billing","labels":{"team":"pay"}}}'
    )
    assert decide_line(BUNDLE, line, Mode.MONITOR) == {
        "effect": "REQUIRE_APPROVAL",
        "policy": "p",
        "rule": "refunds",
        "reason_code": "ASK",
        "message": "ask",
        "risk": {
            "score": 42,
            "factors": [
                {"name": "operation.kind", "points": 6, "observed": "create"},
                {"name": "operation.class", "points": 14, "observed": "high"},
                {"name": "operation.irreversible", "points": 5, "observed": "can't be undone"},
                {"name": "target.sensitivity", "points": 5, "observed": "not classified"},
                {"name": "context.environment", "points": 2, "observed": "not stated"},
                {"name": "context.amount", "points": 4, "observed": "1000 to 9999 minor units"},
                {"name": "context.hours", "points": 1, "observed": "working hours are not stated"},
                {"name": "deviation.history", "points": 5, "observed": "no baseline"},
            ],
            "vector": "RS2/O:25/T:5/C:7/D:5",
        },
        "mode": "monitor",
        "unresolved": None,
        "approval": {
            "groups": [], "quorum": 1, "timeout_seconds": 300, "witness_required": False,
            "comment_required": False, "escalate_to": [], "escalate_after_seconds": None,
            "requester_labels": [],
        },
        "obligations": ["approval"],
        "limits": [],
        "watched": [],
        "revision": BUNDLE.revision,
    }  # fmt: skip


def test_time_is_read_to_the_microsecond() -> None:
    """RFC 3339 with any offset."""
    line = json.dumps(READ | {"context": {"now": "1970-01-01T01:00:00.000001+01:00"}})
    assert parse_question(line.encode()).context.now == 1


def test_lines_are_answered_alike_one_by_one_or_together() -> None:
    """What is kept from line to line changes no answer."""
    decider = LineDecider(BUNDLE)
    lines = [json.dumps(value).encode() for value, _, _ in LINES.values()] + list(BYTES.values())
    for line in (*lines, *lines):
        assert json.loads(decider.decide(line)) == decide_line(BUNDLE, line)


def test_a_trace_on_demand() -> None:
    """Every rule, beside the decision."""
    decider = LineDecider(BUNDLE, with_trace=True)
    ((policy,),) = json.loads(decider.decide(json.dumps(READ).encode()))["trace"]
    assert [(each["rule"], each["finding"]) for each in policy["rules"]] == [
        ("reads", "decides"), ("refunds", "no_match"),
    ]  # fmt: skip


def test_limits_and_watched_rules_are_told() -> None:
    """What the action would count towards, and what a rule in monitor mode would have done."""
    bundle = bundle_of(
        policy_text(
            """
            - {id: try, priority: 1, match: {kind: read}, effect: BLOCK, mode: monitor, reason: TRY}
            - {id: reads, priority: 2, match: {kind: read}, effect: ALLOW}
            """
        )
        + "  limits: [{id: calls, per: agent, window: 1h, max: 5, effect: BLOCK, reason: MANY}]\n"
    )
    decided = decide_line(bundle, json.dumps(READ).encode())
    assert decided["obligations"] == ["limit:p/calls"]
    assert decided["watched"] == [
        {"policy": "p", "rule": "try", "effect": "BLOCK", "reason_code": "TRY"}
    ]
    (limit,) = decided["limits"]
    assert (limit["limit"], limit["key"], limit["amount"], limit["max"]) == (
        "p/calls", "agent:agent", 1, 5,
    )  # fmt: skip
