"""What `policies/README.md` tells authors of the language is what there is, and all of it."""

from __future__ import annotations

import re

import pytest
import yaml

from gateway.content import policies_dir
from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.evaluation import scope
from gateway.decide.conditions.facts import FACTS
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.signatures import GLOBALS, METHODS
from gateway.decide.conditions.syntax import (
    CONDITION_CHARS_MAX,
    CONDITION_DEPTH_MAX,
    LIST_ITEMS_MAX,
    QUANTIFIERS_MAX,
    Quantifier,
)
from gateway.decide.conditions.values import regex, semantics
from gateway.model.decision import RUN_STATES

README = (policies_dir() / "README.md").read_text()
SECTION = README[README.index("### `when`") : README.index("## Risk\n")]


def _first_cells(heading: str) -> str:
    """The first column of the tables below a line, up to the next text."""
    below = SECTION[SECTION.index(heading) :].split("\n\n")[1:]
    tables = [part for part in below[:2] if part.startswith("|")]
    return "\n".join(re.split(r"(?<!\\)\|", row)[1] for part in tables for row in part.splitlines())


def test_every_function_is_listed_and_no_other() -> None:
    """Before and behind their values."""
    cells = _first_cells("Functions. Those in the first table")
    assert set(re.findall(r"`([a-z]+)\(", cells)) == set(GLOBALS)
    behind = {*METHODS, *(quantifier.value for quantifier in Quantifier)}
    assert set(re.findall(r"`\.(\w+)\(", cells)) == behind - {"size"}
    assert "`x.size()`" in SECTION


def test_everything_that_can_be_read_is_listed_and_nothing_else() -> None:
    """Names of facts, and the states of a run."""
    cells = _first_cells("What it can read")
    assert set(re.findall(r"`([a-z.]+)`", cells)) == set(FACTS)
    assert all(f"`{state}`" in SECTION for state in RUN_STATES)


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (CONDITION_CHARS_MAX, "characters"),
        (CONDITION_DEPTH_MAX, "levels"),
        (LIST_ITEMS_MAX, "items in a written list"),
        (QUANTIFIERS_MAX, "quantifiers"),
        (scope.ITERATIONS_MAX, "items and takes"),
        (scope.WORK_MAX, "steps"),
        (semantics.JOINED_CHARS_MAX, "characters and lists"),
        (semantics.JOINED_ITEMS_MAX, "items;"),
        (regex.TEXT_CHARS_MAX, "characters. Beyond"),
        (regex.MEMORY_BYTES_MAX >> 20, "MiB"),
    ],
)
def test_the_bounds_are_those_that_are_kept(number: int, what: str) -> None:
    """Each number stands before what it bounds."""
    assert f"{number:,} {what}" in " ".join(SECTION.split())


def test_every_example_is_a_condition() -> None:
    """The lines of the example, each a rule's `when`."""
    block = re.search(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    assert block is not None
    lines = block.group(1).splitlines()
    assert len(lines) > 3
    for line in lines:
        assert check(parse(yaml.safe_load(line)["when"])) == (), line


@pytest.mark.parametrize("text", re.findall(r"`((?:now|timestamp|duration|double)[^`]+)`", SECTION))
def test_every_expression_in_the_text_parses(text: str) -> None:
    """What is shown can be written so."""
    parse(text)
