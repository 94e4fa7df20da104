"""Documents of `kind: Baseline`."""

from __future__ import annotations

import pytest

from gateway.decide.baseline import Baseline
from gateway.decide.documents.baseline import CURRENCIES_MAX, ROWS_MAX
from gateway.decide.loader import make_bundle, parse_sources
from gateway.model.errors import Problem
from tests.support.policy_world import policy_text

ROW = '{count: 9, days: 8, hours: "8-10 14", amounts: {usd: 5, none: 0}}'


def baseline_text(row: str = ROW, snapshot: str = "s1") -> str:
    return (
        "apiVersion: checkrein/v1\nkind: Baseline\nmetadata: {name: usual}\nspec:\n"
        f'  snapshot: {snapshot}\n  date: "2026-11-20"\n  agents:\n    bot:\n      act: {row}\n'
    )


def read(text: str) -> tuple[Baseline | None, list[str]]:
    problems: list[Problem] = []
    found = parse_sources([("b.yaml", text)], None, problems).baseline
    return found, [str(problem) for problem in sorted(problems)]


def test_a_baseline() -> None:
    """What agents usually do, as it is written."""
    found, problems = read(baseline_text())
    assert found is not None
    assert (found.snapshot, found.date, problems) == ("s1", "2026-11-20", [])
    usual = found.agents["bot"]["act"]
    assert (usual.count, usual.days, sorted(usual.hours)) == (9, 8, [8, 9, 10, 14])
    assert usual.amounts == {"usd": 5, "none": 0}


ROWS = {
    "one hour, as a number": "{count: 1, days: 1, hours: 9}",
    "no amounts": '{count: 1, days: 1, hours: "0-23"}',
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_other_rows(row: str) -> None:
    """As short as they may be."""
    assert read(baseline_text(row))[1] == []


WRONG = {
    "no count": ('{days: 1, hours: "1"}', "what is usual needs `count`"),
    "a count of nothing": ('{count: 0, days: 1, hours: "1"}', "`count` must be a whole number"),
    "days of nothing": ('{count: 1, days: 0, hours: "1"}', "`days` must be a whole number"),
    "no hours": ('{count: 1, days: 1, hours: ""}', "`hours` must be hours of the day"),
    "an hour that there is not": ('{count: 1, days: 1, hours: "24"}', "`hours` must be hours"),
    "hours backwards": ('{count: 1, days: 1, hours: "9-8"}', "`hours` must be hours of the day"),
    "hours as a list": ("{count: 1, days: 1, hours: [8]}", "`hours` must be hours of the day"),
    "an amount below nothing": (
        '{count: 1, days: 1, hours: "1", amounts: {usd: -1}}', "an amount must be a whole number",
    ),
    "too many currencies": (
        '{count: 1, days: 1, hours: "1", amounts: {'
        + ", ".join(f"c{number}: 1" for number in range(CURRENCIES_MAX + 1)) + "}}",
        "`amounts` has more than 16 currencies",
    ),
    "an unknown key": ('{count: 1, days: 1, hours: "1", p: 1}', "what is usual has no field `p`"),
    "no map": ("often", "what is usual must be a map of fields"),
}  # fmt: skip


@pytest.mark.parametrize(("row", "wanted"), WRONG.values(), ids=WRONG.keys())
def test_what_a_row_may_not_say(row: str, wanted: str) -> None:
    """A problem at its place."""
    (problem,) = read(baseline_text(row))[1]
    assert problem.startswith("b.yaml:9:")
    assert wanted in problem


HEADS = {
    "another version": ("checkrein/v1", "v1", "`apiVersion` can't be `v1`"),
    "no version": ("apiVersion: checkrein/v1\n", "", "a baseline needs `apiVersion`"),
    "no name": ("{name: usual}", "{}", "`metadata` needs `name`"),
    "a name that is a number": ("{name: usual}", "{name: 1}", "`name` must be text"),
    "no snapshot": ("  snapshot: s1\n", "", "`spec` needs `snapshot`"),
    "a snapshot that is a list": ("snapshot: s1", "snapshot: [s1]", "`snapshot` must be text"),
    "a snapshot that is a sentence": ("s1", "'a b'", "`snapshot` must be a short name"),
    "a date that is none": ("2026-11-20", "20 Nov", "`date` must be a date such as"),
    "agents that are a list": ("    bot:", "    - bot:", "`agents` must be a map"),
}


@pytest.mark.parametrize(("old", "new", "wanted"), HEADS.values(), ids=HEADS.keys())
def test_what_a_baseline_may_not_say(old: str, new: str, wanted: str) -> None:
    """A problem, and nothing raises."""
    found, problems = read(baseline_text().replace(old, new))
    assert any(wanted in problem for problem in problems)
    assert found is None or "apiVersion" in wanted or "name" in wanted or "agents" in wanted


def test_a_baseline_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a gateway may load are refused, agents and all."""
    monkeypatch.setattr("gateway.decide.documents.baseline.ROWS_MAX", 1)
    found, problems = read(baseline_text() + f"    other: {{act: {ROW}}}\n")
    assert (found, len(problems)) == (None, 1)
    assert "b.yaml:10:5: a baseline has at most 1 actions of agents" in problems[0]
    assert ROWS_MAX == 10_000


def test_a_bundle_has_one_baseline() -> None:
    """A second is an error where it stands."""
    (problem,) = read(baseline_text() + "---\n" + baseline_text())[1]
    wanted = "b.yaml:11:1: there is a `kind: Baseline` in b.yaml:1 already"
    assert problem == f"{wanted} (help: a bundle has at most one)"


def test_the_revision_covers_the_baseline() -> None:
    """Whatever it says, and that there is one."""
    policy = ("p.yaml", policy_text(""))
    texts = [
        baseline_text(),
        baseline_text(snapshot="s2"),
        baseline_text(ROW.replace("usd: 5", "usd: 6")),
        baseline_text(ROW.replace("count: 9", "count: 10")),
        baseline_text(ROW.replace("14", "15")),
        baseline_text().replace("bot", "other"), baseline_text().replace("11-20", "11-21"),
    ]  # fmt: skip
    revisions = {make_bundle([policy, ("b.yaml", text)]).revision for text in texts}
    assert len(revisions | {make_bundle([policy]).revision}) == len(texts) + 1
