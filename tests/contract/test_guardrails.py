"""The shipped policies say what they promise, in names that the shipped mappers make."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.policies.cases import run_cases
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir, policies_dir
from gateway.decide.bundle import Bundle
from gateway.decide.loader import load_bundle
from gateway.model.effect import Effect
from gateway.model.vocabulary import Vocabulary

GUARDRAILS = sorted(
    file
    for file in (policies_dir() / "guardrails").glob("*.yaml")
    if not file.name.endswith(".cases.yaml")
)
WANTED = {"observer", "payments", "cloud", "repository", "messaging", "database", "code-agent"}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """The names of all shipped mappers."""
    return Canonicalizer.load([mappers_dir()]).vocabulary()


def test_there_is_one_for_each_kind_of_agent() -> None:
    """Seven, each with cases beside it."""
    assert {file.stem for file in GUARDRAILS} == WANTED
    assert all(file.with_suffix(".cases.yaml").is_file() for file in GUARDRAILS)


@pytest.mark.parametrize("file", GUARDRAILS, ids=lambda file: file.stem)
def test_its_names_are_names_that_mappers_make(file: Path, vocabulary: Vocabulary) -> None:
    """A rule about an action that nothing makes would protect nobody."""
    assert load_bundle([file], vocabulary).policies[0].name == f"{file.stem}-guardrails"


@pytest.mark.parametrize("file", GUARDRAILS, ids=lambda file: file.stem)
def test_its_cases_hold_and_reach_every_rule(file: Path) -> None:
    """What a policy promises is shown, rule by rule."""
    results = run_cases([file])
    assert [(result.name, result.wrong) for result in results if not result.holds] == []
    text = file.with_suffix(".cases.yaml").read_text()
    rules = [rule.id for rule in load_bundle([file]).policies[0].rules]
    assert [rule for rule in rules if f"rule: {rule}," not in text] == []


@pytest.mark.parametrize("file", GUARDRAILS, ids=lambda file: file.stem)
def test_what_no_rule_is_about_does_not_pass(file: Path) -> None:
    """A policy for one kind of agent lets nothing else through by default."""
    bundle: Bundle = load_bundle([file])
    assert {policy.default_effect for policy in bundle.policies} == {Effect.BLOCK}


def test_only_the_starter_is_used_where_nothing_is_named() -> None:
    """Guardrails are chosen: together they would block what each of them leaves to the others."""
    assert [policy.name for policy in load_bundle([policies_dir()]).policies] == ["starter"]
