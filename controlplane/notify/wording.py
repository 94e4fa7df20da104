"""A notice -> the words for people, the same on every channel.

Agents wrote parts of them, so they are cut to length and made printable here; every medium escapes
them in its own way on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from controlplane.notify.notice import Facts, Notice

HEADLINE_LENGTH_MAX = 140
TEXT_LENGTH_MAX = 300
WITNESS_FIELDS_MAX = 6
"""Enough to know the thing by; the dashboard has all of them."""

_STATES = {
    "APPROVED": "Approved",
    "CONSUMED": "Approved and done",
    "DENIED": "Denied",
    "CANCELLED": "Cancelled",
    "EXPIRED": "Expired, nobody answered in time",
    "LAPSED": "Approved, and not used in time",
}


def facts_of(notice: Notice, now: datetime) -> Facts:
    """Say what happened."""
    if notice.is_test:
        return Facts("This channel works: Checkrein can reach you here")
    subject: Mapping[str, Any] = notice.subject
    match notice.kind:
        case "approval":
            return _approval(notice, subject, now)
        case "incident":
            title = printable(subject.get("title"), HEADLINE_LENGTH_MAX)
            verb = "Incident resolved" if notice.event == "incident.resolved" else "Incident"
            return Facts(
                f"{verb}: {title}",
                _lines(
                    ("Severity", subject.get("severity")),
                    ("Why", subject.get("reasonCode")),
                    ("What", subject.get("summary")),
                    ("Run", subject.get("runId")),
                ),
            )
        case "stop":
            name = printable(subject.get("name"), HEADLINE_LENGTH_MAX)
            what = f"{printable(subject.get('scope'), 40)} {name}".strip()
            if notice.event == "stop.lifted":
                return Facts(
                    f"May act again: {what}",
                    _lines(("By", subject.get("liftedBy")), ("Why", subject.get("liftReason"))),
                )
            return Facts(
                f"Stopped: {what}",
                _lines(("By", subject.get("by")), ("Why", subject.get("reason"))),
            )
        case "grant":
            return _grant(notice, subject)
        case "erasure":
            return Facts(
                f"Erased: decision {printable(subject.get('decisionId'), 80)}",
                _lines(("By", subject.get("erasedBy")), ("Why", subject.get("reason"))),
            )
        case "retention":
            held = "a legal hold" if subject.get("legalHold") else subject.get("days")
            return Facts(
                "How long records are kept was changed",
                _lines(
                    ("Days", held),
                    ("By", subject.get("setBy")),
                    ("Why", subject.get("reason")),
                ),
            )
        case _:
            return Facts(printable(notice.event, HEADLINE_LENGTH_MAX))


def state_of(subject: Mapping[str, Any]) -> str:
    """What became of an approval, and who said so; empty while it is open."""
    words = _STATES.get(str(subject.get("status")), "")
    by = printable(subject.get("resolvedBy"), 80)
    answers = subject.get("answers") or ()
    through = printable(answers[-1].get("through"), 20) if answers else ""
    if words and by and subject.get("status") != "EXPIRED":
        words += f" by {by}"
        words += f" ({through})" if through and through != "api" else ""
    comment = printable(subject.get("comment"), TEXT_LENGTH_MAX)
    return f"{words}: {comment}" if words and comment else words


def printable(value: object, length_max: int) -> str:
    """One line of at most so many characters, without anything that steers a terminal, a mail
    header or the direction of writing."""
    if value is None:
        return ""
    text = " ".join(str(value)[: 4 * length_max].split())
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    return text if len(text) <= length_max else text[: length_max - 1] + "…"


def _approval(notice: Notice, subject: Mapping[str, Any], now: datetime) -> Facts:
    words = subject.get("summary") or subject.get("action") or subject.get("reasonCode")
    summary = printable(words, HEADLINE_LENGTH_MAX)
    risk = subject.get("risk") or {}
    factors = ", ".join(
        f"{printable(one.get('name'), 40)} {one.get('points')}"
        for one in (risk.get("factors") or ())[:5]
    )
    witness = subject.get("witness") or {}
    state = witness.get("state")
    score = risk.get("score")
    lines = [
        ("Agent", subject.get("agent")),
        ("Run", subject.get("runId")),
        ("Held because", subject.get("message")),
        ("Rule", " / ".join(str(x) for x in (subject.get("policy"), subject.get("rule")) if x)),
        ("Risk", f"{score} of 100 ({factors})" if factors else score),
        *((f"Now: {printable(key, 40)}", value) for key, value in _first(state)),
        ("Sends", f"one {subject['method']} to {subject.get('authority')}")
        if subject.get("method")
        else ("Asked by", subject.get("requestedBy")),
    ]
    if notice.event == "approval.escalated" and notice.wants_answer:
        lines.insert(0, ("Escalated", "nobody has answered yet; you may"))
    if notice.wants_answer:
        lines.append(("Time left", _left(subject.get("expiresAt"), now)))
    else:
        lines.insert(0, ("Answer", state_of(subject)))
    return Facts(summary[:1].upper() + summary[1:], _lines(*lines))


def _grant(notice: Notice, subject: Mapping[str, Any]) -> Facts:
    what = f"{printable(subject.get('agent'), 60)} may {printable(subject.get('action'), 60)}"
    amount = subject.get("amount") or {}
    revoked = notice.event == "grant.revoked"
    return Facts(
        f"Grant revoked: {what} no more" if revoked else f"Granted: {what} without asking",
        _lines(
            ("By", subject.get("endedBy") if revoked else ", ".join(subject.get("givenBy") or ())),
            ("Why", subject.get("endReason")),
            ("Like", subject.get("summary")),
            ("Uses", f"{subject.get('usesCount')} of {subject.get('usesMax')}"),
            ("Amount", f"{amount['used']} of {amount['max']}" if amount else None),
            ("Risk up to", subject.get("riskMax")),
            ("Until", None if revoked else subject.get("expiresAt")),
        ),
    )


def _first(state: object) -> Sequence[tuple[str, Any]]:
    return list(state.items())[:WITNESS_FIELDS_MAX] if isinstance(state, dict) else ()


def _left(expires_at: object, now: datetime) -> str:
    try:
        until = datetime.fromisoformat(str(expires_at))
    except ValueError:
        return ""
    seconds = int((until.astimezone(UTC) - now).total_seconds())
    if seconds <= 0:
        return "none"
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _lines(*lines: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    shown = ((label, printable(value, TEXT_LENGTH_MAX)) for label, value in lines)
    return tuple((label, text) for label, text in shown if text)
