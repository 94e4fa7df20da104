"""`checkrein policies replay`: exit status, what is said, and where records come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model.decision import Context
from tests.support.policy_commands import GOOD, line_of, on_terminal, run
from tests.support.policy_records import record_fields, sealed
from tests.support.policy_world import act, bundle_of, policy_text


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    return path


REPLAYS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "the same effects": ("match: {kind: read}, effect: ALLOW", ("--fail-on", "any"), 0),
    "looser, and nobody minds": ("effect: ALLOW", (), 0),
    "looser": ("effect: ALLOW", ("--fail-on", "looser"), 1),
    "tighter, and only looser counts": ("effect: BLOCK", ("--fail-on", "looser"), 0),
    "tighter": ("effect: BLOCK", ("--fail-on", "any"), 1),
    "what can't be told": (
        "when: params.password != '', effect: ALLOW", ("--fail-on", "looser"), 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "options", "status"), REPLAYS.values(), ids=REPLAYS.keys())
def test_replay_fails_where_it_is_asked_to(
    rule: str,
    options: tuple[str, ...],
    status: int,
    policy: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit status 1 for changes in the direction that counts, and for those that may be."""
    context, then = Context("bot", None, 5), bundle_of(GOOD)
    entries = [
        record_fields(then, act("get", "read"), context, decision_id="dec_1"),
        record_fields(then, act("put", params={"password": "x"}), context, decision_id="dec_2"),
    ]
    record = policy.with_name("record.jsonl")
    record.write_bytes(b"\n".join(sealed(entries)))
    rule = rule.replace("params.password != ''", "'params.password != \"\"'")
    policy.write_text(policy_text(f"- {{id: new, priority: 1, {rule}}}"))
    assert run("replay", record, "--against", policy, *options) == status
    found = line_of(capsys)
    assert (found["records"], found["decisions"]) == (2, 2)
    assert found["exact"] + found["inexact"]["count"] == 2
    shown, screen = on_terminal(monkeypatch, "replay", record, "--against", policy, *options)
    assert shown == status
    assert "2 decisions in 2 records" in screen


class StoredRecord:
    """A control plane that has these lines."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def records(self) -> list[dict[str, str]]:
        return [{"line": line.decode()} for line in self._lines]


def test_the_running_stack_is_asked_where_no_file_is_named(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`replay` and `explain` read the control plane's record."""
    entry = record_fields(
        bundle_of(GOOD), act("get", "read"), Context("bot", None, 5), decision_id="dec_1"
    )
    stored = StoredRecord(sealed([entry]))
    monkeypatch.setattr("gateway.cli.api.open_api", lambda _: stored)
    assert run("replay", "--against", policy, "--baseline-policies", policy) == 0
    assert line_of(capsys)["exact"] == 1
    assert run("explain", policy, "--decision", "dec_1") == 0
    assert line_of(capsys)["decision"]["rule"] == "reads"


def test_replay_of_nothing(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file without decisions is a mistake, not a success."""
    record = policy.with_name("record.jsonl")
    record.write_bytes(b"")
    assert run("replay", record, "--against", policy) == 2
    assert "there is no recorded decision here" in capsys.readouterr().err
