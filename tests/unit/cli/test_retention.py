"""`checkrein audit retention`: what is asked of the control plane, and what is said."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from gateway.cli.audit import retention
from gateway.cli.failures import CommandError
from gateway.cli.main import run_command

ERASED = {
    "erasureId": "e1",
    "cause": "REQUEST",
    "decisionId": "dec_1",
    "records": 2,
    "approvals": 1,
    "incidents": 0,
    "before": None,
    "reason": "request 42",
    "erasedBy": "ada",
    "erasedAt": "2026-11-21T15:00:00Z",
}
AGED = {**ERASED, "cause": "AGE", "decisionId": None, "before": "2025-01-01T00:00:00Z"}


class FakeApi:
    """The control plane's side: a rule, and what was asked of it."""

    def __init__(self) -> None:
        self.rule: dict[str, Any] = {
            "days": 400, "defaultDays": 0, "legalHold": False, "reason": "policy 7",
            "setBy": "ada", "setAt": "2026-11-21T15:00:00Z",
        }  # fmt: skip
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refused: set[str] = set()

    def get(self, path: str, query: Any = None) -> dict[str, Any]:
        return self.rule if path == "/v1/retention" else {"erasures": [ERASED, AGED]}

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((path, body))
        return {**self.rule, **body}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.split("/")[3] in self.refused:
            raise CommandError("a legal hold stops every erasure", "end it")
        self.asked.append((path, body))
        return {"erasure": ERASED}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """What every command of these tests speaks with."""
    fake = FakeApi()
    monkeypatch.setattr("gateway.cli.api.open_api", lambda _: fake)
    monkeypatch.setattr(retention, "person_here", lambda: "ada")
    return fake


CHANGES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "days": (["set", "--days", "30"], {"days": 30, "legalHold": False}),
    "for ever": (["set", "--for-ever"], {"days": 0, "legalHold": False}),
    "as the installation": (["set", "--default"], {"days": None, "legalHold": False}),
    "a hold": (["hold"], {"days": 400, "legalHold": True}),
    "the end of a hold": (["release"], {"days": 400, "legalHold": False}),
}


@pytest.mark.parametrize(("words", "body"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_changed_and_what_stays(
    api: FakeApi, capsys: pytest.CaptureFixture[str], words: list[str], body: dict[str, Any]
) -> None:
    """The rule as it is, but for the part that was named; in a pipe, the new one as JSON."""
    assert run_command(["audit", "retention", *words, "--reason", "why"]) == 0
    sent = {**body, "reason": "why", "setBy": "ada"}
    assert api.asked == [("/v1/retention", sent)]
    assert json.loads(capsys.readouterr().out) == {**api.rule, **sent}


def test_a_hold_outlives_a_change_of_days(api: FakeApi) -> None:
    """Who sets days says nothing about the hold."""
    api.rule["legalHold"] = True
    assert run_command(["audit", "retention", "set", "--days", "1", "--reason", "why"]) == 0
    assert api.asked[0][1]["legalHold"] is True


USAGE = {
    "nothing to set": ["set", "--reason", "why"],
    "two rules at once": ["set", "--days", "1", "--for-ever", "--reason", "why"],
    "no reason": ["hold"],
    "no decision": ["erase", "--reason", "why"],
    "days that are none": ["set", "--days", "0", "--reason", "why"],
    "an option in the wrong place": ["--json", "hold", "--reason", "why"],
}


@pytest.mark.parametrize("words", USAGE.values(), ids=USAGE.keys())
def test_what_is_not_said_well_changes_nothing(api: FakeApi, words: list[str]) -> None:
    """Status 2, and the control plane is asked for nothing."""
    assert run_command(["audit", "retention", *words]) == 2
    assert api.asked == []


def test_decisions_are_erased_one_by_one(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Each by its own name, with the reason; the first that can't be is named, and ends it."""
    api.refused = {"dec_2"}
    words = ["audit", "retention", "erase", "dec_1", "dec_2", "dec_3", "--reason", "request 42"]
    assert run_command(words) == 1
    body = {"reason": "request 42", "erasedBy": "ada"}
    assert api.asked == [("/v1/decisions/dec_1/erase", body)]
    shown = capsys.readouterr()
    assert json.loads(shown.out) == ERASED
    assert "dec_2: a legal hold stops every erasure" in shown.err


def test_a_path_in_a_decisions_id_leads_nowhere(api: FakeApi) -> None:
    """What is typed is an id and never a part of the address."""
    run_command(["audit", "retention", "erase", "../stops/1", "--reason", "why"])
    assert api.asked[0][0] == "/v1/decisions/..%2Fstops%2F1/erase"


class Terminal(io.StringIO):
    """Standard output that a person looks at."""

    def isatty(self) -> bool:
        return True


SENTENCES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a rule of one's own": (
        {}, ["Bodies are kept 400 days.", "the installation's is for ever", "by ada", "policy 7"],
    ),
    "the installation's": (
        {"days": None, "defaultDays": 1, "setBy": None}, ["Bodies are kept 1 day.", "your own"],
    ),
    "a hold": ({"days": 0, "legalHold": True}, ["kept for ever.", "A legal hold stops every"]),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "said"), SENTENCES.values(), ids=SENTENCES.keys())
def test_a_person_reads_the_rule_and_what_was_erased(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any], said: list[str]
) -> None:
    """Sentences and a table on a terminal."""
    api.rule |= rule
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "200")
    assert run_command(["audit", "retention"]) == 0
    shown = screen.getvalue()
    assert [each for each in said if each not in shown] == []
    assert "2 records, 1 approval, 0 incidents" in shown
    assert "dec_1" in shown
    assert "older than 20" in shown
