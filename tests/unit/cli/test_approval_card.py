"""What a reviewer reads of an act and of the state of its target."""

from __future__ import annotations

import io

from gateway.cli.approvals.card import Approval, show_card
from gateway.cli.output import Output

ASKED: Approval = {
    "approvalId": "3f2a", "status": "PENDING", "agent": "bot", "runId": "r1",
    "createdAt": "2026-11-21T16:00:00.000000Z", "expiresAt": "2126-11-21T16:00:00.000000Z",
    "method": "POST", "authority": "api.stripe.com:443", "path": "/v1/refunds",
    "summary": "create_refund of charge ch_1", "action": "create_refund",
    "target": {"type": "charge", "id": "ch_1"}, "message": "refunds need a person",
    "policy": "p", "rule": "r", "risk": {"score": 3, "factors": []},
    "params": {"amount": 900, "reverse_transfer": True, "reason": None, "tags": ["a", "é"]},
    "witness": {"state": {"disputed": False, "status": "succeeded"}},
    "terms": {"groups": ["finance"], "quorum": 2}, "answers": [],
}  # fmt: skip


def test_values_stand_as_the_request_has_them(monkeypatch) -> None:
    """Text without quotes, everything else as JSON; the state is the one that was seen then."""
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("NO_COLOR", "1")
    show_card(Output(json_wanted=False), ASKED)
    lines = [" ".join(line.split()) for line in screen.getvalue().splitlines()]
    for line in (
        "amount 900", "reverse_transfer true", "reason null", 'tags ["a", "é"]',
        "state seen disputed false, status succeeded",
    ):  # fmt: skip
        assert line in lines
    assert any("2 people of finance have to approve" in line for line in lines)


def lines_of(monkeypatch, approval: Approval) -> list[str]:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("NO_COLOR", "1")
    show_card(Output(json_wanted=False), approval)
    return [" ".join(line.split()) for line in screen.getvalue().splitlines()]


TERMS = {
    "groups": ["finance"], "quorum": 1, "commentRequired": True, "escalateTo": ["leads"],
    "escalateAfterSeconds": 600,
}  # fmt: skip


def test_who_is_asked_next_and_who_may_not(monkeypatch) -> None:
    """Before it is escalated, when; afterwards by whom, and that they may answer too."""
    asked = {**ASKED, "terms": TERMS, "requesters": ["olga"], "escalation": None}
    lines = lines_of(monkeypatch, asked)
    assert "escalates to leads, 10 min after it was asked" in lines
    wanted = "1 person of finance has to approve and say why, not olga"
    assert any(wanted in line for line in lines)
    done = {"at": ASKED["createdAt"], "by": "ann", "comment": "not mine", "to": ["leads"]}
    lines = lines_of(monkeypatch, {**asked, "escalation": done})
    assert any("by ann, put to leads too: not mine" in line for line in lines)
    assert any("of finance or leads has to" in line for line in lines)
    lines = lines_of(monkeypatch, {**asked, "escalation": {**done, "by": None, "comment": None}})
    assert any("since nobody had answered, put to leads too" in line for line in lines)


def test_what_changed_stands_with_what_it_was(monkeypatch) -> None:
    """The difference between what was shown and what was found."""
    now = {"state": {"disputed": True, "status": "succeeded", "amount": 5}}
    lines = lines_of(monkeypatch, {**ASKED, "witnessNow": now})
    assert "changed amount null -> 5, disputed false -> true" in lines
