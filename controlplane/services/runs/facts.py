"""Record lines -> what runs and incidents are made of. Pure.

A line was accepted as canonical JSON of a known kind and nothing else was checked of it, so every
field is read as if it could be anything: what has the wrong type is left out, what is long is cut,
and no line makes this raise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controlplane.store.projection import NewStep, SeenRecord
from controlplane.store.texts import storable
from gateway.model.effect import Effect, Mode
from gateway.model.record import EntryKind, Outcome

NAME_LENGTH_MAX = 256
TEXT_LENGTH_MAX = 512

AGE_MAX = timedelta(days=3_660)
"""No gateway's spool waits longer to be shipped."""

MICROS_MAX = 7 * 86_400 * 1_000_000
"""No upstream takes a week to answer."""

RECOVERED = "recovered"
"""What a gateway says at its start when it went down before in the midst of acts."""


@dataclass(frozen=True, slots=True)
class OutcomeFact:
    """What became of a decision, as far as runs, incidents and the overview need it. `micros` is
    how long the upstream took, None where it did not answer."""

    decision_id: str
    at: datetime
    is_unknown: bool
    code: str | None
    approval_id: str | None
    micros: int | None = None
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class RecoveredFact:
    """A gateway went down and left acts without an outcome."""

    record: SeenRecord
    at: datetime


Fact = NewStep | OutcomeFact | RecoveredFact


def read_fact(record: SeenRecord) -> Fact | None:
    """What a record tells; None where that is nothing that is followed here."""
    if record.kind not in _READERS:
        return None
    try:
        fields = json.loads(record.line)
    except (ValueError, RecursionError):
        return None
    return _READERS[record.kind](record, fields) if isinstance(fields, dict) else None


def _step(record: SeenRecord, fields: Mapping[str, Any]) -> NewStep | None:
    """The first record of a decision. The intent that follows an approval is the second one: it
    names the approval that was used."""
    is_second = record.kind == EntryKind.INTENT and isinstance(fields.get("approval"), dict)
    decision_id, agent = _text(fields, "decision_id"), _text(fields, "agent")
    effect, mode = _text(fields, "effect"), _text(fields, "mode")
    if is_second or not decision_id or not agent or effect not in set(Effect):
        return None
    actions = [each for each in _list(fields, "actions") if isinstance(each, dict)]
    # The one that changes something tells more than the reads beside it.
    main = next((each for each in actions if each.get("kind") != "read"), (actions or [{}])[0])
    target = main.get("target")
    target = target if isinstance(target, dict) else {}
    risk = fields.get("risk")
    return NewStep(
        record.record_id,
        record.received_at,
        _moment(fields, record),
        decision_id,
        agent,
        _text(fields, "run"),
        _text(main, "provider") or _text(fields, "provider"),
        _text(main, "operation"),
        _text(main, "action"),
        _text(main, "kind"),
        _text(target, "type"),
        _text(target, "id"),
        len(actions),
        effect,
        mode if mode in set(Mode) else Mode.ENFORCE,
        _text(fields, "policy") or None,
        _text(fields, "rule") or None,
        _text(fields, "reason_code"),
        _text(fields, "message", TEXT_LENGTH_MAX),
        _score(risk.get("score")) if isinstance(risk, dict) else None,
        _text(fields, "digest") or None,
    )


def _outcome(record: SeenRecord, fields: Mapping[str, Any]) -> OutcomeFact | None:
    decision_id = _text(fields, "decision_id")
    if not decision_id:
        return None
    approval = fields.get("approval")
    return OutcomeFact(
        decision_id,
        _moment(fields, record),
        fields.get("outcome") == Outcome.UNKNOWN,
        _text(fields, "code") or None,
        (_text(approval, "id") or None) if isinstance(approval, dict) else None,
        *_answer(fields),
    )


def _answer(fields: Mapping[str, Any]) -> tuple[int | None, bool]:
    """How long the upstream took, and whether it failed."""
    status, micros = fields.get("status"), fields.get("duration_us")
    if type(status) is not int or type(micros) is not int or not 0 <= micros <= MICROS_MAX:
        return None, False
    return micros, status >= 500


def _gateway(record: SeenRecord, fields: Mapping[str, Any]) -> RecoveredFact | None:
    is_recovered = fields.get("event") == RECOVERED
    return RecoveredFact(record, _moment(fields, record)) if is_recovered else None


_READERS = {
    EntryKind.INTENT.value: _step,
    EntryKind.DECISION.value: _step,
    EntryKind.OUTCOME.value: _outcome,
    EntryKind.GATEWAY.value: _gateway,
}


def _moment(fields: Mapping[str, Any], record: SeenRecord) -> datetime:
    """When it happened by the gateway's clock, never later than it came here. What can't be meant
    is taken for that moment, too."""
    try:
        at = datetime.fromisoformat(_text(fields, "at"))
        age = record.received_at - at if at.tzinfo else AGE_MAX
    except (ValueError, OverflowError):
        return record.received_at
    return at if timedelta() <= age < AGE_MAX else record.received_at


def _text(fields: Mapping[str, Any], name: str, length_max: int = NAME_LENGTH_MAX) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    return storable(value[:length_max]).encode(errors="replace").decode()


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []


def _score(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= 100 else None
