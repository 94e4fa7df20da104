"""What a condition may cost, whatever its author and the agent send together."""

from __future__ import annotations

import pytest

from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.evaluation import scope
from gateway.decide.conditions.evaluation.interpreter import interpret
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.syntax import Literal, Quantified, Span
from gateway.decide.conditions.values.regex import PatternError, compile_pattern
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.conditions.values.zones import load_zone
from tests.support.policy_world import act, scored, who

RISK = scored(0)
THOUSAND = list(range(1_000))
WORDS = "[" + ", ".join(f'"w{number}"' for number in range(500)) + "]"


def answer(text: str, **params: object) -> object:
    node = parse(text)
    assert check(node) == (), text
    found = interpret(node)(act(params=params), who(), RISK)
    return f"unresolved: {found.subject}" if isinstance(found, Unresolved) else found


WITHIN = {
    "a thousand items": ("params.a.all(x, x >= 0)", {"a": THOUSAND}),
    "a thousand items in a long list of texts": (
        f"params.a.all(x, !(x in {WORDS}))",
        {"a": [f"x{number}" for number in THOUSAND]},
    ),
    "forty items in a list of a thousand": (
        "params.a.all(x, x in params.b)", {"a": THOUSAND[:40], "b": THOUSAND},
    ),
    "two lists, each with its own budget": (
        "params.a.all(x, x >= 0) && params.a.exists(x, x == 999)", {"a": THOUSAND},
    ),
    "a list that was filtered": (
        "params.a.filter(x, x > 100).all(x, x > 100)", {"a": THOUSAND},
    ),
    "ten thousand items together": ("size(params.a + params.a) == 2000", {"a": THOUSAND}),
    "giants that are compared once": ("params.a == params.b", {"a": "a" * 10**6, "b": "a" * 10**6}),
}  # fmt: skip

BEYOND = {
    "more than a thousand items": (
        "params.a.all(x, x >= 0)",
        "params.a",
        {"a": list(range(1_001))},
    ),
    "nested, together": (
        "params.a.all(x, params.a.all(y, y >= 0))",
        "params.a",
        {"a": THOUSAND[:40]},
    ),
    "nested in a filter": (
        "size(params.a.filter(x, params.a.all(y, y >= 0))) > 1",
        "params.a",
        {"a": THOUSAND[:40]},
    ),
    "nested in the list": (
        "params.a.map(x, params.a.filter(y, true)) != []",
        "params.a",
        {"a": THOUSAND[:40]},
    ),
    "exactly one of many": (
        "params.a.exists_one(x, x == 1)",
        "params.a",
        {"a": list(range(1_001))},
    ),
    "every item in a list of a thousand": (
        "params.a.all(x, x in params.b)",
        "params.a",
        {"a": THOUSAND, "b": THOUSAND},
    ),
    "every item against a giant": (
        "params.a.all(x, params.b != params.c)",
        "params.a",
        {"a": THOUSAND, "b": "b" * 10_000, "c": "c"},
    ),
    "a pattern in a giant, again and again": (
        'params.a.all(x, params.b.matches("b"))',
        "params.a",
        {"a": THOUSAND, "b": "b" * 16_000},
    ),
    "a part of a giant, again and again": (
        'params.a.all(x, params.b.contains("b"))',
        "params.a",
        {"a": THOUSAND, "b": "b" * 60_000},
    ),
    "a map of maps, again and again": (
        "params.a.all(x, params.b == params.b)",
        "params.a",
        {"a": THOUSAND, "b": {str(n): [1, 2] for n in THOUSAND}},
    ),
    "one large value put into a list many times": (
        "size(params.a.map(x, params.a)) > 1",
        "params.a",
        {"a": THOUSAND},
    ),
    "a long predicate": (
        f"params.a.all(x, {' && '.join(['x >= 0'] * 40)})",
        "params.a",
        {"a": THOUSAND},
    ),
    "a list that doubles": (
        "size(params.a + params.a + params.a + params.a + params.a + params.a) > 1",
        "params.a",
        {"a": THOUSAND * 2},
    ),
    "a text that doubles": ("(params.a + params.a).size() > 1", "params.a", {"a": "a" * 40_000}),
}


@pytest.mark.parametrize(("text", "params"), WITHIN.values(), ids=WITHIN)
def test_what_policies_need_is_within(text: str, params: dict[str, object]) -> None:
    """Lists as long as requests have them are gone through."""
    assert answer(text, **params) is True


@pytest.mark.parametrize(("text", "subject", "params"), BEYOND.values(), ids=BEYOND)
def test_what_would_take_long_is_not_evaluated(
    text: str, subject: str, params: dict[str, object]
) -> None:
    """It can't be told, which blocks; and its field is named."""
    assert answer(text, **params) == f"unresolved: {subject}"


def test_a_budget_is_the_same_in_parts_and_as_a_whole() -> None:
    """Each outermost quantifier has its own, so the order and the company don't matter."""
    many, few = "params.a.all(x, x >= 0)", "params.b.all(x, x >= 0)"
    params = {"a": THOUSAND, "b": THOUSAND[:600]}
    for text in (f"{many} && {few}", f"{few} && {many}", f"{few} && {few} && {few}"):
        assert answer(text, **params) is True


def test_every_budget_is_counted_afresh_in_the_next_evaluation() -> None:
    """What one request used up is not missed by the next."""
    node = parse("params.a.all(x, x >= 0)")
    holds = interpret(node)
    for _ in range(3):
        assert holds(act(params={"a": THOUSAND}), who(), RISK) is True


def test_values_without_an_end_are_not_gone_through() -> None:
    """Neither when they are compared, nor when their size is counted."""
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert answer("[1].all(x, params.a == params.a)", a=deep) == "unresolved: params.a"
    assert answer("[1].map(x, params.a) == [1]", a=deep) == "unresolved: params.a"


def test_a_pattern_is_compiled_once_and_bounded() -> None:
    """The same pattern is the same function; one that needs too much memory is refused."""
    assert compile_pattern("a+b") is compile_pattern("a+b")
    with pytest.raises(PatternError, match="too large"):
        compile_pattern(r"\pL{1000}")
    with pytest.raises(PatternError, match="half a character"):
        compile_pattern("\ud800")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "(x+x+)+y", "(a|a?)+b$"])
def test_no_pattern_runs_away(pattern: str) -> None:
    """Those that take other engines years are answered; the test's own time limit is the bound."""
    assert compile_pattern(pattern).is_in("a" * 16_000 + "!") is False


ZONES = {
    "UTC": True, "Europe/Berlin": True, "+05:30": True, "-23:59": True, "09:00": True,
    "Etc/GMT+3": True, "": False, "utc": False, "europe/berlin": False, "+24:00": False,
    "+5:30": False, "+05:60": False, "../../etc/passwd": False, "/etc/localtime": False,
    "zones": False, "Europe": False, "Europe/": False, "__init__.py": False, "Local": False,
}  # fmt: skip


@pytest.mark.parametrize(("name", "is_one"), ZONES.items())
def test_zones_are_looked_up_by_name_only(name: str, is_one: bool) -> None:
    """No text of a policy becomes a path, and no zone is the machine's own."""
    assert (load_zone(name) is not None) is is_one


def test_all_written_quantifiers_take_some_of_the_budget() -> None:
    """A step is at least one node, so that nothing is free."""
    node = parse("[1].map(x, x)")
    assert isinstance(node, Quantified)
    assert node.predicate == Literal(Span(11, 12), True)
    assert scope.WORK_MAX > scope.ITERATIONS_MAX
