"""Monitor mode: of a rule, of a policy beside another, and of all there are. It never decides over
what is enforced, and what it would have done is noted."""

from __future__ import annotations

import pytest

from gateway import telemetry
from gateway.decide.bundle import WATCHED_NOTED_MAX
from gateway.model.decision import Decision, Watched
from gateway.model.effect import Effect, Mode
from tests.support.policy_world import act, bundle_of, policy_text, who

ALLOW_ALL = "- {id: all, priority: 9, effect: ALLOW}"
BLOCK_ALL = "- {id: none, priority: 9, effect: BLOCK}"
ASK_ALL = "- {id: ask, priority: 9, effect: REQUIRE_APPROVAL}"
WATCH_FIRST = "- {id: w, priority: 1, effect: REQUIRE_APPROVAL, mode: monitor}\n"


def noted(decision: Decision) -> list[str]:
    """`policy/rule effect` of all that was watched."""
    return [f"{each.policy}/{each.rule} {each.effect}" for each in decision.watched]


RULES = {
    "a block in monitor mode passes, and is noted": (
        "- {id: a, priority: 1, effect: BLOCK, mode: monitor}\n" + ALLOW_ALL,
        "ALLOW", "all", ["p/a BLOCK"],
    ),
    "an approval too": (
        "- {id: a, priority: 1, effect: REQUIRE_APPROVAL, mode: monitor}\n" + ALLOW_ALL,
        "ALLOW", "all", ["p/a REQUIRE_APPROVAL"],
    ),
    "an allow in monitor mode opens nothing": (
        "- {id: a, priority: 1, effect: ALLOW, mode: monitor}", "BLOCK", None, ["p/a ALLOW"],
    ),
    "behind the deciding rule it would have decided nothing": (
        "- {id: a, priority: 10, effect: BLOCK, mode: monitor}\n" + ALLOW_ALL, "ALLOW", "all", [],
    ),
    "what is done anyway is not noted": (
        "- {id: a, priority: 1, effect: ALLOW, mode: monitor}\n" + ALLOW_ALL, "ALLOW", "all", [],
    ),
    "one that does not match says nothing": (
        "- {id: a, priority: 1, match: {agent: x}, effect: BLOCK, mode: monitor}\n" + ALLOW_ALL,
        "ALLOW", "all", [],
    ),
    "one about another operation says nothing": (
        "- {id: a, priority: 1, match: {action: x}, effect: BLOCK, mode: monitor}\n" + ALLOW_ALL,
        "ALLOW", "all", [],
    ),
    "two of them, the strictest first": (
        "- {id: a, priority: 1, effect: REQUIRE_APPROVAL, mode: monitor}\n"
        "- {id: b, priority: 2, effect: BLOCK, mode: monitor}\n" + ALLOW_ALL,
        "ALLOW", "all", ["p/b BLOCK", "p/a REQUIRE_APPROVAL"],
    ),
    "a block that can't read its field would have matched": (
        "- {id: a, priority: 1, effect: BLOCK, when: params.nope > 1, mode: monitor}\n" + ALLOW_ALL,
        "ALLOW", "all", ["p/a BLOCK"],
    ),
    "an allow that can't read its field would not": (
        "- {id: a, priority: 1, effect: ALLOW, when: params.nope > 1, mode: monitor}",
        "BLOCK", None, [],
    ),
    "mode enforce is what there is without a word": (
        "- {id: a, priority: 1, effect: BLOCK, mode: enforce}", "BLOCK", "a", [],
    ),
    "switched off is not watched": (
        "- {id: a, priority: 1, effect: BLOCK, mode: monitor, enabled: false}\n" + ALLOW_ALL,
        "ALLOW", "all", [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "effect", "rule", "seen"), RULES.values(), ids=RULES.keys())
def test_a_rule_in_monitor_mode(rules: str, effect: str, rule: str | None, seen: list[str]) -> None:
    """It never decides; it is noted where it would have been the first and done otherwise."""
    decision = bundle_of(policy_text(rules)).decide((act(),), who(), Mode.ENFORCE)
    assert (decision.effect, decision.rule, noted(decision)) == (effect, rule, seen)
    assert decision.mode is Mode.ENFORCE


POLICIES = {
    "a shadow that would block": (
        [(ALLOW_ALL, "enforce"), (BLOCK_ALL, "monitor")],
        "ALLOW", "p0", "enforce", ["p1/none BLOCK"],
    ),
    "a shadow whose default would block": (
        [(ALLOW_ALL, "enforce"), ("", "monitor")], "ALLOW", "p0", "enforce", ["p1/None BLOCK"],
    ),
    "a shadow that would allow": (
        [(BLOCK_ALL, "enforce"), (ALLOW_ALL, "monitor")],
        "BLOCK", "p0", "enforce", ["p1/all ALLOW"],
    ),
    "a shadow of one mind with what is done": (
        [(BLOCK_ALL, "enforce"), (BLOCK_ALL, "monitor")], "BLOCK", "p0", "enforce", [],
    ),
    "two shadows": (
        [(BLOCK_ALL, "monitor"), (ASK_ALL, "enforce"), (ALLOW_ALL, "monitor")],
        "REQUIRE_APPROVAL", "p1", "enforce", ["p0/none BLOCK", "p2/all ALLOW"],
    ),
    "nothing but shadows: the strictest decides, and passes": (
        [(ALLOW_ALL, "monitor"), (BLOCK_ALL, "monitor")], "BLOCK", "p1", "monitor", [],
    ),
    "a watched rule of a policy that is outvoted": (
        [(BLOCK_ALL, "enforce"), (WATCH_FIRST + ALLOW_ALL, "enforce")],
        "BLOCK", "p0", "enforce", ["p1/w REQUIRE_APPROVAL"],
    ),
    "a watched rule inside a shadow is twice removed": (
        [(ALLOW_ALL, "enforce"), (WATCH_FIRST + ALLOW_ALL, "monitor")],
        "ALLOW", "p0", "enforce", [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("policies", "effect", "policy", "mode", "seen"), POLICIES.values(), ids=POLICIES.keys()
)
def test_a_policy_in_monitor_mode(
    policies: list[tuple[str, str]], effect: str, policy: str, mode: str, seen: list[str]
) -> None:
    """Beside one that is enforced it is a shadow, whatever the order of the files."""
    texts = [
        policy_text(rules, name=f"p{number}", mode=its_mode)
        for number, (rules, its_mode) in enumerate(policies)
    ]
    for order in (texts, texts[::-1]):
        decision = bundle_of(*order).decide((act(),), who(), Mode.ENFORCE)
        assert (decision.effect, decision.policy, decision.mode) == (effect, policy, mode)
        assert noted(decision) == seen


def test_only_policies_of_the_agent_count() -> None:
    """A policy in enforce mode about others leaves a monitor alone with its agent."""
    bundle = bundle_of(
        policy_text(BLOCK_ALL, name="a", mode="monitor"),
        policy_text(ALLOW_ALL, name="b", scope="billing-*"),
    )
    alone = bundle.decide((act(),), who("crawler"), Mode.ENFORCE)
    assert (alone.effect, alone.mode, alone.passes) == (Effect.BLOCK, Mode.MONITOR, True)
    beside = bundle.decide((act(),), who("billing-1"), Mode.ENFORCE)
    assert (beside.effect, beside.mode, noted(beside)) == ("ALLOW", "enforce", ["a/none BLOCK"])


def test_the_gateway_in_monitor_mode_notes_the_same() -> None:
    """Its own mode lets pass; what is noted is still measured by what would have been done."""
    rules = "- {id: a, priority: 1, effect: REQUIRE_APPROVAL, mode: monitor}\n" + BLOCK_ALL
    decision = bundle_of(policy_text(rules)).decide((act(),), who(), Mode.MONITOR)
    assert (decision.effect, decision.passes) == (Effect.BLOCK, True)
    assert noted(decision) == ["p/a REQUIRE_APPROVAL"]


def test_a_batch_notes_each_once() -> None:
    """Every action's, measured by what is done with the whole request."""
    rules = """
    - {id: reads, priority: 1, match: {kind: read}, effect: BLOCK, mode: monitor}
    - {id: ask, priority: 2, match: {kind: create}, effect: REQUIRE_APPROVAL, mode: monitor}
    - {id: all, priority: 3, effect: ALLOW}
    """
    actions = (act("get", "read"), act("make"), act("get_more", "read"))
    decision = bundle_of(policy_text(rules)).decide(actions, who(), Mode.ENFORCE)
    assert decision.effect is Effect.ALLOW
    assert decision.watched == (
        Watched("p", "reads", Effect.BLOCK, "RULE_READS"),
        Watched("p", "ask", Effect.REQUIRE_APPROVAL, "RULE_ASK"),
    )


def test_what_is_noted_is_bounded() -> None:
    """A policy of nothing but watched rules makes no endless record; the strictest stay."""
    rules = "\n".join(
        f"- {{id: r{number}, priority: {number}, mode: monitor,"
        f" effect: {'BLOCK' if number > 60 else 'REQUIRE_APPROVAL'}}}"
        for number in range(100)
    )
    bundle = bundle_of(policy_text(rules, default="ALLOW"))
    seen = noted(bundle.decide((act(),), who(), Mode.ENFORCE))
    assert len(seen) == WATCHED_NOTED_MAX
    assert seen[0] == "p/r61 BLOCK"
    assert not [each for each in seen if "REQUIRE" in each]


def test_watched_verdicts_are_counted_by_effect() -> None:
    """The metric has effects for labels, and no names."""
    rules = "- {id: a, priority: 1, effect: BLOCK, mode: monitor}\n" + ALLOW_ALL
    decision = bundle_of(policy_text(rules)).decide((act(),), who(), Mode.ENFORCE)
    counter = telemetry.WATCHED.labels(Effect.BLOCK)
    before = counter.value
    telemetry.count_decision(decision)
    assert counter.value == before + 1
