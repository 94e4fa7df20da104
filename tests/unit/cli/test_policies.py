"""`checkrein policies`: what each command says, in JSON and on a terminal, and its exit status."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gateway.authoring.policies.questions import LINE_BYTES_MAX
from gateway.content import mappers_dir
from gateway.model.decision import Context
from tests.support.policy_commands import GOOD, READ, Standard, line_of, on_terminal, run
from tests.support.policy_records import record_fields, sealed
from tests.support.policy_world import act, bundle_of, policy_text

CASES = f"cases: [{{name: reads, action: {READ}, expect: {{effect: ALLOW}}}}]"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    return path


def test_check_a_good_policy(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, its rules, its revision; exit status 0."""
    assert run("check", policy, "--any-names") == 0
    found = line_of(capsys)
    assert (found["ok"], found["policies"]) == (True, [{"name": "p", "rules": 1, "limits": 0}])
    assert len(found["revision"]) == 64
    status, screen = on_terminal(monkeypatch, "check", policy, "--any-names")
    assert status == 0
    assert "p: 1 rule, " in screen
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
    first, second = found["actions"][0]
    assert (first["policy"], first["applies"], first["decided_by"]) == ("p", True, "reads")
    assert [(each["rule"], each["finding"]) for each in first["rules"]] == [("reads", "decides")]
    assert (second["policy"], second["applies"], second["rules"]) == ("q", False, [])
    assert found["nearest"] == [[]]
    batch = f'{{"actions":[{READ},{READ.replace("read", "delete")}]}}'
    status, screen = on_terminal(monkeypatch, "explain", policy, "--action", batch)
    assert status == 0
    for words in (
        "BLOCK: no rule of policy `p` is about this action (NO_RULE_MATCHED)",
        "action 2 of 2",
        "policy p says ALLOW by rule reads",
        "policy p says BLOCK by its default: no rule matched",
        "reads (ALLOW, 0 of 1 fit): does not match: kind: it is `delete`",
        "policy q is not about this agent",
    ):
        assert words in screen


NEAR = policy_text(
    "- {id: far, priority: 1, match: {kind: delete, provider: x}, effect: BLOCK}\n"
    "- {id: near, priority: 2, match: {kind: read, provider: s}, when: params.n > 5, "
    "effect: ALLOW}\n"
    "- {id: try, priority: 3, match: {kind: read}, effect: ALLOW, mode: monitor}"
) + "  limits: [{id: calls, per: agent, window: 1h, max: 5, effect: BLOCK}]\n"  # fmt: skip


def test_explain_nothing_matched(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest miss first, with what kept it; what was watched; the factors of the score."""
    policy.write_text(NEAR)
    asked = READ[:-1] + ',"params":{"n":3}}'
    assert run("explain", policy, "--action", asked) == 0
    ((near, far),) = line_of(capsys)["nearest"]
    assert (near["rule"], near["fitting"], near["asked"]) == ("near", 2, 3)
    assert (far["rule"], far["fitting"], far["asked"]) == ("far", 0, 2)
    _, screen = on_terminal(monkeypatch, "explain", policy, "--action", asked)
    lines = [line.strip() for line in screen.splitlines()]
    assert "watched: rule try of p would have said ALLOW" in lines
    place = lines.index("2  near (ALLOW, 2 of 3 fit): its condition is false: params.n > 5")
    assert lines[place + 1].startswith("1  far (BLOCK, 0 of 2 fit): does not match: provider: it")
    assert any("risk 28, moderate" in line for line in lines)
    assert any("operation.class" in line for line in lines)
    policy.write_text(NEAR.replace("n > 5", "n > 2"))
    _, screen = on_terminal(monkeypatch, "explain", policy, "--action", asked)
    assert "counts 1 towards limit p/calls for agent:agent; beyond 5: BLOCK" in screen


def test_explain_who_must_approve_and_what_could_not_be_read(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terms in words; the field for whose want a rule decides, or would have."""
    terms = "{groups: [finance, legal], quorum: 2, timeout: 1h30m, witness: required}"
    rules = (
        "- {id: a, priority: 1, when: params.n > 5, effect: REQUIRE_APPROVAL, "
        f"approval: {terms}}}\n"
        "- {id: b, priority: 2, when: params.n > 7, effect: BLOCK}\n"
        "- {id: c, priority: 3, effect: REQUIRE_APPROVAL}"
    )
    policy.write_text(policy_text(rules))
    _, screen = on_terminal(monkeypatch, "explain", policy, "--action", READ)
    lines = [line.strip() for line in screen.splitlines()]
    assert (
        "2 people of finance or legal must approve within 1h30m, and its target must not have "
        "changed"
    ) in " ".join(lines)
    assert "1  a: decides: `params.n` could not be read" in lines
    assert "2  b: matches, but an earlier rule decides: `params.n` could not be read" in lines
    assert "3  c: matches, but an earlier rule decides" in lines


def test_explain_what_limits_count(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An amount that nobody can read exceeds; a limit in monitor mode is only noted."""
    limits = (
        "  limits:\n"
        "    - {id: a, per: agent, window: 1h, max: 5, sum: params.n}\n"
        "    - {id: b, per: agent, window: 1h, max: 5, mode: monitor}\n"
    )
    policy.write_text(GOOD + limits)
    _, screen = on_terminal(monkeypatch, "explain", policy, "--action", READ)
    words = " ".join(screen.split())
    assert (
        "counts an amount that could not be read towards limit p/a for agent:agent, which "
        "exceeds it: BLOCK"
    ) in words
    assert (
        "counts 1 towards limit p/b for agent:agent; beyond 5: BLOCK (in monitor mode: noted, "
        "not done)"
    ) in words


def test_explain_a_recorded_decision(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time, labels and agent of then, and a word on what the record hides."""
    rules = "- {id: r, priority: 1, match: {kind: create, labels: {team: pay}}, effect: ALLOW}"
    policy.write_text(policy_text(rules))
    context = Context("bot", None, 5, {"team": "pay"})
    action = act(params={"password": "x"})
    then = bundle_of(policy_text("", name="q"))
    line = sealed([record_fields(then, action, context, decision_id="dec_9")])[0]
    record = policy.with_name("record.jsonl")
    record.write_bytes(b"nonsense dec_9\n" + line + b"\n")
    assert run("explain", policy, "--record", record, "--decision", "dec_9") == 0
    found = line_of(capsys)
    assert (found["decision"]["rule"], found["recorded"]["reason_code"]) == ("r", "NO_RULE_MATCHED")
    assert found["recorded"]["altered"] == ["params.password"]
    _, screen = on_terminal(
        monkeypatch, "explain", policy, "--record", record, "--decision", "dec_9"
    )
    assert "then, at 1970-01-01T00:00:00.000005Z: BLOCK by NO_RULE_MATCHED" in screen
    assert "the record does not show as they were: params.password" in screen
    assert run("explain", policy, "--record", record, "--decision", "dec_8") == 1
    assert run("explain", policy, "--record", record) == 2
    assert "there is no decision `dec_8`" in capsys.readouterr().err


def test_diff_of_two_policies(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules one by one, acts by class; exit status 1 for what becomes looser, where asked to."""
    other = policy.with_name("other.yaml")
    other.write_text(GOOD.replace("kind: read", "kind: [read, delete]"))
    stripe = mappers_dir() / "stripe.yaml"
    options = ("--mappers", stripe, "--fail-on", "looser")
    assert run("diff", policy, other, *options) == 1
    found = line_of(capsys)
    assert [(each["fate"], each["rule"], each["fields"]) for each in found["rules"]] == [
        ("changed", "reads", ["match"])
    ]
    (change,) = found["changes"]
    assert (change["direction"], change["certainty"]) == ("looser", "always")
    assert (change["kinds"], change["operations"] > 10) == (["delete"], True)
    assert run("diff", other, policy, *options) == 0
    assert run("diff", other, policy, "--mappers", stripe, "--fail-on", "any") == 1
    status, screen = on_terminal(monkeypatch, "diff", policy, policy, *options)
    assert status == 0
    assert "the rules are the same" in screen
    assert "no act is decided otherwise" in screen


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
