"""The names that policies beside an organisation may use, and how the two are loaded together."""

from __future__ import annotations

import pytest

from gateway.decide.loader import make_bundle
from gateway.model.errors import ConfigurationError
from tests.support.policy_world import organisation_text, policy_text, problems_of_texts

NAMES = """
environments: [prod, staging]
agentLabels: {team: [payments, support], tier: []}
approverGroups: [finance]
reasonCodes: [SAFE_READ, ASK]
targetLabels:
  - {label: billing, match: {provider: stripe}}
"""


def rule(
    match: str = "{}", when: str = "", more: str = "reason: ASK", effect: str = "BLOCK"
) -> str:
    condition = f"when: '{when}', " if when else ""
    return f"- {{id: r, priority: 1, effect: {effect}, match: {match}, {condition}{more}}}"


KNOWN = {
    "an environment": rule("{environment: prod}"),
    "environments by pattern": rule("{environment: 'st*'}"),
    "a label": rule("{labels: {team: [payments, 'supp*']}}"),
    "a label of any value": rule("{labels: {tier: gold}}"),
    "a target's label": rule("{target.label: billing}"),
    "a label in a condition": rule(when='agent.labels.team == "payments"'),
    "a label in brackets": rule(when='agent.labels["team"] in ["payments", "support"]'),
    "a label of any value in a condition": rule(when='agent.labels.tier == "gold"'),
    "a label that an agent has": rule(when='"team" in agent.labels && has(agent.labels.tier)'),
    "a label by another value": rule(when="agent.labels.team == params.team"),
    "a target's label in a condition": rule(when='"billing" in target.labels'),
    "an environment in a condition": rule(when='environment != "prod"'),
    "a factor": rule(when='risk.factors["context.amount"] > 4'),
    "no reason": rule(more="enabled: true"),
}


@pytest.mark.parametrize("rules", KNOWN.values(), ids=KNOWN.keys())
def test_names_that_the_organisation_knows(rules: str) -> None:
    """The policy stands before the organisation and in another file, which makes no difference."""
    assert problems_of_texts(policy_text(rules), organisation_text(NAMES)) == []


UNKNOWN = {
    "an environment": (
        rule("{environment: prd}"),
        "0.yaml:8:64: the organisation has no environment `prd` (help: did you mean `prod`?)",
    ),
    "an environment by pattern": (
        rule("{environment: 'x*'}"),
        "the organisation has no environment `x*` (help: there is `prod`, `staging`)",
    ),
    "an environment in a condition": (
        rule(when='environment == "prd"'),
        "the organisation has no environment `prd` (help: did you mean `prod`?)",
    ),
    "environments in a condition": (
        rule(when='environment in ["prod", "stagin"]'),
        "the organisation has no environment `stagin` (help: did you mean `staging`?)",
    ),
    "a label": (
        rule("{labels: {tem: payments}}"),
        "agents have no label `tem` (help: did you mean `team`?)",
    ),
    "a label's value": (
        rule("{labels: {team: paymnts}}"),
        "the label `team` of an agent is never `paymnts` (help: did you mean `payments`?)",
    ),
    "a label in a condition": (
        rule(when='agent.labels.tem == "payments"'),
        "agents have no label `tem` (help: did you mean `team`?)",
    ),
    "a label in brackets": (
        rule(when='agent.labels["tem"] == "payments"'),
        "agents have no label `tem` (help: did you mean `team`?)",
    ),
    "a label that may be there": (
        rule(when="has(agent.labels.tem)"), "agents have no label `tem`",
    ),
    "a label that is looked for": (
        rule(when='"tem" in agent.labels'), "agents have no label `tem`",
    ),
    "a label's value in a condition": (
        rule(when='agent.labels.team == "paymnts"'),
        "the label `team` of an agent is never `paymnts` (help: did you mean `payments`?)",
    ),
    "a label's value on the left": (
        rule(when='"paymnts" == agent.labels["team"]'),
        "the label `team` of an agent is never `paymnts` (help: did you mean `payments`?)",
    ),
    "a target's label": (
        rule("{target.label: biling}"),
        "the organisation gives no target the label `biling` (help: did you mean `billing`?)",
    ),
    "a target's label in a condition": (
        rule(when='"biling" in target.labels'),
        "the organisation gives no target the label `biling` (help: did you mean `billing`?)",
    ),
    "a factor": (
        rule(when='risk.factors["context.amuont"] > 4'),
        "a risk has no factor `context.amuont` (help: did you mean `context.amount`?)",
    ),
    "a reason": (
        rule(more="reason: SAFE_RED"),
        "the organisation has no reason code `SAFE_RED` (help: did you mean `SAFE_READ`?)",
    ),
    "a group of approvers": (
        rule(more="approval: {groups: [finanse]}", effect="REQUIRE_APPROVAL"),
        "the organisation has no approver group `finanse` (help: did you mean `finance`?)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "wanted"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_names_that_the_organisation_does_not_know(rules: str, wanted: str) -> None:
    """An error at its place, with the nearest right name; without the organisation, none."""
    problems = problems_of_texts(policy_text(rules), organisation_text(NAMES))
    assert [wanted in problem for problem in problems].count(True) == 1
    found = problems_of_texts(policy_text(rules))
    assert not any("the organisation has" in each or "agent" in each for each in found)


def test_labels_of_targets_need_an_organisation() -> None:
    """Nobody else gives any, so that a rule about one could never match."""
    wanted = (
        "the organisation gives no target the label `prod` "
        "(help: give it in the `targetLabels` of a `kind: Organisation` beside the policy)"
    )
    for rules in (rule(when='"prod" in target.labels'), rule("{target.label: prod}")):
        (problem,) = problems_of_texts(policy_text(rules))
        assert wanted in problem


def test_a_broken_organisation_hides_no_problem_and_makes_none() -> None:
    """What it says is unknown, so names are not held against it."""
    broken = organisation_text("environments: prod").replace("{name: acme}", "{}")
    problems = problems_of_texts(broken, policy_text(rule("{environment: prd, target.label: x}")))
    assert [problem.partition(": ")[0] for problem in problems] == ["0.yaml:3:11", "0.yaml:5:17"]


def test_a_bundle_has_one_organisation() -> None:
    """A second is an error where it stands, in one file or in two."""
    text = organisation_text("")
    (problem,) = problems_of_texts(text + "---\n" + text)
    assert problem == (
        "0.yaml:7:1: there is a `kind: Organisation` in 0.yaml:1 already "
        "(help: a bundle has at most one)"
    )
    (problem,) = problems_of_texts(text, text)
    assert problem.startswith("1.yaml:1:1: there is a `kind: Organisation` in 0.yaml:1 already")


def test_a_kind_that_there_is_not() -> None:
    """The nearest that there is."""
    (problem,) = problems_of_texts(organisation_text("").replace("Organisation", "Organization"))
    assert problem == (
        "0.yaml:2:7: `kind` can't be `Organization` (help: did you mean `Organisation`?)"
    )


def test_bundles_are_made_of_texts() -> None:
    """What the control plane has, in memory; every problem is told."""
    policy = policy_text(rule("{environment: prod}"))
    bundle = make_bundle([("p.yaml", policy), ("o.yaml", organisation_text(NAMES))])
    assert bundle.risks.organisation.name == "acme"
    with pytest.raises(ConfigurationError) as caught:
        make_bundle(
            [("p.yaml", policy.replace("prod", "prd")), ("o.yaml", organisation_text(NAMES))]
        )
    assert caught.value.code == "policy.invalid"
    with pytest.raises(ConfigurationError) as caught:
        make_bundle([("o.yaml", organisation_text(NAMES))])
    assert "there is no policy here" in str(caught.value.problems[0])


REVISIONS = {
    "environments": "environments: [a]",
    "labels of agents": "agentLabels: {a: [b]}",
    "groups": "approverGroups: [a]",
    "reasons": "reasonCodes: [ASK]",
    "labels of targets": "targetLabels: [{label: a, match: {target.id: a}}]",
    "other labels of targets": "targetLabels: [{label: a, match: {target.type: a}}]",
    "sensitivity": "targetLabels: [{label: a, match: {target.id: a}}]\nsensitivity: {a: 1}",
    "domains": "domains: a.b",
    "working hours": "workingHours: {timezone: UTC, days: [mon], from: '08:00', to: '09:00'}",
    "another zone": "workingHours: {timezone: Etc/GMT, days: [mon], from: '08:00', to: '09:00'}",
    "scales": "amountScales: {jpy: 2}",
    "classes": "riskClasses: {a: low}",
    "nothing": "",
}


def test_the_revision_covers_the_organisation() -> None:
    """Whatever it says, and that there is one; not what it is called."""
    policy = ("p.yaml", policy_text(rule()))
    revisions = {
        make_bundle([policy, ("o.yaml", organisation_text(spec))]).revision
        for spec in REVISIONS.values()
    }
    assert len(revisions | {make_bundle([policy]).revision}) == len(REVISIONS) + 1
    renamed = make_bundle([policy, ("o.yaml", organisation_text("", "other"))])
    assert renamed.revision in revisions
