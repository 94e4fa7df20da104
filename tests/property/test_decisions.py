"""Generated policies and actions: order never matters, a BLOCK never weakens, nothing raises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.bundle import Bundle
from gateway.decide.loader import parse_sources
from gateway.decide.rules.policy import Policy, Rule
from gateway.decide.rules.trace import trace
from gateway.model.action import Action, Kind, Target
from gateway.model.decision import Context, Decision
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.errors import Problem
from tests.support.policy_world import policies_of, policy_text

EXAMPLES = 150
"""Each builds whole bundles; together about three seconds."""

ACTIONS = ["create_refund", "create_charge", "get_charge", "create_x"]
PROVIDERS = ["stripe", "aws"]
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


@dataclass(frozen=True)
class Case:
    """One generated world: rules by policy, and a question."""

    policies: list[Policy]
    actions: tuple[Action, ...]
    context: Context


def make_rule(number: int, priority: int, match: str, when: str, effect: str) -> str:
    condition = f", when: '{when.replace(chr(39), chr(39) * 2)}'" if when else ""
    return f"- {{id: r{number}, priority: {priority}, match: {match}, effect: {effect}{condition}}}"


RULES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(MATCHES),
        st.sampled_from(WHENS),
        st.sampled_from(["ALLOW", "BLOCK", "REQUIRE_APPROVAL"]),
    ),
    max_size=6,
).map(lambda rules: "\n".join(make_rule(n, *rule) for n, rule in enumerate(rules)))

VALUES = st.recursive(
    st.one_of(st.integers(-10, 10), st.just(10**30), st.booleans(), st.none(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
PARAMS = st.dictionaries(
    st.sampled_from(["amount", "note", "list", "flag", "currency"]), VALUES, max_size=4
)
ACTION = st.builds(
    Action,
    st.sampled_from(PROVIDERS),
    st.sampled_from(["stripe.x", "aws.y", "unknown"]),
    st.sampled_from(ACTIONS),
    st.sampled_from(list(Kind)),
    st.builds(Target, st.sampled_from(["charge", ""]), st.sampled_from(["ch_1", "x", ""])),
    PARAMS,
    st.booleans(),
    st.sampled_from([None, "credentials"]),
    st.frozensets(st.sampled_from(["amount", "note", "target.id"]), max_size=2),
)
CONTEXT = st.builds(
    Context,
    st.sampled_from(["a1", "b1"]),
    st.sampled_from([None, "run"]),
    st.just(0),
    st.sampled_from([{}, {"team": "pay"}, {"team": "x"}]),
    st.sampled_from(["", "prod"]),
)
POLICIES = st.lists(
    st.tuples(
        RULES,
        st.sampled_from(["ALLOW", "BLOCK", "REQUIRE_APPROVAL"]),
        st.sampled_from(["enforce", "enforce", "monitor"]),
        st.sampled_from(["", "a*"]),
    ),
    min_size=1,
    max_size=3,
).map(
    lambda parts: policies_of(
        *(
            policy_text(rules, name=f"p{n}", default=default, mode=mode, scope=scope)
            for n, (rules, default, mode, scope) in enumerate(parts)
        )
    )
)
CASES = st.builds(Case, POLICIES, st.lists(ACTION, max_size=3).map(tuple), CONTEXT)


def facts(decision: Decision) -> tuple[Any, ...]:
    """All that a decision says, for comparison."""
    return (
        decision.effect, decision.reason_code, decision.message, decision.policy, decision.rule,
        decision.risk, decision.revision, decision.mode, decision.terms, decision.unresolved,
    )  # fmt: skip


def is_held_back(decision: Decision) -> int:
    """How far a decision holds a request back: 0 lets it pass."""
    return 0 if decision.passes else decision.effect.strictness


@given(CASES, st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, deadline=None)
def test_order_never_matters(case: Case, random: Any) -> None:
    """Shuffled policies, rules, and what was decided before: the same decision and revision."""
    shuffled = []
    for policy in random.sample(case.policies, len(case.policies)):
        rules = tuple(random.sample(policy.rules, len(policy.rules)))
        shuffled.append(replace(policy, rules=rules))
    one, two = Bundle.of(case.policies), Bundle.of(shuffled)
    expected = facts(one.decide(case.actions, case.context, Mode.ENFORCE))
    for action in reversed(case.actions):
        two.decide((action,), case.context, Mode.MONITOR)
    assert facts(two.decide(case.actions, case.context, Mode.ENFORCE)) == expected
    assert facts(one.decide(case.actions, case.context, Mode.ENFORCE)) == expected


@given(CASES, st.integers(0, 3), st.sampled_from(MATCHES), st.sampled_from(WHENS))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_block_rule_never_weakens(case: Case, priority: int, match: str, when: str) -> None:
    """Adding a BLOCK rule anywhere leaves every decision as strict as it was, or stricter."""
    before = Bundle.of(case.policies).decide(case.actions, case.context, Mode.ENFORCE)
    (donor,) = policies_of(policy_text(make_rule(99, priority, match, when, "BLOCK")))
    for number, policy in enumerate(case.policies):
        changed = list(case.policies)
        changed[number] = replace(policy, rules=(*policy.rules, *donor.rules))
        after = Bundle.of(changed).decide(case.actions, case.context, Mode.ENFORCE)
        assert is_held_back(after) >= is_held_back(before)


@given(CASES)
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_engine_is_the_rules_read_slowly(case: Case) -> None:
    """Index, caches and compiled conditions decide as a plain walk through all rules does."""
    bundle = Bundle.of(case.policies)
    for action in case.actions:
        decision = bundle.decide((action,), case.context, Mode.ENFORCE)
        traces = [found for found in trace(bundle.policies, action, case.context) if found.applies]
        ranked = [
            (_rank(found.effect, _policy(case, found.policy).mode), found) for found in traces
        ]
        if not ranked:
            assert (decision.effect, decision.reason_code) == (Effect.BLOCK, "NO_POLICY")
            continue
        strictest = max(rank for rank, _ in ranked)
        first = next(found for rank, found in ranked if rank == strictest)
        assert (decision.policy, decision.rule) == (first.policy, first.decided_by)
        assert decision.effect is first.effect
        assert (decision.terms is not None) is (decision.effect is Effect.REQUIRE_APPROVAL)


def _rank(effect: Effect, mode: Mode) -> tuple[bool, int]:
    is_enforced_stop = mode is Mode.ENFORCE and effect is not Effect.ALLOW
    if is_enforced_stop:
        return True, effect.strictness
    return False, 2 * effect.strictness + (mode is Mode.ENFORCE)


def _policy(case: Case, name: str) -> Policy:
    return next(policy for policy in case.policies if policy.name == name)


@given(CASES)
@settings(max_examples=EXAMPLES, deadline=None)
def test_decisions_are_whole(case: Case) -> None:
    """Whatever is asked, the answer has a reason, a sentence and a score within its scale."""
    bundle = Bundle.of(case.policies)
    for mode in Mode:
        decision = bundle.decide(case.actions, case.context, mode)
        assert decision.reason_code
        assert decision.message
        assert 0 <= decision.risk.score <= 100
        assert decision.risk.score == sum(factor.points for factor in decision.risk.factors)
        assert decision.terms is None or isinstance(decision.terms, ApprovalTerms)
        if mode is Mode.MONITOR:
            assert decision.passes


@given(st.text(max_size=300))
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_text_makes_the_loader_raise(text: str) -> None:
    """Any text is policies or problems."""
    problems: list[Problem] = []
    policies = parse_sources([("f", text)], None, problems).policies
    assert policies or problems


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_damage_to_a_policy_makes_the_loader_raise(data: st.DataObject) -> None:
    """A good policy with a few bytes changed is a policy, or problems at places in the file."""
    rules = "\n".join(
        make_rule(n, n, match, when, "ALLOW")
        for n, (match, when) in enumerate(zip(MATCHES, WHENS, strict=False))
    )
    text = list(policy_text(rules))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(
            st.sampled_from(["", "{", "}", ":", "'", '"', "&", "*", "\n", "-", "é"])
        )
    damaged = "".join(text)
    problems: list[Problem] = []
    policies = parse_sources([("f", damaged)], None, problems).policies
    assert policies or problems
    lines = damaged.count("\n") + 1
    for problem in problems:
        assert 0 <= problem.line <= lines + 1
        assert problem.message


def test_the_generators_reach_every_outcome() -> None:
    """The properties above are not held by emptiness."""
    seen: set[object] = set()

    @given(CASES)
    @settings(max_examples=300, deadline=None, database=None)
    def collect(case: Case) -> None:
        decision = Bundle.of(case.policies).decide(case.actions, case.context, Mode.ENFORCE)
        seen.update([decision.effect, decision.mode, decision.unresolved is None])

    collect()
    assert seen >= {*Effect, *Mode, True, False}


def test_replacing_a_rule_keeps_the_type() -> None:
    """`replace` above must make real rules."""
    (policy,) = policies_of(policy_text(make_rule(1, 1, "{}", "", "BLOCK")))
    assert isinstance(replace(policy).rules[0], Rule)
    with pytest.raises(AttributeError):
        policy.name = "x"  # type: ignore[misc]
