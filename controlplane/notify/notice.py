"""What people and programs are told: the events that a channel may ask for, one notice of one of
them, and what became of sending it.

A notice holds the thing as the API shows it, so that every channel tells the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.model.codec import JsonValue
from gateway.model.incident import Severity

CHECKPOINT_EVENT: Final = "checkpoint.signed"
"""For programs that keep checkpoints of the log; people have nothing to do about it."""

EVENT_OF: Final[Mapping[tuple[str, str], str]] = {
    ("approval", "PENDING"): "approval.pending",
    ("approval", "ESCALATED"): "approval.escalated",
    ("approval", "APPROVED"): "approval.answered",
    ("approval", "DENIED"): "approval.answered",
    ("approval", "CANCELLED"): "approval.closed",
    ("approval", "EXPIRED"): "approval.closed",
    ("incident", "OPEN"): "incident.opened",
    ("incident", "RESOLVED"): "incident.resolved",
    ("grant", "ACTIVE"): "grant.made",
    ("grant", "REVOKED"): "grant.revoked",
    ("stop", "PULLED"): "stop.pulled",
    ("stop", "LIFTED"): "stop.lifted",
    ("erasure", "REQUEST"): "erasure.made",
    ("retention", "SET"): "retention.changed",
    ("checkpoint", "SIGNED"): CHECKPOINT_EVENT,
}
"""By what the table `events` says; the rest of it is nobody's news."""

RECORDS_EVENT: Final = "record.batch"
"""For programs that want the records themselves, as they come: `services/streaming` sends them."""

EVENTS: Final = (*dict.fromkeys(EVENT_OF.values()), RECORDS_EVENT)

USUAL_EVENTS: Final = (
    "approval.pending", "approval.escalated", "incident.opened", "stop.pulled",
)  # fmt: skip
"""What people are told when nothing else was said."""

PROGRAM_EVENTS: Final = tuple(
    event for event in EVENTS if event not in (CHECKPOINT_EVENT, RECORDS_EVENT)
)
"""What a program is told then: all that happens. Who keeps checkpoints or records asks for them."""

ASKING: Final = frozenset({"approval.pending", "approval.escalated"})
"""Those that want an answer of a person."""

SEVERITIES: Final = tuple(severity.value for severity in Severity)
"""The least first."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One event for one channel. `subject` is the thing as the API shows it now, which may be
    later than the event. `delivery_id` stays the same however often it is sent. `open_url` leads
    to it in the dashboard."""

    delivery_id: uuid.UUID
    event: str
    happened_at: datetime
    kind: str
    subject_id: str
    subject: Mapping[str, JsonValue]
    open_url: str = ""

    @property
    def is_test(self) -> bool:
        return self.event == TEST_EVENT

    @property
    def wants_answer(self) -> bool:
        """Whether it is a question that is still open."""
        return self.kind == "approval" and self.subject.get("status") == "PENDING"


TEST_EVENT: Final = "channel.test"


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side took it. `reference` is what it calls the message, where that is known."""

    reference: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """It did not. `problem` is safe to show and holds no secret. `is_final`: sending it again can't
    help. `retry_after_seconds`: what the other side asked for."""

    problem: str
    is_final: bool = False
    retry_after_seconds: float | None = None


Outcome = Sent | NotSent


@dataclass(frozen=True, slots=True)
class Facts:
    """A notice in words: one sentence, and lines of label and text. Not escaped for any medium."""

    headline: str
    lines: tuple[tuple[str, str], ...] = field(default=())
