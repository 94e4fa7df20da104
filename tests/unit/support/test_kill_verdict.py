"""Shows that the verdict on the kills finds each breach, and nothing in a sound run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.effects import Effect
from tests.support.kill_verdict import Evidence, judge


def effect(tag: str, act: str, amount: int = 0) -> Effect:
    return Effect(tag, "POST", f"/v1/orders/{tag}/{act}", amount)


def intent(tag: str, approval: str | None = None) -> Mapping[str, Any]:
    return {
        "kind": "intent",
        "path": f"/v1/orders/{tag}/refund",
        "decision_id": f"dec_{tag}_{approval}",
        "actions": [{"kind": "create"}],
        "approval": {"id": approval} if approval else None,
    }


def outcome(tag: str, approval: str | None = None) -> Mapping[str, Any]:
    return {"kind": "outcome", "decision_id": f"dec_{tag}_{approval}"}


def consumed(tag: str) -> Mapping[str, Any]:
    return {"status": "CONSUMED", "target": {"id": tag}}


SOUND = Evidence(
    effects=[effect("note1x", "note"), effect("yes2x", "refund"), effect("spend4x1", "refund", 90)],
    records=[
        intent("note1x"), outcome("note1x"),
        intent("yes2x", "a"), outcome("yes2x", "a"),
        intent("spend4x1"),
    ],
    approvals=[consumed("yes2x")],
    acts={"yes2x": "200", "no3x": "403 APPROVAL_DENIED"},
    ok={"note1x", "yes2x"},
    unknown={"dec_spend4x1_None"},
    budget=100,
)  # fmt: skip

BREACHED: dict[str, dict[str, Any]] = {
    "effect without an intent record": {"records": SOUND.records[2:]},
    "approved act executed twice": {"effects": [*SOUND.effects, effect("yes2x", "refund")]},
    "approval used by two intents": {"records": [*SOUND.records, intent("yes9x", "a")]},
    "act sent again by nobody": {"effects": [*SOUND.effects, effect("note1x", "note")]},
    "approved act lost": {"effects": SOUND.effects[:1]},
    "denied act done": {"effects": [*SOUND.effects, effect("no3x", "refund")]},
    "success told of what was not done": {"ok": {"note8x"}},
    "budget exceeded": {"effects": [*SOUND.effects, effect("spend4x2", "refund", 20)]},
    "open intent shown to nobody": {"unknown": set()},
}


def test_a_sound_run_breaks_no_promise() -> None:
    """What happened is counted."""
    verdict = judge(SOUND)
    assert verdict.is_kept
    assert verdict.counted["changes at the upstream"] == 3
    assert verdict.counted["intents without outcome, shown to a person"] == 1


@pytest.mark.parametrize("promise", BREACHED)
def test_each_breach_is_found(promise: str) -> None:
    """One thing is not as it should be; it is found by its name."""
    assert judge(replace(SOUND, **BREACHED[promise])).breaches[promise]
