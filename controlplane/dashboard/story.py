"""The records of one decision, its approval and the answers to it -> chapters in the order of time.
Pure.

A line is canonical JSON of a known kind and nothing else of it was ever checked, so each field is
read as if it could be anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from controlplane.dashboard.wording import duration, micros
from controlplane.store.approvals import AnswerRow, ApprovalRow
from controlplane.store.explorer import StoryRecord
from gateway.model.record import EntryKind, Outcome

FACTS_MAX: Final = 40
ACTIONS_MAX: Final = 10
"""Of one request; the record has all that its gateway spelled out."""

Facts = Sequence[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Chapter:
    """`tone` is good, warn or bad where it is one of these. `digest` names what proves it: the hash
    of `record`, or the digest of what was asked about."""

    title: str
    at: datetime | str | None
    text: str = ""
    facts: Facts = ()
    tone: str = ""
    digest: str = ""
    record: StoryRecord | None = None


class Loose(dict[str, Any]):
    """A JSON object whose missing fields are None: nobody promised them."""

    def __missing__(self, name: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Story:
    """`first` are the fields of the decision itself, `main` those of its first action, `lines`
    every record with its fields; `factors` what its risk is made of, `watched` what rules in
    monitor mode would have done, `limits` what the counters said."""

    first: Mapping[str, Any]
    main: Mapping[str, Any]
    factors: Sequence[Mapping[str, Any]]
    watched: Sequence[Mapping[str, Any]]
    limits: Sequence[Mapping[str, Any]]
    chapters: Sequence[Chapter]
    lines: Sequence[tuple[StoryRecord, Mapping[str, Any]]]
    actions: Sequence[Mapping[str, Any]]


_OUTCOMES: Final = {
    Outcome.EXECUTED: ("Executed", "good"),
    Outcome.REFUSED: ("Refused", "bad"),
    Outcome.NOT_SENT: ("Not sent", "warn"),
    Outcome.UNKNOWN: ("Nobody saw how it ended", "bad"),
}

_ERASED: Final = (
    "What its records said is erased, by age or on request; their places in the log stay."
)

_ANSWERS: Final = {"APPROVED": "Approved", "DENIED": "Denied", "CANCELLED": "Cancelled"}
_TONES: Final = {"APPROVED": "good", "DENIED": "bad"}
_ENDS: Final = {
    "EXPIRED": "Nobody answered in time",
    "LAPSED": "Approved, and not used in time",
    "CANCELLED": "Withdrawn",
}


def tell(
    records: Sequence[StoryRecord], approval: ApprovalRow | None, answers: Sequence[AnswerRow]
) -> Story:
    """Put a story together; `records` is not empty, and in the order in which they came."""
    lines = [(record, _fields(record.line)) for record in records]
    decided = [line for line in lines if line[0].kind in (EntryKind.INTENT, EntryKind.DECISION)]
    record, first = decided[0] if decided else lines[0]
    chapters = [_intercepted(first), _understood(first), _decided(record, first)] if decided else []
    if approval is not None:
        chapters += _asked(approval, answers)
    chapters += [_released(*line) for line in decided[1:] if line[0].kind == EntryKind.INTENT]
    outcomes = [line for line in lines if line[0].kind == EntryKind.OUTCOME]
    chapters += [_ended(*line) for line in outcomes]
    if decided and not outcomes:
        chapters.append(Chapter("No outcome yet", None, "Nothing is recorded of how it ended."))
    if any(record.is_erased for record in records):
        chapters.append(Chapter("Erased", None, _ERASED, tone="warn"))
    actions = _objects(first, "actions")
    risk = first.get("risk")
    return Story(
        first,
        actions[0] if actions else Loose(),
        _objects(risk, "factors") if isinstance(risk, dict) else [],
        _objects(first, "watched"),
        _objects(first, "limits"),
        chapters,
        lines,
        actions[:ACTIONS_MAX],
    )


def _intercepted(first: Mapping[str, Any]) -> Chapter:
    where = f"{_text(first, 'method')} {_text(first, 'authority')}{_text(first, 'path')}".strip()
    facts = [
        ("Request", _text(first, "request_id")),
        ("Body", f"{first['body_bytes']} bytes" if first.get("body_bytes") else ""),
        ("Digest of the body", _text(first, "body_digest")),
        ("Digest of the query", _text(first, "query_digest")),
    ]
    return Chapter("Intercepted", _text(first, "at"), where, _there(facts))


def _understood(first: Mapping[str, Any]) -> Chapter:
    actions = _list(first, "actions")
    refused = _text(first, "refused")
    if refused:
        return Chapter(
            "Not understood", _text(first, "at"), f"It could be read in two ways: {refused}",
            tone="bad",
        )  # fmt: skip
    count = first.get("actions_total") or len(actions)
    text = "" if count == 1 else f"{count} actions in one request"
    return Chapter(
        "Understood", _text(first, "at"), text, digest=_text(first, "digest"),
        facts=_there([("Provider", _text(first, "provider"))]),
    )  # fmt: skip


def _decided(record: StoryRecord, first: Mapping[str, Any]) -> Chapter:
    return Chapter(
        "Decided", _text(first, "at"), _text(first, "message"),
        _there([
            ("Reason", _text(first, "reason_code")),
            ("Could not be evaluated", _text(first, "unresolved")),
            ("Bundle", _text(first, "revision")),
        ]),
        digest=record.hash, record=record,
    )  # fmt: skip


def _asked(approval: ApprovalRow, answers: Sequence[AnswerRow]) -> list[Chapter]:
    asked = approval.question
    groups = ", ".join(asked.approver_groups)
    facts = _there(
        [
            ("Who may answer", groups or "whoever may approve"),
            ("How many must", asked.quorum if asked.quorum > 1 else ""),
            ("Time to answer", duration(asked.timeout_seconds)),
            ("Witness", asked.witness_hash or ""),
        ]
    )
    chapters = [
        Chapter(
            "A person was asked", approval.created_at, asked.summary, facts, "warn",
            asked.request_digest,
        )
    ]  # fmt: skip
    if approval.escalated_at is not None:
        who = approval.escalated_by or "the time that was set for it"
        chapters.append(
            Chapter("Escalated", approval.escalated_at, approval.escalation_comment or "",
                    [("By", who)], "warn")
        )  # fmt: skip
    for answer in answers:
        title = _ANSWERS.get(answer.answer.value, answer.answer.value)
        through = answer.through.value if answer.through else ""
        chapters.append(
            Chapter(
                f"{title} by {answer.answered_by}", answer.answered_at, answer.comment or "",
                _there([("Through", through)]), _TONES.get(answer.answer.value, ""),
            )
        )  # fmt: skip
    status = approval.status_now.value
    if status in _ENDS and not any(answer.answer.value == status for answer in answers):
        chapters.append(
            Chapter(_ENDS[status], approval.resolved_at or approval.expires_at,
                    approval.comment or "", tone="bad")
        )  # fmt: skip
    if approval.consumed_at is not None:
        chapters.append(Chapter("The approval was used", approval.consumed_at, tone="good"))
    if approval.witness_now_hash:
        facts = [("Then", asked.witness_hash or ""), ("Now", approval.witness_now_hash)]
        chapters.append(
            Chapter("The world had changed", approval.resolved_at, "", _there(facts), "bad")
        )
    return chapters


def _released(record: StoryRecord, fields: Mapping[str, Any]) -> Chapter:
    return Chapter(
        "Sent", _text(fields, "at"), "The intent was durable before the first byte left.",
        digest=record.hash, record=record,
    )  # fmt: skip


def _ended(record: StoryRecord, fields: Mapping[str, Any]) -> Chapter:
    title, tone = _OUTCOMES.get(_text(fields, "outcome"), ("Ended", ""))  # type: ignore[call-overload]
    took = fields.get("duration_us")
    witness = fields.get("witness")
    witness = witness if isinstance(witness, dict) else {}
    facts = [
        ("Answered with", fields.get("status")),
        ("Why", _text(fields, "code")),
        ("Took", micros(took) if type(took) is int and 0 < took < 10**15 else ""),
        ("Answer", f"{fields['response_bytes']} bytes" if fields.get("response_bytes") else ""),
        ("Witness, asked", _text(witness, "asked")),
        ("Witness, found", _text(witness, "found")),
    ]
    return Chapter(title, _text(fields, "at"), "", _there(facts), tone, record.hash, record)


def _fields(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line, object_hook=Loose)
    except (ValueError, RecursionError):
        return Loose()
    return found if isinstance(found, dict) else Loose()


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []


def _objects(fields: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return [each for each in _list(fields, name) if isinstance(each, dict)][:FACTS_MAX]


def _there(facts: Facts) -> Facts:
    return [(name, value) for name, value in facts if value not in (None, "")][:FACTS_MAX]
