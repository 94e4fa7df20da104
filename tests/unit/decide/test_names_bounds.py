"""Reading a policy against the names that there are takes seconds at most, whatever is written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.decide.documents.reader import LOOKS_MAX
from gateway.decide.loader import parse_sources
from gateway.model.errors import Problem
from gateway.model.vocabulary import Vocabulary

NAMES_COUNT = 20_000

HEAD = """apiVersion: checkrein/v1
kind: Policy
metadata: {name: p}
spec:
  rules:
"""


class _Counted(str):
    """A name that counts how often it is looked at."""

    looks = 0

    def startswith(self, *given: object) -> bool:
        _Counted.looks += 1
        return super().startswith(*given)  # type: ignore[arg-type]


class _Names(frozenset[str]):
    """Names of which each look at one is counted."""

    def __iter__(self) -> Iterator[str]:
        return map(_Counted, super().__iter__())


def problems_of(match: str, when: str, count: int, vocabulary: Vocabulary) -> list[Problem]:
    condition = f", when: '{when}'" if when else ""
    rule = f"    - {{id: rNN, priority: 1, match: {match}{condition}, effect: ALLOW, reason: X}}\n"
    rules = [rule.replace("NN", str(number)) for number in range(count)]
    found: list[Problem] = []
    parse_sources([("p.yaml", HEAD + "".join(rules))], vocabulary, found)
    return found


def test_globs_are_held_against_so_many_names_and_no_more() -> None:
    """The last ones are taken as they stand; a policy of few is held to every name."""
    names = Vocabulary(operations=_Names(f"name_{number}" for number in range(NAMES_COUNT)))
    _Counted.looks = 0
    pieces = 40
    problems = problems_of('{operation: "xNN' + "*a" * (pieces - 1) + '"}', "", 100, names)
    assert _Counted.looks <= LOOKS_MAX / pieces + 1
    assert 0 < len(problems) <= LOOKS_MAX / pieces / NAMES_COUNT


@pytest.mark.parametrize(
    ("match", "when"),
    [('{operation: "wrong_NN"}', ""), ("{kind: read}", 'action == "wrong_NN"')],
    ids=["names", "conditions"],
)
def test_a_file_of_wrong_names_is_refused_without_looking_each_of_them_up(
    match: str, when: str
) -> None:
    """Its author hears of a hundred, and of the right name for the first ones."""
    names = frozenset({"right_1"})
    vocabulary = Vocabulary(actions=names, operations=names)
    problems = problems_of(match, when, 1_000, vocabulary)
    assert len(problems) == 100
    assert all(problem.help for problem in problems[:20])
