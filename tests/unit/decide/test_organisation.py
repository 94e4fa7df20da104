"""Documents of `kind: Organisation`, and the names that policies beside one may use."""

from __future__ import annotations

import pytest

from gateway.decide.documents.organisation import GLOBS_MAX, NAMES_MAX
from gateway.decide.loader import parse_sources
from gateway.decide.organisation import Organisation, TargetField
from gateway.model.errors import Problem
from gateway.model.risk_class import RiskClass
from gateway.model.vocabulary import Vocabulary
from tests.support.policy_world import organisation_text, problems_of_texts

MAPPED = Vocabulary(frozenset({"create_refund"}), frozenset({"s.x"}), frozenset({"stripe"}))


def organisation_of(spec: str) -> Organisation:
    problems: list[Problem] = []
    found = parse_sources([("o.yaml", organisation_text(spec))], None, problems).organisation
    assert not problems, problems
    assert found is not None
    return found


FULL = """
environments: [prod, staging]
agentLabels: {team: [payments, support], tier: []}
approverGroups: [finance]
reasonCodes: [SAFE_READ]
targetLabels:
  - {label: billing, match: {target.type: charge, provider: [stripe, paypal]}}
  - {label: prod, match: {target.id: "prod-*", action: "*", operation: "*"}}
sensitivity: {billing: 12, prod: 20}
domains: [acme.com, "*.acme.com"]
workingHours: {timezone: Europe/Berlin, days: [mon, fri], from: "08:30", to: "24:00"}
amountScales: {jpy: 2}
riskClasses: {create_refund: critical}
"""


def test_an_organisation_in_full() -> None:
    """Every key, as it is meant."""
    found = organisation_of(FULL)
    assert (found.name, found.environments) == ("acme", {"prod", "staging"})
    assert found.agent_labels == {"team": {"payments", "support"}, "tier": frozenset()}
    assert (found.approver_groups, found.reason_codes) == ({"finance"}, {"SAFE_READ"})
    billing, prod = found.target_labels
    assert [name for name, _ in billing.fields] == [TargetField.PROVIDER, TargetField.TARGET_TYPE]
    assert (billing.label, billing.target_id) == ("billing", None)
    assert prod.target_id is not None
    assert prod.target_id.matches("prod-1")
    assert found.sensitivity == {"billing": 12, "prod": 20}
    assert found.domains is not None
    assert found.domains.matches("eu.acme.com")
    hours = found.working_hours
    assert hours is not None
    assert (hours.timezone, hours.days) == ("Europe/Berlin", {0, 4})
    assert (hours.from_minute, hours.to_minute) == (510, 1440)
    assert found.amount_scales == {"jpy": 2}
    assert found.risk_classes == {"create_refund": RiskClass.CRITICAL}


def test_an_organisation_may_say_nothing() -> None:
    """Then nothing is checked and nothing weighed, but it has a name."""
    found = organisation_of("")
    assert found.content() == Organisation("x").content()


GLOBS = [f'"{number}*"' for number in range(GLOBS_MAX + 1)]

WRONG = {
    "an unknown key": ("enviroments: []", "`spec` has no field `enviroments`"),
    "a name that is a number": ("environments: [1]", "a name of `environments` must be text"),
    "a name of nothing": ('environments: [""]', "must be 1 to 100 characters of one line"),
    "a name of two lines": ('approverGroups: ["a\\nb"]', "must be 1 to 100 characters of one line"),
    "a name twice": ("reasonCodes: [A, A]", "0.yaml:5:20: `A` stands here twice (help: keep one)"),
    "too many names": (
        f"environments: [{', '.join(f'e{n}' for n in range(NAMES_MAX + 1))}]",
        "`environments` has more than 1000 items",
    ),
    "labels that are a list": ("agentLabels: [team]", "`agentLabels` must be a map"),
    "a label's values that are none": ("agentLabels: {team: pay}", "label `team` must be a list"),
    "too many labels": (
        f"agentLabels: {{{', '.join(f'l{n}: []' for n in range(NAMES_MAX + 1))}}}",
        "`agentLabels` has more than 1000 entries",
    ),
    "a label without a match": ("targetLabels: [{label: a}]", "a target label needs `match`"),
    "a match without a label": (
        "targetLabels: [{match: {action: '*'}}]", "a target label needs `label`",
    ),
    "a match that says nothing": (
        "targetLabels: [{label: a, match: {}}]", "`match` says nothing, so every target would fit",
    ),
    "a match by the agent": (
        "targetLabels: [{label: a, match: {agent: x}}]", "`match` has no field `agent`",
    ),
    "a pattern with another sign": (
        "targetLabels: [{label: a, match: {action: 'x?'}}]", "`?` has no meaning in `x?`",
    ),
    "a pattern that is a map": (
        "targetLabels: [{label: a, match: {action: {}}}]",
        "`action` must be text or a list of texts",
    ),
    "a pattern of nothing": (
        "targetLabels: [{label: a, match: {target.id: []}}]", "`target.id` lists nothing",
    ),
    "a pattern that is true": (
        "targetLabels: [{label: a, match: {target.id: true}}]", "`target.id` must be text",
    ),
    "an action that no mapper makes": (
        "targetLabels: [{label: a, match: {action: create_refnd}}]",
        "no mapper makes the action `create_refnd` (help: did you mean `create_refund`?)",
    ),
    "sensitivity of a label that nothing has": (
        "targetLabels: [{label: prod, match: {action: '*'}}]\nsensitivity: {prd: 5}",
        "no target has the label `prd` (help: did you mean `prod`?)",
    ),
    "too much sensitivity": (
        "targetLabels: [{label: prod, match: {action: '*'}}]\nsensitivity: {prod: 21}",
        "a sensitivity must be a whole number from 0 to 20",
    ),
    "too many patterns of ids": (
        f"targetLabels: [{{label: a, match: {{target.id: [{', '.join(GLOBS)}]}}}}]",
        "`targetLabels` has more than 500 patterns with a `*`",
    ),
    "too many patterns of domains": (
        f"domains: [{', '.join(GLOBS)}]", "`domains` has more than 500 patterns with a `*`",
    ),
    "domains in capitals": ("domains: [ACME.com]", "`domains` must be in lower case"),
    "domains that are none": ("domains: {}", "`domains` must be text or a list of texts"),
    "working hours without a zone": (
        "workingHours: {days: [mon], from: '08:00', to: '18:00'}",
        "`workingHours` needs `timezone`",
    ),
    "a zone that there is not": (
        "workingHours: {timezone: Europe/Berln, days: [mon], from: '08:00', to: '18:00'}",
        "there is no time zone `Europe/Berln` (help: did you mean `Europe/Berlin`?)",
    ),
    "a zone that is a number": (
        "workingHours: {timezone: 1, days: [mon], from: '08:00', to: '18:00'}",
        "`timezone` must be text",
    ),
    "a day that there is not": (
        "workingHours: {timezone: UTC, days: [monday], from: '08:00', to: '18:00'}",
        "a day can't be `monday`",
    ),
    "a time that there is not": (
        "workingHours: {timezone: UTC, days: [mon], from: '8', to: '18:00'}",
        "`from` must be a time of day such as `08:30`",
    ),
    "a time that is a number": (
        "workingHours: {timezone: UTC, days: [mon], from: '08:00', to: 18}", "`to` must be text",
    ),
    "hours that end before they begin": (
        "workingHours: {timezone: UTC, days: [mon], from: '18:00', to: '08:00'}",
        "`to` must be later in the day than `from`",
    ),
    "a currency in capitals": (
        "amountScales: {JPY: 2}", "`JPY` is no currency (help: write `jpy`, in lower case)",
    ),
    "a currency that is none": ("amountScales: {$: 2}", "`$` is no currency"),
    "a scale of nothing": (
        "amountScales: {jpy: 0}", "an amount scale must be a whole number from 1",
    ),
    "a class that there is not": (
        "riskClasses: {create_refund: hgh}",
        "a risk class can't be `hgh` (help: did you mean `high`?)",
    ),
    "a class of an action that there is not": (
        "riskClasses: {create_refnd: high}",
        "no mapper makes the action `create_refnd` (help: did you mean `create_refund`?)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "wanted"), WRONG.values(), ids=WRONG.keys())
def test_what_an_organisation_may_not_say(spec: str, wanted: str) -> None:
    """One problem, at its place, with help."""
    (problem,) = problems_of_texts(organisation_text(spec), vocabulary=MAPPED)
    assert wanted in problem


HEADS = {
    "another version": (("checkrein/v1", "checkrein/v2"), "`apiVersion` can't be"),
    "no name": (("{name: acme}", "{}"), "`metadata` needs `name`"),
    "a name that is none": (("{name: acme}", '{name: ""}'), "`name` must be 1 to 100"),
    "no body": (("spec:\n  {}\n", ""), "an organisation needs `spec`"),
    "no version": (("apiVersion: checkrein/v1\n", ""), "an organisation needs `apiVersion`"),
}


@pytest.mark.parametrize(("change", "wanted"), HEADS.values(), ids=HEADS.keys())
def test_how_an_organisation_begins(change: tuple[str, str], wanted: str) -> None:
    """Like every other document."""
    problems = problems_of_texts(organisation_text("").replace(*change))
    assert any(wanted in problem for problem in problems)
