"""`checkrein policies replay` on several processes: the same answer, however the work is shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.policies.replay import files
from gateway.authoring.policies.replay.files import replay_files
from gateway.model.decision import Context
from tests.support.policy_records import record_fields, sealed
from tests.support.policy_world import act, bundle_of, policy_text

RULES = "- {id: small, priority: 1, when: params.amount < %d, effect: ALLOW}"
COUNT = 400


@pytest.mark.slow
def test_processes_share_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line is replayed once, by whichever process, and progress adds up to the whole."""
    then = bundle_of(policy_text(RULES % 50))
    policy = tmp_path / "candidate.yaml"
    policy.write_text(policy_text(RULES % 100))
    entries = [
        record_fields(
            then, act(params={"amount": number}), Context("bot", None, number),
            decision_id=f"dec_{number}",
        )
        for number in range(COUNT)
    ]  # fmt: skip
    record = tmp_path / "record.jsonl"
    record.write_bytes(b"\n".join(sealed(entries)) + b"\n")
    monkeypatch.setattr(files, "PART_BYTES", 16_384)
    done: list[int] = []
    alone = replay_files([record], [policy], [], lambda _: None, processes=1)
    shared = replay_files([record], [policy], [], done.append, processes=2)
    assert (shared.lines, shared.decisions, shared.unreadable) == (COUNT, COUNT, 0)
    assert shared.matrix == alone.matrix == {
        ("ALLOW", "ALLOW"): 50, ("BLOCK", "ALLOW"): 50, ("BLOCK", "BLOCK"): COUNT - 100,
    }  # fmt: skip
    assert shared.groups == alone.groups
    assert sum(done) == record.stat().st_size
    assert len(done) > 10
