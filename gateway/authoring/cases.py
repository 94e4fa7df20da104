"""Runs the cases of a policy: actions with the decisions that its author expects.

`starter.cases.yaml` lies beside `starter.yaml` and is decided by that file alone, so that a case
says what the policy says and not what its neighbours add.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.authoring.policies import render
from gateway.authoring.questions import InputError, Question, question_of
from gateway.decide.bundle import Bundle
from gateway.decide.documents.document import (
    DocumentError,
    Fields,
    Item,
    Items,
    Scalar,
    parse_documents,
)
from gateway.decide.documents.reader import Reader
from gateway.decide.loader import CODE, load_bundle, load_settings_beside, policy_files
from gateway.model.codec import JsonValue
from gateway.model.effect import Mode
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.vocabulary import Vocabulary

CASES_MAX: Final = 10_000

EXPECTED_FIELDS: Final[Mapping[str, str]] = {
    "effect": "effect",
    "policy": "policy",
    "rule": "rule",
    "reason": "reason_code",
    "mode": "mode",
    "unresolved": "unresolved",
}
"""What a case may expect, and what the decision calls it."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """`wrong` says field by field what came and what was expected; empty when the case holds."""

    file: str
    line: int
    name: str
    wrong: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.wrong


@dataclass(frozen=True, slots=True)
class _Case:
    line: int
    name: str
    question: Question
    expected: Mapping[str, str | None]


def run_cases(paths: Sequence[Path], vocabulary: Vocabulary | None = None) -> list[CaseResult]:
    """Run the cases of all policy files that paths name; files without cases are left out.

    Raises:
        ConfigurationError: `policy.invalid`, for a policy or a file of cases that can't be read.
    """
    problems: list[Problem] = []
    results: list[CaseResult] = []
    for policy_file in policy_files(map(_policy_of, paths), problems):
        cases_file = policy_file.with_name(f"{policy_file.stem}.cases{policy_file.suffix}")
        if not cases_file.is_file():
            continue
        beside = load_settings_beside(policy_file, problems)
        bundle = load_bundle([policy_file, *beside], vocabulary)
        for case in _load_cases(cases_file, problems):
            wrong = tuple(_differences(bundle, case))
            results.append(CaseResult(str(cases_file), case.line, case.name, wrong))
    if problems:
        raise ConfigurationError(CODE, problems)
    return results


def _policy_of(path: Path) -> Path:
    """A file of cases may be named too; it stands for its policy."""
    if path.stem.endswith(".cases"):
        return path.with_name(f"{path.stem.removesuffix('.cases')}{path.suffix}")
    return path


def _differences(bundle: Bundle, case: _Case) -> Iterable[str]:
    decided = render(case.question.decide(bundle, Mode.ENFORCE))
    for name, wanted in case.expected.items():
        found = decided[EXPECTED_FIELDS[name]]
        if found != wanted:
            yield f"{name} is {_shown(found)}, expected {_shown(wanted)}"


def _shown(value: JsonValue) -> str:
    return "nothing" if value is None else str(value)


def _load_cases(path: Path, problems: list[Problem]) -> list[_Case]:
    try:
        text = path.read_text(encoding="utf-8")
        documents = list(parse_documents(text, str(path)))
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(str(path), 0, 0, "the cases can't be read as UTF-8 text"))
        return []
    except DocumentError as error:
        problems.append(error.problem)
        return []
    reader = Reader(str(path), text, problems)
    cases = []
    for document in documents:
        top = reader.fields(document, "a file of cases", ("cases",), ("cases",))
        if "cases" in top:
            for item in reader.items(top["cases"], "`cases`", CASES_MAX):
                case = _read_case(reader, item)
                if case is not None:
                    cases.append(case)
    return cases


def _read_case(reader: Reader, item: Item) -> _Case | None:
    keys = ("name", "action", "request", "context", "expect")
    found = reader.fields(item, "a case", keys, ("name", "expect"))
    name = reader.text_of(found["name"], "`name`") if "name" in found else None
    expect = reader.fields(found.get("expect"), "`expect`", EXPECTED_FIELDS)
    if "expect" in found and not expect:
        reader.complain(found["expect"].mark, "a case that expects nothing can't fail")
    if ("action" in found) is ("request" in found):
        reader.complain(item.mark, "a case has either an `action` or a `request`")
        return None
    given = found.get("action", found.get("request"))
    assert given is not None
    value = _plain_value(reader, given)
    if "context" in found and isinstance(value, dict):
        value["context"] = _plain_value(reader, found["context"])
    try:
        question = question_of(value)
    except InputError as error:
        reader.complain(given.mark, str(error))
        return None
    expected: dict[str, str | None] = {}
    for field, wanted in expect.items():
        is_nothing = isinstance(wanted, Scalar) and wanted.value is None
        expected[field] = None if is_nothing else reader.text_of(wanted, f"`{field}`")
    return None if name is None else _Case(item.mark.line, name, question, expected)


def _plain_value(reader: Reader, item: Item) -> object:
    """The value of a node without its positions."""
    match item:
        case Scalar():
            return item.value
        case Items():
            return [_plain_value(reader, each) for each in item.items]
        case Fields():
            entries = reader.entries(item, "an action")
            return {key.written: _plain_value(reader, each) for key, each in entries}
