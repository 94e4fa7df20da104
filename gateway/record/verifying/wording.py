"""A report -> the lines that a person reads. Plain text; whoever prints them adds colours."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from gateway.record.verifying.report import Kind, Report, Status


class Tone(StrEnum):
    """How a line is meant."""

    GOOD = "green"
    BAD = "red"
    DOUBTFUL = "yellow"
    ASIDE = "dim"


Line = tuple[Tone, str]

_VERDICTS = {
    Status.VERIFIED: (Tone.GOOD, "VERIFIED"),
    Status.TAMPERED: (Tone.BAD, "TAMPERED"),
    Status.INCOMPLETE: (Tone.DOUBTFUL, "INCOMPLETE"),
}
_OPEN_SHOWN = 10


def report_lines(report: Report) -> Iterator[Line]:
    """The verdict first, then why, then what it covers."""
    tone, word = _VERDICTS[report.status]
    yield tone, f"{word}: {_subject(report)}"
    for found in report.breaks:
        place = "" if found.index is None else f"index {found.index}: "
        place += f"gateway {found.gateway}: " if found.gateway else ""
        yield Tone.BAD, f"  {place}{found.message}"
    for text in report.lacks:
        yield Tone.DOUBTFUL, f"  lacking: {text}"
    for text in report.notes:
        yield Tone.DOUBTFUL, f"  note: {text}"
    yield from _coverage(report)
    yield from _open_intents(report)


def _subject(report: Report) -> str:
    count = report.record_count
    noun = "record" if count == 1 else "records"
    match report.kind:
        case Kind.CONSISTENCY:
            return "a proof that a log only grew"
        case Kind.PROOF:
            return f"the proof of {count} {noun}"
        case _:
            return f"{count} {noun}"


def _coverage(report: Report) -> Iterator[Line]:
    if (log := report.log) is not None:
        pinned = "given by you" if log.is_key_pinned else "from the file, not given by you"
        yield Tone.ASIDE, f"  log {log.origin}, {log.size} records, root {log.root}"
        yield Tone.ASIDE, f"  key {log.key} ({pinned})"
        for extension in log.extensions:
            yield Tone.ASIDE, f"  signed {extension}"
    for part in report.gateways:
        erased = f", {part.erased_count} erased" if part.erased_count else ""
        span = f"records {part.first_seq} to {part.last_seq}{erased}"
        signed = f"signed through {part.signed_seq}, head {part.head}"
        yield Tone.ASIDE, f"  gateway {part.gateway}: {span}, {signed}"


def _open_intents(report: Report) -> Iterator[Line]:
    for intent in report.open_intents[:_OPEN_SHOWN]:
        place = f"{intent.gateway} record {intent.seq} (index {intent.index})"
        yield Tone.DOUBTFUL, f"  no outcome yet: {place}, decision {intent.decision_id}"
    more = report.open_count - min(len(report.open_intents), _OPEN_SHOWN)
    if more:
        yield Tone.DOUBTFUL, f"  and {more} more without an outcome"
