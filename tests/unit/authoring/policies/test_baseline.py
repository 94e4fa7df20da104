"""What agents usually do, learned from records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.authoring.policies.baseline import Built, build_baseline, nearest_rank
from gateway.authoring.policies.replay.files import LINE_BYTES_MAX
from gateway.cli.policies.baseline import baseline
from gateway.decide.baseline import Baseline
from gateway.decide.documents.baseline import CURRENCIES_MAX
from gateway.decide.loader import parse_sources
from gateway.model.errors import Problem
from gateway.model.record import EntryKind

AT = "2026-11-20T09:30:00.000000Z"


def record(number: int = 1, *actions: dict[str, Any], **more: Any) -> bytes:
    fields: dict[str, Any] = {
        "kind": EntryKind.INTENT, "decision_id": f"d{number}", "agent": "bot", "at": AT,
        "actions": list(actions) or [refund(100)],
    }  # fmt: skip
    return json.dumps(fields | more).encode()


def refund(amount: object, currency: object = "usd", **more: Any) -> dict[str, Any]:
    return {"action": "create_refund", "params": {"amount": amount, "currency": currency}, **more}


def built(*lines: bytes) -> Built:
    found = build_baseline(lines)
    assert found is not None
    return found


def baseline_of(text: str) -> Baseline:
    """The document, read as a gateway reads it."""
    problems: list[Problem] = []
    found = parse_sources([("b.yaml", text)], None, problems).baseline
    assert not problems, problems
    assert found is not None
    return found


def test_records_become_a_document() -> None:
    """Counts, days, hours and percentiles of what was let pass."""
    lines = [
        *(record(n, refund(n)) for n in range(1, 101)),
        record(200, refund(-7, "EUR"), at="2026-11-18T08:00:00Z"),
        record(201, {"action": "get_refund"}, agent="another bot", at="2026-11-18T23:59:59Z"),
        record(202, {"action": "get_refund"}, agent="another bot", at="2026-11-18T01:00:00Z"),
    ]
    found = built(*lines)
    assert found.text.splitlines() == [
        "apiVersion: checkrein/v1",
        "kind: Baseline",
        "metadata: {name: usual}",
        "spec:",
        f'  snapshot: "{baseline_of(found.text).snapshot}"',
        '  date: "2026-11-20"',
        "  agents:",
        '    "another bot":',
        '      get_refund: {count: 2, days: 1, hours: "1 23"}',
        "    bot:",
        '      create_refund: {count: 101, days: 2, hours: "8-9", amounts: {eur: 7, usd: 95}}',
    ]
    assert (found.records, found.unreadable, found.dropped) == (103, 0, 0)
    usual = baseline_of(found.text).agents["bot"]["create_refund"]
    assert (usual.count, usual.days, usual.hours) == (101, 2, frozenset({8, 9}))
    assert usual.amounts == {"eur": 7, "usd": 95}


def test_the_same_records_give_the_same_document() -> None:
    """In any order, and however often they come."""
    lines = [record(n, refund(n * 7 % 13)) for n in range(20)]
    assert built(*lines).text == built(*reversed(lines), *lines).text
    assert built(*lines).text != built(*lines[1:]).text


LEFT_OUT = {
    "what was refused": record(kind="decision"),
    "what became of it": record(kind="outcome"),
    "a record without an agent": record(agent=None),
    "a name that can't be written": record(agent="a\u0000b"),
    "an action that can't be written": record(1, {"action": "x\n"}),
    "an endless name": record(1, {"action": "x" * 201}),
    "an action that was redacted": record(1, refund(1, altered=["action"])),
    "a time that is none": record(at="yesterday"),
    "a day that is none": record(at="2026-13-20T09:00:00Z"),
    "actions that are none": record(actions="create_refund"),
    "an action that is none": record(1, actions=["create_refund"]),
}


@pytest.mark.parametrize("line", LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_makes_nothing_usual(line: bytes) -> None:
    """It is left out, and nothing raises."""
    assert build_baseline([line]) is None
    assert built(record(2), line).text == built(record(2)).text


UNREADABLE = {
    "no JSON": b"{",
    "no object": b"[1]",
    "no record": b"{}",
    "an intent without a name": record(decision_id=None),
    "bytes": b"\xff\xfe",
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_lines_that_are_no_records(line: bytes) -> None:
    """They are counted, so that somebody can say so."""
    found = built(record(), b"\n", line)
    assert (found.records, found.unreadable) == (1, 1)


AMOUNTS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "an amount": (refund(5), {"usd": 5}),
    "an amount without a currency": (refund(5, None), {"none": 5}),
    "an amount as text": (refund("5"), {}),
    "an amount that is true": (refund(True), {}),
    "an amount beyond all money": (refund(10**19), {}),
    "a currency that is a sentence": (refund(5, "us dollars: all"), {}),
    "an amount that was redacted": (refund(5, altered=["params.amount"]), {}),
    "params that were redacted": (refund(5, altered=["params"]), {}),
    "something else that was redacted": (refund(5, altered=["target.id", 5]), {"usd": 5}),
    "no params": ({"action": "create_refund", "params": None}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("action", "amounts"), AMOUNTS.values(), ids=AMOUNTS.keys())
def test_which_amounts_count(action: dict[str, Any], amounts: dict[str, int]) -> None:
    """Whole numbers that were recorded as they were."""
    found = baseline_of(built(record(1, action)).text)
    assert found.agents["bot"]["create_refund"].amounts == amounts


PERCENTILES = {
    "one value": ([7], 95, 7),
    "twenty values: the nineteenth": (list(range(1, 21)), 95, 19),
    "twenty-one: the twentieth": (list(range(1, 22)), 95, 20),
    "in any order": ([3, 1, 2], 50, 2),
    "the least": ([3, 1, 2], 0, 1),
    "the most": ([3, 1, 2], 100, 3),
}


@pytest.mark.parametrize(
    ("values", "percentile", "wanted"), PERCENTILES.values(), ids=PERCENTILES.keys()
)
def test_percentiles_are_values(values: list[int], percentile: int, wanted: int) -> None:
    """By nearest rank: no value is made up."""
    assert nearest_rank(values, percentile) == wanted


def test_a_document_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from agents: what is seldom finds no room."""
    monkeypatch.setattr("gateway.authoring.policies.baseline.ROWS_MAX", 5)
    often = [{"action": "often"}, {"action": "often"}]
    names = [{"action": f"tool_{number}"} for number in range(5)]
    currencies = [refund(1, f"cur{chr(97 + number)}") for number in range(CURRENCIES_MAX + 1)]
    found = built(record(1, *often, *names))
    assert found.dropped == 1
    assert "often: {count: 2" in found.text
    assert "tool_4" not in found.text
    amounts = baseline_of(built(record(1, *currencies)).text).agents["bot"]["create_refund"].amounts
    assert len(amounts) == CURRENCIES_MAX


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in, a document out; what it was made of is told beside."""
    monkeypatch.setattr("gateway.authoring.policies.baseline.ROWS_MAX", 5)
    (tmp_path / "a.jsonl").write_bytes(record(1) + b"\n" + record(2) + b"\nnonsense\n")
    (tmp_path / "b.jsonl").write_bytes(record(2) + b"\n")
    result = CliRunner().invoke(
        baseline, [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"), "--name", "our week"]
    )
    assert result.exit_code == 0
    assert baseline_of(result.stdout).agents["bot"]["create_refund"].count == 2
    assert 'metadata: {name: "our week"}' in result.stdout
    assert result.stderr == (
        "decisions that were let pass: 2\nlines that are no records, and were left out: 1\n"
    )
    wide = [{"action": f"tool_{number}"} for number in range(6)]
    result = CliRunner().invoke(baseline, ["-"], input=record(1, *wide))
    assert "found no room: 1" in result.stderr


def test_the_command_finds_nothing() -> None:
    """An empty baseline would make everything look new: it is an error."""
    result = CliRunner().invoke(baseline, ["-"], input=b"x" * (LINE_BYTES_MAX + 2))
    assert result.exit_code != 0
    assert "no record here tells of something that was let pass" in result.output
