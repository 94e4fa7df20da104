"""Generated policies and questions: order never matters, a BLOCK never weakens, a monitor changes
nothing, nothing raises. `decisions_at_length` runs the same promises over many more."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.bundle import Bundle
from gateway.decide.loader import parse_sources
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.errors import Problem
from tests.property.policy_worlds import Maker, broken_promises
from tests.support.policy_world import policy_text

EXAMPLES = 60
"""Each builds whole bundles; together about four seconds."""

SEEDS = st.integers(0, 2**64)

MATCHES = [
    "{}", "{kind: read}", "{kind: [create, delete]}", "{action: create_refund}",
    "{action: create_*}", "{provider: stripe}", "{provider: stripe, action: '*_charge'}",
    "{target.id: ch_*}", "{agent: a*}", "{labels: {team: pay}}", "{reversible: false}",
    "{sensitive: '*'}", "{environment: prod}", "{operation: 'stripe.*'}",
]  # fmt: skip
WHENS = [
    "", "params.amount > 5", "params.amount <= 5", "has(params.note)", "risk.score > 20",
    'agent.labels.team == "pay"', "params.list.all(x, x > 1)", "params.amount > 5 || reversible",
    'target.id == "ch_1"', "params.flag",
]  # fmt: skip


def make_rule(number: int, match: str, when: str) -> str:
    condition = f", when: '{when.replace(chr(39), chr(39) * 2)}'" if when else ""
    return f"- {{id: r{number}, priority: {number}, match: {match}, effect: ALLOW{condition}}}"


@given(SEEDS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_promise_is_broken(seed: int) -> None:
    """Whatever the policies and whatever is asked."""
    for _, wrong in broken_promises(Maker(random.Random(seed))):
        assert not wrong


@given(SEEDS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_decisions_are_whole(seed: int) -> None:
    """Whatever is asked, the answer has a reason, a sentence and a score within its scale."""
    world = Maker(random.Random(seed)).world()
    bundle = Bundle.of(world.policies)
    for actions, context in world.questions:
        decision = bundle.decide(actions, context, Mode.ENFORCE)
        assert decision.reason_code
        assert decision.message
        assert 0 <= decision.risk.score <= 100
        assert decision.risk.score == sum(factor.points for factor in decision.risk.factors)
        wants_terms = decision.effect is Effect.REQUIRE_APPROVAL
        assert isinstance(decision.terms, ApprovalTerms) is wants_terms


def test_the_worlds_reach_every_outcome() -> None:
    """The promises above are not held by emptiness."""
    seen: Counter[object] = Counter()
    for seed in range(40):
        for decision, _ in broken_promises(Maker(random.Random(seed))):
            seen.update([decision.effect, decision.mode, decision.unresolved is None])
            seen.update(each.effect for each in decision.watched)
            seen["by a rule"] += decision.rule is not None
    for outcome in (*Effect, *Mode, True, False, "by a rule"):
        assert seen[outcome] >= 5, outcome


@given(st.text(max_size=300))
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_text_makes_the_loader_raise(text: str) -> None:
    """Any text is policies or problems."""
    problems: list[Problem] = []
    found = parse_sources([("f", text)], None, problems)
    assert found.policies or problems


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_damage_to_a_policy_makes_the_loader_raise(data: st.DataObject) -> None:
    """A good policy with a few bytes changed is a policy, or problems at places in the file."""
    rules = "\n".join(
        make_rule(number, match, when)
        for number, (match, when) in enumerate(zip(MATCHES, WHENS, strict=False))
    )
    text = list(policy_text(rules))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(
            st.sampled_from(["", "{", "}", ":", "'", '"', "&", "*", "\n", "-", "é"])
        )
    damaged = "".join(text)
    problems: list[Problem] = []
    found = parse_sources([("f", damaged)], None, problems)
    assert found.policies or found.organisation or found.baseline or problems
    lines = damaged.count("\n") + 1
    for problem in problems:
        assert 0 <= problem.line <= lines + 1
        assert problem.message
