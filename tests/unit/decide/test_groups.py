"""Rules as generated functions: what differs from call to call, groups, where they are found."""

from __future__ import annotations

import pytest

from gateway.decide.assessment import Assessment
from gateway.decide.rules import groups
from gateway.decide.rules.index import PolicyIndex
from gateway.model.decision import Context, Risk
from gateway.model.effect import Mode
from tests.support.policy_world import act, bundle_of, policies_of, policy_text, who

RUNNING = Context("billing-bot", "run_7", 0, {"team": "payments"}, "prod", "running")

GUARDS = {
    "an agent": ("{agent: billing-bot}", True),
    "another agent": ("{agent: billing-bo}", False),
    "agents that begin so": ("{agent: billing-*}", True),
    "agents that end so": ("{agent: '*-bot'}", True),
    "one of a list": ("{agent: [a, billing-bot]}", True),
    "none of a list": ("{agent: [a, b*]}", True),
    "a list with a glob that does not fit": ("{agent: [a, c*]}", False),
    "a run": ("{run: run_7}", True),
    "any run": ("{run: '*'}", True),
    "a state of the run": ("{run.state: running}", True),
    "another state": ("{run.state: [completed, failed]}", False),
    "an environment": ("{environment: prod}", True),
    "a label": ("{labels: {team: payments}}", True),
    "a label with a glob": ("{labels: {team: pay*}}", True),
    "a label that is not there": ("{labels: {owner: '*'}}", False),
    "two of which one fits": ("{agent: billing-bot, environment: test}", False),
    "a target": ("{target.id: ch_1}", True),
    "targets that begin so": ("{target.id: ch_*}", True),
    "a static field and a label": ("{kind: create, labels: {team: payments}}", True),
    "reversible": ("{reversible: true}", True),
    "irreversible": ("{reversible: false}", False),
}


@pytest.mark.parametrize(("match", "fits"), GUARDS.values(), ids=GUARDS.keys())
@pytest.mark.parametrize("effect", ["ALLOW", "BLOCK"])
def test_what_differs_from_call_to_call(match: str, fits: bool, effect: str) -> None:
    """Every field of `match` is tested, with a condition behind it or not."""
    default = "BLOCK" if effect == "ALLOW" else "ALLOW"
    for condition in ("", ", when: params.n > 1"):
        rules = f"- {{id: x, priority: 1, match: {match}, effect: {effect}{condition}}}"
        bundle = bundle_of(policy_text(rules, default=default))
        decision = bundle.decide((act(params={"n": 2}),), RUNNING, Mode.ENFORCE)
        assert decision.rule == ("x" if fits else None)
        assert decision.unresolved is None


def test_no_run_has_no_name_and_no_state() -> None:
    """Not even `*` fits what is not there."""
    for match in ("{run: '*'}", "{run: ['*', x]}", "{run.state: '*'}", "{run.state: running}"):
        bundle = bundle_of(policy_text(f"- {{id: x, priority: 1, match: {match}, effect: ALLOW}}"))
        assert bundle.decide((act(),), who(), Mode.ENFORCE).rule is None


ORGANISATION = """
apiVersion: checkrein/v1
kind: Organisation
metadata: {name: o}
spec:
  targetLabels:
    - {label: prod, match: {target.id: prod-*}}
    - {label: customer-data, match: {target.id: crm-*}}
"""


def _finds(match: str, effect: str, labels: tuple[str, ...], missing: tuple[str, ...]) -> int:
    """What the function of one rule gives: 0, 1 when a field was not read, 2 for nothing."""
    rule = f"- {{id: x, priority: 1, match: {match}, effect: {effect}}}"
    (policy,) = policies_of(ORGANISATION, policy_text(rule))
    action = act(missing=missing)
    section = PolicyIndex(policy).section_for(action)
    ((_, find),) = section.finds
    return find(action.params, action, who(), Assessment(Risk(0, (), ""), labels))


LABELS = {
    "the label": ("{target.label: prod}", "BLOCK", ("prod",), (), 0),
    "one of several": ("{target.label: prod}", "ALLOW", ("billing", "prod"), (), 0),
    "a glob": ("{target.label: 'cust*'}", "BLOCK", ("customer-data",), (), 0),
    "another label": ("{target.label: prod}", "BLOCK", ("billing",), (), 2),
    "no label": ("{target.label: '*'}", "BLOCK", (), (), 2),
    "unknown labels block": ("{target.label: prod}", "BLOCK", (), ("target.id",), 1),
    "unknown labels ask": ("{target.label: prod}", "REQUIRE_APPROVAL", (), ("target.id",), 1),
    "unknown labels allow nothing": ("{target.label: prod}", "ALLOW", ("prod",), ("target.id",), 2),
    "an unknown id blocks": ("{target.id: ch_2}", "BLOCK", (), ("target.id",), 1),
    "an unknown id allows nothing": ("{target.id: ch_1}", "ALLOW", (), ("target.id",), 2),
    "what else is missing is no matter": ("{target.label: prod}", "ALLOW", ("prod",), ("x",), 0),
}


@pytest.mark.parametrize(
    ("match", "effect", "labels", "missing", "found"), LABELS.values(), ids=LABELS.keys()
)
def test_labels_of_the_target(
    match: str, effect: str, labels: tuple[str, ...], missing: tuple[str, ...], found: int
) -> None:
    """A target that can't be told may have any label: good enough to block, never to allow."""
    assert _finds(match, effect, labels, missing) == found


def test_an_unread_target_is_named() -> None:
    """The decision says that it was the target's id."""
    rules = "- {id: x, priority: 1, match: {target.label: prod}, effect: BLOCK}"
    bundle = bundle_of(ORGANISATION, policy_text(rules, default="ALLOW"))
    decision = bundle.decide((act(missing=("target.id",)),), who(), Mode.ENFORCE)
    assert (decision.rule, decision.unresolved) == ("x", "target.id")


@pytest.mark.parametrize("sharing", [0, 2, 5])
def test_a_long_group_is_several_functions(monkeypatch: pytest.MonkeyPatch, sharing: int) -> None:
    """Cut in pieces and compiled in batches, a policy decides as before."""
    monkeypatch.setattr("gateway.decide.rules.index.FUNCTION_RULES_MAX", 3)
    monkeypatch.setattr(groups, "SOURCE_CHARS_MAX", 300)
    monkeypatch.setattr(groups, "SHARING_RULES_MAX", sharing)
    rules = "\n".join(
        f"- {{id: r{number:02}, priority: {number}, match: {{action: {action}}},"
        f" when: params.n == {number}, effect: ALLOW}}"
        for number in range(20)
        for action in (["a", "b"][number % 2],)
    )
    bundle = bundle_of(policy_text(rules))
    for number in range(20):
        for action in ("a", "b"):
            decision = bundle.decide((act(action, params={"n": number}),), who(), Mode.ENFORCE)
            fits = action == ["a", "b"][number % 2]
            assert decision.rule == (f"r{number:02}" if fits else None)


def test_what_always_matches_ends_the_search() -> None:
    """Groups that could only come later are not even gathered."""
    rules = """
    - {id: first, priority: 1, match: {action: a}, effect: BLOCK, when: params.n > 5}
    - {id: all, priority: 2, effect: ALLOW}
    - {id: late, priority: 3, match: {action: a}, effect: BLOCK}
    - {id: later, priority: 4, match: {kind: create}, effect: BLOCK}
    """
    (policy,) = policies_of(policy_text(rules))
    section = PolicyIndex(policy).section_for(act("a"))
    assert [first for first, _ in section.finds] == [0, 2]


NEAR = {
    "the name and the provider": "{action: create_charge, provider: stripe}",
    "the name": "{action: create_charge}",
    "the operation": "{operation: stripe.create_charge}",
    "a beginning": "{action: 'create_*'}",
    "beginnings and names": "{action: ['create_*', get_x]}",
    "a beginning of a provider": "{action: 'create_*', provider: stripe}",
    "an end, of a provider": "{action: '*_charge', provider: stripe}",
    "an end": "{action: '*_charge'}",
    "an end, of a kind": "{action: '*_charge', kind: create}",
    "several providers": "{provider: [stripe, aws], action: create_charge}",
    "providers that begin so": "{provider: 'str*'}",
    "a sensitive thing": "{sensitive: credentials}",
    "a type": "{target.type: charge}",
}


@pytest.mark.parametrize("match", NEAR.values(), ids=NEAR.keys())
def test_a_rule_is_found_wherever_it_lies(match: str) -> None:
    """Whatever a rule is filed under, the calls that fit it find it, once."""
    (policy,) = policies_of(policy_text(f"- {{id: x, priority: 1, match: {match}, effect: ALLOW}}"))
    index = PolicyIndex(policy)
    fitting = act(sensitive="credentials")
    assert len(index.section_for(fitting).finds) == 1
    other = act("move", "update", provider="azure", target=("blob", "1"))
    assert index.section_for(other).finds == ()
