"""What the engine keeps: bounded, never wrong, and shared where nothing of a call is in it."""

from __future__ import annotations

import pytest

from gateway.decide.rules import engine
from gateway.model.effect import Mode
from tests.support.policy_world import act, bundle_of, policy_text, who

ALLOW_ALL = "- {id: all, priority: 5, effect: ALLOW, reason: ALL}"


def test_one_operation_of_two_kinds() -> None:
    """What is kept for an operation is not taken for a call of another kind or target type."""
    rules = """
    - {id: reads, priority: 1, match: {kind: read}, effect: ALLOW}
    - {id: drafts, priority: 1, match: {target.type: draft}, effect: ALLOW}
    """
    bundle = bundle_of(policy_text(rules))
    read, write = act("graphql", "read"), act("graphql", "update")
    draft = act("graphql", "update", target=("draft", "1"))
    for _ in range(3):
        decided = [
            bundle.decide((each,), who(), Mode.ENFORCE).rule for each in (read, write, draft)
        ]
        assert decided == ["reads", None, "drafts"]


def test_caches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that an agent makes up push each other out; the answers stay right."""
    monkeypatch.setattr(engine, "OPERATIONS_CACHED_MAX", 8)
    monkeypatch.setattr(engine, "STANDINGS_KEPT_MAX", 2)
    bundle = bundle_of(
        policy_text("- {id: a, priority: 1, effect: ALLOW, match: {action: tool_7}}", scope="a*")
    )
    for number in range(60):
        context = who("a", environment=f"e{number % 7}")
        for tool in (number % 25, 7, 7):
            decision = bundle.decide((act(f"tool_{tool}"),), context, Mode.ENFORCE)
            assert decision.effect == ("ALLOW" if tool == 7 else "BLOCK")
    for number in range(5):
        bundle.decide((act("tool_7"),), who("a", environment=f"e{number}"), Mode.ENFORCE)
    (view,) = bundle._engine._views.values()
    assert len(view._by_name) == len(view._by_key) == 8
    assert {len(operation._standings) for operation in view._by_key.values()} <= {1, 2}


def test_agents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents of one set of policies share what is kept; too many begin anew."""
    monkeypatch.setattr(engine, "AGENTS_CACHED_MAX", 4)
    bundle = bundle_of(policy_text(ALLOW_ALL, scope="a*"))
    for number in range(30):
        for agent, effect in ((f"a{number}", "ALLOW"), (f"b{number}", "BLOCK")):
            assert bundle.decide((act(),), who(agent), Mode.ENFORCE).effect == effect
            assert len(bundle._engine._views_by_agent) <= 4
            assert len(bundle._engine._views) <= 2


def test_a_decision_is_made_once() -> None:
    """Calls that differ in nothing that counts share one decision; a monitor's is its own."""
    bundle = bundle_of(policy_text(ALLOW_ALL))
    one = bundle.decide((act(params={"amount": 1500}),), who(), Mode.ENFORCE)
    assert bundle.decide((act(params={"amount": 1600}),), who(), Mode.ENFORCE) is one
    assert bundle.decide((act(params={"amount": 16000}),), who(), Mode.ENFORCE) is not one
    assert bundle.decide((act(params={"amount": 1500}),), who(), Mode.MONITOR).mode is Mode.MONITOR
    assert bundle.decide((act(params={"amount": 1500}),), who(), Mode.ENFORCE) is one
