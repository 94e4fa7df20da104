"""The names of actions: what the file may say, how its mistakes are told, and its own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.canonicalize.authored.operation import ParamType
from gateway.canonicalize.authored.taxonomy import (
    TAXONOMY_FILE,
    ParamMeaning,
    Taxonomy,
    load_taxonomy,
    meaning_of,
    parse_taxonomy,
)
from gateway.canonicalize.naming.words import singular
from gateway.content import mappers_dir
from gateway.model.action import Kind
from gateway.model.risk_class import RiskClass

HEAD = """apiVersion: checkrein/v1
kind: Taxonomy
metadata: {name: actions}
spec:
  actions:
    money:
"""
GOOD = "{meaning: give back, kind: create, risk: high, params: {amount: money}}"


def named(name: str, block: str) -> str:
    """A taxonomy with one name, on line 7."""
    return f"{HEAD}      {name}: {block}\n"


PROBLEMS: dict[str, tuple[str, str, int]] = {
    "a name with capitals": (named("createRefund", GOOD), "`createRefund` is no action name", 7),
    "a name that is a verb alone": (named("refund", GOOD), "`refund` is no action name", 7),
    "a name in two fields": (
        named("create_refund", GOOD) + f"    work:\n      create_refund: {GOOD}\n",
        "`create_refund` is in `money` already", 9,
    ),
    "a name twice": (
        named("create_refund", GOOD) + f"      create_refund: {GOOD}\n", "is there twice", 8,
    ),
    "no meaning": (named("get_a", "{kind: read, risk: low}"), "has no `meaning`", 7),
    "no risk": (named("get_a", "{meaning: x, kind: read}"), "has no `risk`", 7),
    "a risk that is no class": (
        named("get_a", "{meaning: x, kind: read, risk: huge}"), "`huge` is no risk class", 7,
    ),
    "a kind that is none": (
        named("get_a", "{meaning: x, kind: look, risk: low}"), "`look` is no kind", 7,
    ),
    "a kind that says nothing": (
        named("get_a", "{meaning: x, kind: unknown, risk: low}"), "`unknown` is no kind", 7,
    ),
    "an unknown key": (
        named("get_a", "{meaning: x, kind: read, risk: low, danger: 1}"), "`danger` is no key", 7,
    ),
    "a param of no type": (
        named("get_a", "{meaning: x, kind: read, risk: low, params: {a: float}}"),
        "`float` is no type", 7,
    ),
    "a param whose name is none": (
        named("get_a", "{meaning: x, kind: read, risk: low, params: {A-b: text}}"),
        "`A-b` is no param name", 7,
    ),
    "a param that is both demanded and optional": (
        named("get_a", GOOD[:-1] + ", optional: {amount: money}}"),
        "`amount` is in `params` already", 7,
    ),
    "a synonym that is no name": (
        named("get_a", "{meaning: x, kind: read, risk: low, also: [getB]}"),
        "`getB` is no action name", 7,
    ),
    "a synonym of two names": (
        named("get_a", "{meaning: x, kind: read, risk: low, also: [get_b]}")
        + "      get_c: {meaning: x, kind: read, risk: low, also: [get_b]}\n",
        "`get_b` is meant by `get_a` and by `get_c`", 6,
    ),
    "a synonym that is a name itself": (
        named("get_a", "{meaning: x, kind: read, risk: low, also: [get_b]}")
        + "      get_b: {meaning: x, kind: read, risk: low}\n",
        "`get_b` is meant by `get_b` and by `get_a`", 6,
    ),
    "a mapper": (
        named("create_refund", GOOD).replace("Taxonomy", "Mapper"), "`Mapper` is no kind", 2,
    ),
    "another version": (
        named("create_refund", GOOD).replace("/v1", "/v2"), "`checkrein/v2` is no apiVersion", 1,
    ),
    "nothing": ("", "the file is empty", 0),
    "a list": ("- a\n", "must be a mapping", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_every_mistake_is_told_with_its_line(case: str) -> None:
    """What is wrong is a problem at its line, and no taxonomy comes of it."""
    text, message, line = PROBLEMS[case]

    taxonomy, problems = parse_taxonomy(text.encode(), "actions.yaml")

    assert taxonomy is None
    assert [problem.line for problem in problems if message in problem.message] == [line]


def test_all_mistakes_are_told_at_once() -> None:
    """Two bad names give two problems."""
    text = named("get_a", "{meaning: x, kind: read}") + "      get_b: {kind: read, risk: low}\n"

    _, problems = parse_taxonomy(text.encode(), "actions.yaml")

    assert [problem.line for problem in problems] == [7, 8]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """Loading what is not there raises nothing."""
    taxonomy, problems = load_taxonomy(tmp_path / "actions.yaml")

    assert taxonomy is None
    assert "can't be read" in problems[0].message


def test_a_name_carries_what_the_file_says() -> None:
    """Meaning, kind, risk class and types come out as written."""
    taxonomy, problems = parse_taxonomy(named("create_refund", GOOD).encode(), "actions.yaml")

    assert problems == []
    assert taxonomy is not None
    refund = taxonomy.actions["create_refund"]
    assert (refund.field, refund.kind, refund.risk) == ("money", Kind.CREATE, RiskClass.HIGH)
    assert refund.param("amount") is ParamMeaning.MONEY
    assert refund.param("anything") is None


def test_every_type_of_param_means_something() -> None:
    """No `ParamType` is without a meaning, and what is no type has none."""
    assert {meaning_of(kind) for kind in ParamType} == set(ParamMeaning)
    assert meaning_of("float") is None


# --- the shipped file -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Taxonomy:
    taxonomy, problems = load_taxonomy(mappers_dir() / TAXONOMY_FILE)
    assert problems == []
    assert taxonomy is not None
    return taxonomy


def test_the_shipped_file_has_the_promised_number_of_names(shipped: Taxonomy) -> None:
    """At least 200 names."""
    assert len(shipped.actions) >= 200


def test_every_noun_is_singular(shipped: Taxonomy) -> None:
    """A rule that names `list_refund` must not miss a provider that says `list_refunds`."""
    plural = [
        name
        for name in shipped.actions
        if any(singular(word) != word for word in name.split("_")[1:])
    ]

    assert plural == []


def test_what_a_name_says_agrees_with_its_kind(shipped: Taxonomy) -> None:
    """Reading words are reads and nothing else is; `delete` words are deletes or administration."""
    reading = ("get_", "list_", "search_", "count_", "query_")
    wrong = [
        action.name
        for action in shipped.actions.values()
        if action.name.startswith(reading) != (action.kind is Kind.READ)
        or (
            action.name.startswith(("delete_", "terminate_", "purge_"))
            and action.kind not in (Kind.DELETE, Kind.ADMIN)
        )
    ]

    assert wrong == []


def test_risk_follows_kind(shipped: Taxonomy) -> None:
    """Only reads can cost nothing, administration is never of low risk but for taking back."""
    free = {a.kind for a in shipped.actions.values() if a.risk is RiskClass.NONE}
    lenient = [
        action.name
        for action in shipped.actions.values()
        if action.kind is Kind.ADMIN and action.risk in (RiskClass.NONE, RiskClass.LOW)
    ]

    assert free == {Kind.READ}
    assert lenient == ["cancel_invitation"]


def test_money_comes_with_its_currency(shipped: Taxonomy) -> None:
    """An amount that every operation gives is worth nothing without a currency."""
    bare = [
        action.name
        for action in shipped.actions.values()
        if ParamMeaning.MONEY in action.params.values()
        and ParamMeaning.CURRENCY not in action.params.values()
    ]

    assert bare == []
