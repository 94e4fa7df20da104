"""`checkrein policies`: what each command says, in JSON and on a terminal, and its exit status."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.questions import LINE_BYTES_MAX
from gateway.cli.main import run_command
from tests.support.policy_world import policy_text

READ = '{"provider":"s","action":"get","kind":"read"}'
GOOD = policy_text("- {id: reads, priority: 1, match: {kind: read}, effect: ALLOW}")
CASES = f"cases: [{{name: reads, action: {READ}, expect: {{effect: ALLOW}}}}]"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Standard:
    """A standard input of bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    return path


def run(*arguments: object) -> int:
    return run_command(["policies", *map(str, arguments)])


def on_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[int, str]:
    screen = Terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        status = run(*arguments)
    return status, screen.getvalue()


def line_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    value: dict[str, Any] = json.loads(line)
    return value


def test_check_a_good_policy(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, its rules, its revision; exit status 0."""
    assert run("check", policy, "--any-names") == 0
    found = line_of(capsys)
    assert (found["ok"], found["policies"]) == (True, [{"name": "p", "rules": 1}])
    assert len(found["revision"]) == 64
    status, screen = on_terminal(monkeypatch, "check", policy, "--any-names")
    assert status == 0
    assert "p: 1 rules" in screen
    assert f"good; revision {found['revision'][:12]}" in screen


def test_check_a_bad_policy(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every problem with its place; exit status 1."""
    policy.write_text(GOOD.replace("kind: read", "kind: reed, agnt: x"))
    assert run("check", policy, "--any-names") == 1
    found = line_of(capsys)
    assert found["ok"] is False
    assert [(each["line"], each["help"]) for each in found["problems"]] == [
        (8, "did you mean `read`?"), (8, "did you mean `agent`?"),
    ]  # fmt: skip
    status, screen = on_terminal(monkeypatch, "check", policy, "--any-names")
    assert status == 1
    assert f"{policy}:8:46:" in screen
    assert "2 problems" in screen


def test_check_holds_the_shipped_policy_against_the_shipped_mappers() -> None:
    """Without arguments: what travels with the product fits together."""
    assert run("check") == 0


def test_check_names_against_mappers(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that no shipped mapper makes is found, unless names are free."""
    policy.write_text(GOOD.replace("kind: read", "action: create_refnd"))
    assert run("check", policy) == 1
    assert "did you mean `create_refund`?" in capsys.readouterr().out
    assert run("check", policy, "--any-names") == 0


def test_cases_that_hold_and_fail(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 0 or 1, and what was wrong."""
    cases = policy.with_name("p.cases.yaml")
    cases.write_text(CASES)
    assert run("test", policy) == 0
    assert line_of(capsys) == {"ok": True, "cases": 1, "failed": []}
    cases.write_text(CASES.replace("ALLOW", "BLOCK"))
    assert run("test", policy) == 1
    found = line_of(capsys)
    assert found["failed"] == [
        {
            "file": str(cases), "line": 1, "name": "reads",
            "wrong": ["effect is ALLOW, expected BLOCK"],
            "differences": [{"field": "effect", "found": "ALLOW", "expected": "BLOCK"}],
        }
    ]  # fmt: skip
    status, screen = on_terminal(monkeypatch, "test", policy)
    assert status == 1
    assert f"{cases}:1: reads" in screen
    assert ["effect", "BLOCK", "ALLOW"] in [line.split() for line in screen.splitlines()]
    assert "0 of 1 cases hold" in screen
    cases.write_text("[")
    assert run("test", policy) == 1


def test_coverage_names_what_no_case_tries(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure only where it is asked for."""
    policy.with_name("p.cases.yaml").write_text(
        CASES.replace('"read"', '"send"').replace("ALLOW", "BLOCK")
    )
    assert run("test", policy, "--coverage") == 0
    found = line_of(capsys)["coverage"]
    assert (found["tried"], found["rules"]) == (0, 1)
    assert [(each["rule"], each["line"]) for each in found["untried"]] == [("reads", 8)]
    assert run("test", policy, "--coverage", "--strict") == 1
    _, screen = on_terminal(monkeypatch, "test", policy, "--coverage")
    assert f"{policy}:8:7: no case tries `reads` of p" in screen


def test_warnings_fail_a_strict_check(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 0, or 1 with --strict; each with its place and what to do."""
    policy.write_text(GOOD + "    - {id: late, priority: 2, match: {kind: read}, effect: BLOCK}\n")
    assert run("check", policy, "--any-names") == 0
    (warning,) = line_of(capsys)["warnings"]
    assert (warning["finding"], warning["rule"], warning["line"]) == ("unreachable", "late", 9)
    assert run("check", policy, "--any-names", "--strict") == 1
    status, screen = on_terminal(monkeypatch, "check", policy, "--any-names")
    assert status == 0
    assert f"{policy}:9:7: rule `late` never decides: `reads` (line 8) takes all" in screen
    assert "loads, with 1 warning; revision" in screen


def test_no_cases_is_a_failure(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was tested, so nothing can be said to hold."""
    assert run("test", policy) == 1
    assert "there are no cases" in capsys.readouterr().err


def test_explain(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision, and every rule with what came of it."""
    policy.write_text(f"{GOOD}---\n{policy_text('', name='q', scope='x')}")
    assert run("explain", policy, "--action", READ) == 0
    found = line_of(capsys)
    assert (found["decision"]["effect"], found["decision"]["rule"]) == ("ALLOW", "reads")
    assert found["actions"] == [
        [
            {
                "policy": "p", "applies": True, "effect": "ALLOW", "mode": "enforce",
                "is_shadow": False, "decided_by": "reads",
                "rules": [
                    {"rule": "reads", "priority": 1, "effect": "ALLOW", "finding": "decides",
                     "field": None, "detail": ""},
                ],
            },
            {
                "policy": "q", "applies": False, "effect": "BLOCK", "mode": "enforce",
                "is_shadow": False, "decided_by": None, "rules": [],
            },
        ]
    ]  # fmt: skip
    batch = f'{{"actions":[{READ},{READ.replace("read", "delete")}]}}'
    status, screen = on_terminal(monkeypatch, "explain", policy, "--action", batch)
    assert status == 0
    for words in (
        "BLOCK: no rule of policy `p` is about this action (NO_RULE_MATCHED)",
        "action 2 of 2",
        "policy p says ALLOW by rule reads",
        "policy p says BLOCK by its default: no rule matched",
        "reads: does not match: kind",
        "policy q is not about this agent",
    ):
        assert words in screen


def test_explain_from_standard_input(
    policy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The action may be piped in; what is none is a usage error."""
    monkeypatch.setattr(sys, "stdin", Standard(READ.encode()))
    assert run("explain", policy) == 0
    assert run("explain", policy, "--action", "nonsense") == 2
    assert "the line is not one JSON value" in capsys.readouterr().err


def test_decide_is_one_for_one(
    policy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line out for each line in, in order, whatever the lines are."""
    lines = [
        READ.encode(),
        b"",
        b"nonsense",
        READ.replace("read", "delete").encode(),
        b"\xff\xfe",
        '{"a":"\u2028"}'.encode(),
        b"x" * (LINE_BYTES_MAX * 2 + 5),
        READ.encode() + b"\r",
        b" " * (LINE_BYTES_MAX - len(READ)) + READ.encode(),
        b" " * (LINE_BYTES_MAX - len(READ) + 1) + READ.encode(),
        READ.encode(),
    ]
    monkeypatch.setattr(sys, "stdin", Standard(b"\n".join(lines)))
    assert run("decide", policy) == 0
    decided = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["reason_code"] for each in decided] == [
        "RULE_READS", "MALFORMED_ACTION", "MALFORMED_ACTION", "NO_RULE_MATCHED", "MALFORMED_ACTION",
        "MALFORMED_ACTION", "MALFORMED_ACTION", "RULE_READS", "RULE_READS", "MALFORMED_ACTION",
        "RULE_READS",
    ]  # fmt: skip
    assert {each["mode"] for each in decided} == {"enforce"}


def test_decide_in_monitor_mode(
    policy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The gateway's mode is an option."""
    monkeypatch.setattr(sys, "stdin", Standard(READ.encode() + b"\n"))
    assert run("decide", policy, "--mode", "monitor", "--json") == 0
    assert line_of(capsys)["mode"] == "monitor"


def test_decide_without_usable_policies(
    policy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is decided, and the reason is told; exit status 2."""
    policy.write_text("[")
    monkeypatch.setattr(sys, "stdin", Standard(READ.encode()))
    assert run("decide", policy) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "the policies can't be used" in streams.err
    assert "this is not YAML" in streams.err
