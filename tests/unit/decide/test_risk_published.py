"""What `policies/README.md` and the taxonomy say of risk is what is computed."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from gateway.authoring.policies.questions import question_of
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE, load_taxonomy
from gateway.content import mappers_dir, policies_dir
from gateway.decide.assessment import FACTOR_NAMES
from gateway.decide.loader import make_bundle
from gateway.decide.risk import scheme
from gateway.decide.risk.classes import NAMED, TYPICAL_CLASS
from gateway.decide.risk.model import RiskModel
from gateway.model.action import Action, Kind, Target
from gateway.model.risk_class import RiskClass
from tests.support.policy_world import policy_text
from tests.support.risk_world import HOUR, at

README = policies_dir() / "README.md"


def test_classes_are_those_of_the_taxonomy() -> None:
    """`mappers/actions.yaml` says what a mistake costs; the compiled table says the same."""
    taxonomy, problems = load_taxonomy(mappers_dir() / TAXONOMY_FILE)
    assert taxonomy is not None, problems
    assert {each.name: (each.kind, each.risk) for each in taxonomy.actions.values()} == NAMED


def test_typical_classes_are_the_medians() -> None:
    """Of the taxonomy's names of each kind; what has no kind is taken for the worst."""
    order = list(RiskClass)
    for kind in Kind:
        found = sorted(order.index(named) for of, named in NAMED.values() if of is kind)
        median = order[found[len(found) // 2]] if found else RiskClass.CRITICAL
        assert TYPICAL_CLASS[kind] is median, kind


def bands_shown(bands: scheme.Bands) -> str:
    return ", ".join(f"{shown} {points}" for points, shown in bands)


def test_the_published_table_is_the_table() -> None:
    """What `policies/README.md` tells authors is what is computed."""
    kinds = ", ".join(f"{kind.value} {points}" for kind, points in scheme.KIND_POINTS.items())
    classes = ", ".join(f"{word.value} {points}" for word, points in scheme.CLASS_POINTS.items())
    typical = ", ".join(f"{kind.value} {word.value}" for kind, word in TYPICAL_CLASS.items())
    production, unstated = scheme.PRODUCTION_POINTS, scheme.UNSTATED_ENVIRONMENT_POINTS
    most = scheme.TARGET_MAX
    rows = [
        f"| `operation.kind` | {kinds} |",
        f"| `operation.class` | {classes}; where the action has none: {typical} |",
        f"| `operation.irreversible` | {scheme.IRREVERSIBLE_POINTS} |",
        f"| `operation.sensitive` | {scheme.SENSITIVE_POINTS} |",
        (
            f"| `target.sensitivity` | the points of its most sensitive label, 0 to {most}; not "
            f"classified {scheme.UNCLASSIFIED_POINTS} |"
        ),
        f"| `context.operation` | not known to a mapper {scheme.UNKNOWN_OPERATION_POINTS} |",
        f"| `context.environment` | `prod` or `production` {production}, not stated {unstated} |",
        f"| `context.amount` | {bands_shown(scheme.AMOUNT_BANDS)} |",
        f"| `context.breadth` | {bands_shown(scheme.BREADTH_BANDS)} |",
        f"| `context.recipients` | {bands_shown(scheme.RECIPIENT_BANDS)} |",
        f"| `context.hours` | {bands_shown(scheme.HOUR_BANDS)} |",
        f"| `deviation.history` | {bands_shown(scheme.HISTORY_BANDS)} |",
        f"| `deviation.amount` | {bands_shown(scheme.AMOUNT_DEVIATION_BANDS)} |",
        f"| `deviation.hour` | {bands_shown(scheme.HOUR_DEVIATION_BANDS)} |",
    ]
    text = README.read_text()
    assert [row for row in rows if row not in text] == []
    assert (
        f"operation {scheme.OPERATION_MAX}, target {scheme.TARGET_MAX}, context "
        f"{scheme.CONTEXT_MAX}, deviation {scheme.DEVIATION_MAX}"
    ) in text
    assert [row.split("`")[1] for row in rows] == list(FACTOR_NAMES)


def test_the_worked_examples_are_what_comes_out() -> None:
    """The acts of the README, judged here."""
    rows = re.findall(r"^\| `(\{.*\})` \| (\d+), `(RS\S+)` \|$", README.read_text(), re.MULTILINE)
    assert len(rows) == 6
    for act, score, vector in rows:
        question = question_of(json.loads(act))
        (action,) = question.canonical.actions
        risk = RiskModel().assess(action, replace(question.context, environment="test")).risk
        assert (risk.score, risk.vector) == (int(score), vector)


def test_the_documents_of_the_readme_are_good() -> None:
    """They load as they stand, and weigh what they say."""
    texts = re.findall(r"```yaml\n(apiVersion.*?)```", README.read_text(), re.DOTALL)
    sources = [
        ("readme.yaml", text) for text in texts if re.search("kind: (Organisation|Base)", text)
    ]
    assert len(sources) == 2
    bundle = make_bundle([*sources, ("p.yaml", policy_text(""))])
    risks = bundle.risks
    refund = Action("stripe", "x", "create_refund", Kind.CREATE, Target("charge", "ch_1"))
    action = replace(refund, params={"amount": 20_000, "currency": "usd"})
    found = risks.assess(action, at(9 * HOUR, "prod", "billing-bot"))
    assert found.risk.vector == "RS2/O:20/T:12/C:13/D:2"
