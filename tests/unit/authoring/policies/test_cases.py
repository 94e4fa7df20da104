"""The cases beside a policy: they hold, they fail with a reason, or they can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.policies.cases import report_cases, run_cases
from gateway.content import policies_dir
from gateway.model.errors import ConfigurationError
from tests.support.policy_world import policy_text

POLICY = policy_text("- {id: reads, priority: 1, match: {kind: read, agent: a}, effect: ALLOW}")
READ = "action: {provider: s, action: get, kind: read}"


def write(folder: Path, cases: str) -> Path:
    (folder / "p.yaml").write_text(POLICY)
    (folder / "p.cases.yaml").write_text(cases)
    return folder / "p.yaml"


def test_the_starter_policy_keeps_its_promises() -> None:
    """Every shipped case holds."""
    results = run_cases([policies_dir()])
    assert len(results) >= 20
    assert [result for result in results if not result.holds] == []


def test_cases_hold_or_say_what_is_wrong(tmp_path: Path) -> None:
    """Field by field, with the line of the case; by whichever of the files it is asked for."""
    path = write(
        tmp_path,
        f"""
cases:
  - {{name: holds, {READ}, context: {{agent: a}}, expect: {{effect: ALLOW, rule: reads}}}}
  - {{name: no rule, {READ}, expect: {{rule: null, policy: p, unresolved: null}}}}
  - {{name: wrong, {READ}, expect: {{effect: ALLOW, reason: X, rule: reads, mode: enforce}}}}
  - {{name: request, request: {{actions: [], refused: ambiguous_body}}, expect: {{effect: BLOCK}}}}
""",
    )
    for asked in (path, tmp_path, tmp_path / "p.cases.yaml"):
        results = run_cases([asked])
        assert [(result.line, result.name, result.wrong) for result in results] == [
            (3, "holds", ()),
            (4, "no rule", ()),
            (
                5,
                "wrong",
                (
                    "effect is BLOCK, expected ALLOW",
                    "reason is NO_RULE_MATCHED, expected X",
                    "rule is nothing, expected reads",
                ),
            ),
            (6, "request", ()),
        ]


def test_effects_are_spelt_as_in_policies(tmp_path: Path) -> None:
    """`DENY` is BLOCK; what is no effect or mode is a mistake of the case, not a difference."""
    path = write(tmp_path, f"cases: [{{name: a, {READ}, expect: {{effect: DENY}}}}]\n")
    assert [result.holds for result in run_cases([path])] == [True]
    write(tmp_path, f"cases: [{{name: a, {READ}, expect: {{effect: ALOW, mode: on}}}}]\n")
    with pytest.raises(ConfigurationError) as caught:
        run_cases([path])
    assert [(problem.message, problem.help) for problem in caught.value.problems] == [
        ("`effect` can't be `ALOW`", "did you mean `ALLOW`?"),
        ("`mode` can't be `on`", "there is `enforce`, `monitor`"),
    ]


def test_a_policy_without_cases_is_left_out(tmp_path: Path) -> None:
    """Nothing to run is no failure here; the command says so."""
    (tmp_path / "p.yaml").write_text(POLICY)
    assert run_cases([tmp_path]) == []


def test_a_case_may_expect_all_that_a_decision_says(tmp_path: Path) -> None:
    """Score and its level, what was watched, what counts, in any order."""
    path = tmp_path / "p.yaml"
    path.write_text(
        policy_text(
            "- {id: try, priority: 1, effect: BLOCK, mode: monitor}\n"
            "- {id: reads, priority: 2, match: {kind: read}, effect: ALLOW}"
        )
        + "  limits: [{id: calls, per: agent, window: 1h, max: 5, effect: BLOCK}]\n"
    )
    path.with_name("p.cases.yaml").write_text(
        f"""
cases:
  - {{name: all, {READ},
      expect: {{level: moderate, watched: [try], limits: [calls], obligations: ["limit:p/calls"]}}}}
  - {{name: none, {READ}, expect: {{score: 100, level: critical, watched: [], limits: [x]}}}}
"""
    )
    first, second = run_cases([path])
    assert first.wrong == ()
    assert [each.partition(",")[0].split(" is ")[0] for each in second.wrong] == [
        "score", "level", "watched", "limits",
    ]  # fmt: skip
    assert second.wrong[2] == "watched is try, expected nothing"


def test_rules_and_limits_that_no_case_tries_are_named(tmp_path: Path) -> None:
    """With their place; what is switched off need not be tried."""
    path = tmp_path / "p.yaml"
    path.write_text(
        policy_text(
            "- {id: reads, priority: 1, match: {kind: read}, effect: ALLOW}\n"
            "- {id: sends, priority: 2, match: {kind: send}, effect: BLOCK}\n"
            "- {id: off, priority: 3, effect: BLOCK, enabled: false}\n"
            "- {id: seen, priority: 0, mode: monitor, effect: BLOCK}"
        )
        + "  limits:\n"
        "    - {id: a, match: {kind: read}, per: agent, window: 1h, max: 5, effect: BLOCK}\n"
        "    - {id: b, match: {kind: send}, per: agent, window: 1h, max: 5, effect: BLOCK}\n"
    )
    path.with_name("p.cases.yaml").write_text(
        f"cases: [{{name: reads, {READ}, expect: {{effect: ALLOW}}}}]"
    )
    report = report_cases([path])
    assert [(each.name, each.place.line) for each in report.untried] == [("sends", 9), ("b", 14)]
    assert (report.tried, report.speakers) == (3, 5)


UNREADABLE = {
    "a score that is text": (
        f"cases: [{{name: a, {READ}, expect: {{score: high}}}}]", "`score` must be a whole number",
    ),
    "a level that is none": (
        f"cases: [{{name: a, {READ}, expect: {{level: hi}}}}]", "`level` can't be `hi`",
    ),
    "limits that are text": (
        f"cases: [{{name: a, {READ}, expect: {{limits: a}}}}]", "`limits` must be a list",
    ),
    "no YAML": ("cases: [", "this is not YAML"),
    "no cases": ("a: 1", "a file of cases has no field `a`"),
    "cases that are a map": ("cases: {}", "`cases` must be a list"),
    "a case without a name": (f"cases: [{{{READ}, expect: {{effect: ALLOW}}}}]", "needs `name`"),
    "a case without an expectation": (f"cases: [{{name: a, {READ}}}]", "needs `expect`"),
    "a case that expects nothing": (
        f"cases: [{{name: a, {READ}, expect: {{}}}}]", "a case that expects nothing can't fail",
    ),
    "a case that expects the unknown": (
        f"cases: [{{name: a, {READ}, expect: {{efect: ALLOW}}}}]", "did you mean `effect`?",
    ),
    "a case without an action": (
        "cases: [{name: a, expect: {effect: ALLOW}}]", "either an `action` or a `request`",
    ),
    "an action that is none": (
        "cases: [{name: a, action: {kind: read}, expect: {effect: ALLOW}}]", "`provider`",
    ),
    "a field twice": (
        "cases: [{name: a, action: {kind: read, kind: delete}, expect: {effect: ALLOW}}]",
        "`kind` stands here twice",
    ),
    "an action that is text": (
        "cases: [{name: a, action: x, context: {agent: b}, expect: {effect: ALLOW}}]",
        "an action is a JSON object",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cases", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_cases_that_can_not_be_read(tmp_path: Path, cases: str, message: str) -> None:
    """Told like the problems of a policy."""
    with pytest.raises(ConfigurationError) as caught:
        run_cases([write(tmp_path, cases)])
    assert message in caught.value.message


def test_cases_that_are_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    path = write(tmp_path, "")
    (tmp_path / "p.cases.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="can't be read as UTF-8"):
        run_cases([path])


def test_a_bad_policy_is_told_before_its_cases(tmp_path: Path) -> None:
    """Its own problems, not those of the cases."""
    path = write(tmp_path, "cases: []")
    path.write_text("[")
    with pytest.raises(ConfigurationError, match="not YAML"):
        run_cases([path])
