"""Runs the cases of a policy: actions with the decisions that its author expects.

`starter.cases.yaml` lies beside `starter.yaml` and is decided by that file alone, so that a case
says what the policy says and not what its neighbours add.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.authoring.policies.questions import InputError, Question, question_of
from gateway.decide.bundle import Bundle
from gateway.decide.documents.document import (
    DocumentError,
    Fields,
    Item,
    Items,
    Scalar,
    parse_documents,
)
from gateway.decide.documents.heading import EFFECTS
from gateway.decide.documents.reader import Reader
from gateway.decide.loader import CODE, load_bundle, load_settings_beside, policy_files
from gateway.decide.rules.policy import Limit, Place, Rule
from gateway.model.dataclass import dataclass
from gateway.model.effect import Mode
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.vocabulary import Vocabulary

CASES_MAX: Final = 10_000
LISTED_MAX: Final = 100

EXPECTED_TEXTS: Final[Mapping[str, str]] = {
    "effect": "effect",
    "policy": "policy",
    "rule": "rule",
    "reason": "reason_code",
    "message": "message",
    "mode": "mode",
    "unresolved": "unresolved",
    "level": "level",
}
"""What a case may expect as text, and what the decision calls it."""

EXPECTED_LISTS: Final[Mapping[str, str]] = {
    "watched": "watched",
    "limits": "limits",
    "obligations": "obligations",
}
"""What a case may expect as a list of names: rules in monitor mode, limits that are counted."""

EXPECTED_FIELDS: Final = (*EXPECTED_TEXTS, *EXPECTED_LISTS, "score")

LEVELS: Final = ((25, "low"), (50, "moderate"), (75, "high"), (101, "critical"))
"""Below which score, which word (the bins of NIST SP 800-30)."""

_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "effect": {word: effect.value for word, effect in EFFECTS.items()},
    "mode": {mode.value: mode.value for mode in Mode},
    "level": {word: word for _, word in LEVELS},
}
"""What a case may write of those that are one of some words, and what the decision calls it."""

Expected = str | int | list[str] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as expected, both as text."""

    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.field} is {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """`differences` tells field by field what came and what was expected; empty when the case
    holds."""

    file: str
    line: int
    name: str
    differences: tuple[Difference, ...]

    @property
    def wrong(self) -> tuple[str, ...]:
        return tuple(map(str, self.differences))

    @property
    def holds(self) -> bool:
        return not self.differences


@dataclass(frozen=True, slots=True)
class Untried:
    """A rule or a limit that no case brings to speak."""

    policy: str
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all cases. `tried` of `speakers` rules and limits spoke in some case."""

    results: list[CaseResult]
    untried: list[Untried]
    speakers: int

    @property
    def tried(self) -> int:
        return self.speakers - len(self.untried)


@dataclass(frozen=True, slots=True)
class _Case:
    line: int
    name: str
    question: Question
    expected: Mapping[str, Expected]


def run_cases(paths: Sequence[Path], vocabulary: Vocabulary | None = None) -> list[CaseResult]:
    """Run the cases of all policy files that paths name; files without cases are left out.

    Raises:
        ConfigurationError: `policy.invalid`, for a policy or a file of cases that can't be read.
    """
    return report_cases(paths, vocabulary).results


def report_cases(paths: Sequence[Path], vocabulary: Vocabulary | None = None) -> Report:
    """The same, with the rules that no case tries.

    Raises:
        ConfigurationError: as `run_cases`.
    """
    problems: list[Problem] = []
    results: list[CaseResult] = []
    untried: list[Untried] = []
    speakers = 0
    for policy_file in policy_files(map(_policy_of, paths), problems):
        cases_file = policy_file.with_name(f"{policy_file.stem}.cases{policy_file.suffix}")
        if not cases_file.is_file():
            continue
        beside = load_settings_beside(policy_file, problems)
        bundle = load_bundle([policy_file, *beside], vocabulary)
        found = _try(bundle, str(cases_file), _load_cases(cases_file, problems))
        results += found.results
        untried += found.untried
        speakers += found.speakers
    if problems:
        raise ConfigurationError(CODE, problems)
    return Report(results, untried, speakers)


def try_cases(bundle: Bundle, file: str, text: str, is_over: Callable[[], bool]) -> Report:
    """The same for the text of a file of cases and policies that are loaded. Opens no file.
    `is_over` tells, before each case, that there is no time for it.

    Raises:
        ConfigurationError: as `run_cases`, and where there is no time for all of them.
    """
    problems: list[Problem] = []
    cases = _parse_cases(file, text, problems)
    if problems:
        raise ConfigurationError(CODE, problems)

    def in_time() -> Iterator[_Case]:
        for case in cases:
            if is_over():
                message = "there is no time for the cases from here on"
                raise ConfigurationError(
                    CODE, [Problem(file, case.line, 1, message, "try fewer at once")]
                )
            yield case

    return _try(bundle, file, in_time())


def _try(bundle: Bundle, file: str, cases: Iterable[_Case]) -> Report:
    results = []
    silent = dict(_speakers(bundle))
    speakers = len(silent)
    for case in cases:
        wrong = tuple(_differences(bundle, case))
        results.append(CaseResult(file, case.line, case.name, wrong))
        for name in _spoke(bundle, case.question):
            silent.pop(name, None)
    return Report(results, list(silent.values()), speakers)


def _speakers(bundle: Bundle) -> Iterable[tuple[tuple[str, str], Untried]]:
    for policy in bundle.policies:
        listed: tuple[Rule | Limit, ...] = (*policy.rules, *policy.limits)
        for each in listed:
            if each.enabled:
                yield (policy.name, each.id), Untried(policy.name, each.id, each.place)


def _spoke(bundle: Bundle, question: Question) -> Iterable[tuple[str, str]]:
    """The rules that decide for their policy, those that are only watched, and limits."""
    for traces in question.explain(bundle):
        for trace in traces:
            if trace.decided_by is not None:
                yield trace.policy, trace.decided_by
    decision = question.decide(bundle, Mode.ENFORCE)
    for watched in decision.watched:
        yield watched.policy, watched.rule or ""
    for claim in decision.claims:
        yield claim.policy_and_id


def _policy_of(path: Path) -> Path:
    """A file of cases may be named too; it stands for its policy."""
    if path.stem.endswith(".cases"):
        return path.with_name(f"{path.stem.removesuffix('.cases')}{path.suffix}")
    return path


def _differences(bundle: Bundle, case: _Case) -> Iterable[Difference]:
    decision = case.question.decide(bundle, Mode.ENFORCE)
    found: dict[str, Expected] = {
        "effect": decision.effect.value,
        "policy": decision.policy,
        "rule": decision.rule,
        "reason_code": decision.reason_code,
        "message": decision.message,
        "mode": decision.mode.value,
        "unresolved": decision.unresolved,
        "level": level_of(decision.risk.score),
        "score": decision.risk.score,
        "watched": [each.rule or f"{each.policy}'s default" for each in decision.watched],
        "limits": [claim.policy_and_id[1] for claim in decision.claims],
        "obligations": list(decision.obligations),
    }
    for name, wanted in case.expected.items():
        came = found[{**EXPECTED_TEXTS, **EXPECTED_LISTS}.get(name, name)]
        if _in_any_order(came) != _in_any_order(wanted):
            yield Difference(name, _shown(came), _shown(wanted))


def level_of(score: int) -> str:
    """The word for a risk score."""
    return next(word for below, word in LEVELS if score < below)


def _in_any_order(value: Expected) -> Expected:
    return sorted(value) if isinstance(value, list) else value


def _shown(value: Expected) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "nothing"
    return "nothing" if value is None else str(value)


def _load_cases(path: Path, problems: list[Problem]) -> list[_Case]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(str(path), 0, 0, "the cases can't be read as UTF-8 text"))
        return []
    return _parse_cases(str(path), text, problems)


def _parse_cases(file: str, text: str, problems: list[Problem]) -> list[_Case]:
    try:
        documents = list(parse_documents(text, file))
    except DocumentError as error:
        problems.append(error.problem)
        return []
    reader = Reader(file, text, problems)
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
    expected = {field: _expected(reader, field, wanted) for field, wanted in expect.items()}
    return None if name is None else _Case(item.mark.line, name, question, expected)


def _expected(reader: Reader, field: str, wanted: Item) -> Expected:
    if field == "score":
        return reader.whole_of(wanted, "`score`", 0, 100)
    if field in EXPECTED_LISTS:
        listed = reader.items(wanted, f"`{field}`", LISTED_MAX)
        return [reader.text_of(each, f"`{field}`") or "" for each in listed]
    if isinstance(wanted, Scalar) and wanted.value is None:
        return None
    choices = _CHOICES.get(field)
    if choices is not None:
        return reader.choice(wanted, f"`{field}`", choices)
    return reader.text_of(wanted, f"`{field}`")


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
