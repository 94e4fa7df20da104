"""What a mapper file may say, and how every mistake in it is told: file, line, column, help."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.canonicalize.authored.choices import ERROR_STYLES
from gateway.canonicalize.authored.mapper import parse_mapper
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.enforce.refusal_shapes import STYLES
from gateway.model.action import Kind
from gateway.model.errors import ConfigurationError, Problem
from tests.unit.canonicalize.requests import load_text

HEAD = """apiVersion: checkrein/v1
kind: Mapper
metadata: {name: m}
spec:
  provider: m
  hosts: [m.test]
"""


def problems_of(text: str) -> list[Problem]:
    """All problems of one file."""
    _, problems = parse_mapper(text.encode(), "m.yaml")
    return problems


def entry(block: str) -> str:
    """A mapper with one operation on line 8."""
    return f"{HEAD}  operations:\n    POST /a/{{x}}: {block}\n"


PROBLEMS: dict[str, tuple[str, str, int]] = {
    "an unknown key of an entry": (entry("{actoin: create_a}"), "`actoin` is no key", 8),
    "an entry without an action": (entry("{kind: create}"), "has no `action`", 8),
    "an unknown kind": (entry("{action: create_a, kind: make}"), "`make` is no kind", 8),
    "a verb that says nothing": (entry("frobnicate_a"), "kind can't be told", 8),
    "a POST with a reading name": (entry("list_a"), "disagree on whether this reads", 8),
    "an action with capitals": (entry("{action: createA, kind: create}"), "no action name", 8),
    "a path variable that isn't there": (
        entry("{action: create_a, target: {type: a, id: path.y}}"), "not in the path", 8,
    ),
    "an address without a place": (
        entry("{action: create_a, target: {type: a, id: y}}"), "does not begin with", 8,
    ),
    "code for an address": (
        entry("{action: create_a, params: {p: 'body.a()'}}"), "not a chain of names", 8,
    ),
    "a secret among the params": (
        entry("{action: create_a, params: {password: form.password}}"), "looks like a secret", 8,
    ),
    "a secret under another name": (
        entry("{action: create_a, params: {note: form.api_key}}"), "looks like a secret", 8,
    ),
    "an unknown type": (
        entry("{action: create_a, params: {p: {from: form.p, type: float}}}"), "no type", 8,
    ),
    "decimal money without a currency": (
        entry("{action: create_a, params: {p: {from: form.p, type: money_decimal}}}"),
        "`currency` goes with", 8,
    ),
    "a target with id and each": (
        entry("{action: create_a, target: {type: a, id: path.x, each: form.y}}"), "not both", 8,
    ),
    "a witness that writes": (
        entry("{action: create_a, witness: {read: POST /x, fields: [a]}}"), "read with GET", 8,
    ),
    "a key twice": (
        entry("create_a") + "    POST /a/{x}: create_b\n", "is there twice", 9,
    ),
    "an equal entry under other variable names": (
        entry("create_a") + "    POST /a/{y}: create_b\n", "equals `POST /a/{x}`", 9,
    ),
    "no method": (HEAD + "  operations:\n    /a: create_a\n", "no method and path", 8),
    "two greedy variables": (
        HEAD + "  operations:\n    POST /a/{x+}/b/{y+}: create_a\n", "take the rest", 8,
    ),
    "an encoded segment": (
        HEAD + "  operations:\n    POST /a%2fb: create_a\n", "can't be a path segment", 8,
    ),
    "an unknown key of spec": (HEAD + "  operation: {}\n", "`operation` is no key of spec", 7),
    "a catalog that isn't there": (
        HEAD + "  extends: catalog:m\n  operations: {}\n", "there is no catalog", 7,
    ),
    "unmatched as a read": (
        HEAD + "  unmatched: {kind: read}\n  operations: {}\n", "can't be a read", 7,
    ),
    "an unknown error shape": (HEAD + "  errors: strip\n  operations: {}\n", "no error style", 7),
    "a host with a scheme": (
        HEAD.replace("m.test", "https://m.test") + "  operations: {}\n", "is no host", 6,
    ),
    "a host that takes a whole zone": (
        HEAD.replace("[m.test]", "['*.com']") + "  operations: {}\n", "is no host", 6,
    ),
    "another version": (
        (HEAD + "  operations: {}\n").replace("checkrein/v1", "checkrein/v9"), "no apiVersion", 1,
    ),
    "an alias": (
        HEAD + "  operations: &x {}\n  tests: *x\n", "aliases are not supported", 7,
    ),
    "not YAML": ("a: [", "not YAML", 2),
    "nothing": ("", "is empty", 0),
    "a list": ("[1]", "must be a mapping", 1),
    "a test that expects something else": (
        HEAD + "  operations: {}\n  tests: [{request: GET /, expect: {effect: ALLOW}}]\n",
        "can't be expected", 8,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message", "line"), PROBLEMS.values(), ids=PROBLEMS)
def test_each_mistake_is_told_with_its_place(
    tmp_path: Path, text: str, message: str, line: int
) -> None:
    """Loading fails, and one of the problems names the mistake and its line."""
    with pytest.raises(ConfigurationError) as error:
        load_text(tmp_path, text)

    assert error.value.code == "mapper.invalid"
    found = [(problem.line, problem.message) for problem in error.value.problems]
    assert any(message in text and at == line for at, text in found), found


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    """One load tells every mistake, with help for the mistyped ones."""
    with pytest.raises(ConfigurationError) as error:
        load_text(tmp_path, entry("{actoin: create_a}"), entry("{action: a, kind: reed}"))

    files = {Path(problem.file).name for problem in error.value.problems}
    helps = {problem.help for problem in error.value.problems}
    assert files == {"mapper0.yaml", "mapper1.yaml"}
    assert {"did you mean `action`?", "did you mean `read`?"} <= helps


def test_a_mapper_for_the_host_of_another_provider_is_refused(tmp_path: Path) -> None:
    """Two files may share a host only when they agree on whose it is."""
    other = entry("create_a").replace("provider: m", "provider: n")

    with pytest.raises(ConfigurationError, match="belongs to provider"):
        load_text(tmp_path, entry("create_a"), other)


def test_two_files_of_one_host_are_merged_in_any_order(tmp_path: Path) -> None:
    """The order of files changes nothing."""
    second = entry("create_a").replace("POST /a", "POST /b").replace("create_a", "create_b")
    for number, texts in enumerate(((entry("create_a"), second), (second, entry("create_a")))):
        folder = tmp_path / str(number)
        folder.mkdir()
        canonicalizer = load_text(folder, *texts)
        assert {operation.action for operation in canonicalizer.operations} == {
            "create_a",
            "create_b",
        }


def test_a_kind_is_derived_from_the_verb() -> None:
    """The short form needs no kind where the verb says it."""
    mapper, problems = parse_mapper(entry("delete_thing").encode(), "m.yaml")

    assert problems == []
    assert mapper is not None
    assert mapper.operations[0].kind is Kind.DELETE


def test_a_missing_file_and_an_empty_folder_are_problems(tmp_path: Path) -> None:
    """Nothing is loaded silently from nowhere."""
    with pytest.raises(ConfigurationError) as error:
        Canonicalizer.load([tmp_path / "none.yaml", tmp_path])

    assert len(error.value.problems) == 2


def test_every_error_shape_can_be_written() -> None:
    """The shapes that mappers may name are those that the gateway can answer with."""
    assert frozenset(STYLES) == ERROR_STYLES
