"""What a verification found: what was proven, what contradicts, and what lacks its evidence."""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum, StrEnum
from typing import Any, Final

from gateway.model.dataclass import dataclass

BREAKS_MAX: Final = 100
"""Contradictions that a report names; the first of them matters."""
OPEN_SHOWN_MAX: Final = 100
"""Intents without an outcome that a report names; all are counted."""


class Status(IntEnum):
    """What a command ends with. `INCOMPLETE`: nothing contradicts, but evidence is lacking."""

    VERIFIED = 0
    TAMPERED = 1
    USAGE = 2
    INCOMPLETE = 3


class Kind(StrEnum):
    """What was verified."""

    EXPORT = "export"
    PROOF = "proof"
    CONSISTENCY = "consistency"
    SPOOL = "spool"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Break:
    """A contradiction. `index` is the record's place in the log (in a file without a log: its
    line), None where it can't be told; `gateway` is empty and `seq` 0 likewise."""

    message: str
    index: int | None = None
    gateway: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An act that was about to be sent and has no outcome here: under way, or never known."""

    index: int
    gateway: str
    seq: int
    decision_id: str


@dataclass(slots=True)
class GatewayPart:
    """The lines of one gateway that were looked at. Through `signed_seq` its own key vouches."""

    gateway: str
    first_seq: int
    last_seq: int
    count: int
    erased_count: int
    head: str
    signed_seq: int = 0
    is_key_pinned: bool = False


@dataclass(slots=True)
class LogPart:
    """The tenant's log that was looked at: records [first, first + count) of `size`."""

    origin: str
    first: int
    count: int
    size: int
    root: str
    key: str
    is_key_pinned: bool
    extensions: tuple[str, ...] = ()


@dataclass(slots=True)
class Report:
    """The verdict on one file."""

    kind: Kind
    record_count: int = 0
    breaks: list[Break] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    log: LogPart | None = None
    gateways: list[GatewayPart] = field(default_factory=list)
    open_intents: list[OpenIntent] = field(default_factory=list)
    open_count: int = 0

    @property
    def status(self) -> Status:
        if self.breaks:
            return Status.TAMPERED
        return Status.INCOMPLETE if self.lacks else Status.VERIFIED

    def waive(self, lack: str) -> None:
        """Take what is lacking for something that is only to be said."""
        if lack in self.lacks:
            self.lacks.remove(lack)
            self.notes.append(lack)

    def found(self, *breaks: Break) -> Report:
        """Add contradictions; the first record comes first."""
        self.breaks = sorted([*self.breaks, *breaks], key=_place)[:BREAKS_MAX]
        return self

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON value."""
        return {
            "status": self.status.name.lower(),
            "intact": not self.breaks,
            "kind": self.kind.value,
            "records": self.record_count,
            "breaks": [
                {"index": b.index, "gateway": b.gateway, "seq": b.seq, "message": b.message}
                for b in self.breaks
            ],
            "lacks": self.lacks,
            "notes": self.notes,
            "log": None if self.log is None else _log_json(self.log),
            "chains": [
                {
                    "gateway": g.gateway,
                    "records": g.count,
                    "firstSeq": g.first_seq,
                    "lastSeq": g.last_seq,
                    "erased": g.erased_count,
                    "head": g.head,
                    "signedSeq": g.signed_seq,
                    "keyPinned": g.is_key_pinned,
                }
                for g in self.gateways
            ],
            "openCount": self.open_count,
            "open": [
                {"index": i.index, "gateway": i.gateway, "seq": i.seq, "decisionId": i.decision_id}
                for i in self.open_intents
            ],
        }


def _place(found: Break) -> float:
    return float("inf") if found.index is None else found.index


def _log_json(log: LogPart) -> dict[str, Any]:
    return {
        "origin": log.origin,
        "first": log.first,
        "count": log.count,
        "size": log.size,
        "root": log.root,
        "key": log.key,
        "keyPinned": log.is_key_pinned,
        "extensions": list(log.extensions),
    }
