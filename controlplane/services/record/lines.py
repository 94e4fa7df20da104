"""Record lines as gateways ship them -> what is stored. Pure.

A line is canonical JSON (`gateway.model.codec`); the very bytes are hashed and stored, and what
is read out of them only serves to find them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.faults import ControlFault, Fault
from controlplane.store.records import NewRecord
from controlplane.store.texts import storable
from gateway.model.codec import canonical_json
from gateway.model.record import EntryKind
from gateway.record.chain import FIRST_SEQ

VERSION = 1
LINE_BYTES_MAX = 1024 * 1024

_KINDS = frozenset(kind.value for kind in EntryKind)


@dataclass(frozen=True, slots=True)
class Line:
    """One parsed line; `prev` is what it says of the line before it."""

    record: NewRecord
    prev: str


def parse_lines(gateway_id: str, texts: Sequence[str]) -> tuple[Line, ...]:
    """Parse a batch: of one gateway, gapless, and each line naming the hash of the one before.

    Raises:
        ControlFault: RECORD_INVALID, naming the first bad line by its place in the batch.
    """
    lines: list[Line] = []
    for index, text in enumerate(texts):
        line = _parse_line(gateway_id, text, index)
        if lines:
            before = lines[-1].record
            if line.record.seq != before.seq + 1:
                raise _invalid(index, "does not follow the line before it")
            if line.prev != before.hash:
                raise _invalid(index, "does not carry the hash of the line before it")
        lines.append(line)
    return tuple(lines)


def _parse_line(gateway_id: str, text: str, index: int) -> Line:
    try:
        data = text.encode("utf-8")
        fields = json.loads(text)
        is_canonical = len(data) <= LINE_BYTES_MAX and canonical_json(fields) == data
    except (ValueError, RecursionError):
        raise _invalid(index, "is not canonical JSON") from None
    # One form only: what two readers could read differently is no proof.
    if not is_canonical:
        raise _invalid(index, "is not canonical JSON, or too long")
    if not isinstance(fields, dict) or fields.get("v") != VERSION:
        raise _invalid(index, "is not a record of version 1")
    if fields.get("gateway") != gateway_id:
        raise _invalid(index, "is of another gateway")
    seq, kind, at, prev = (fields.get(name) for name in ("seq", "kind", "at", "prev"))
    if type(seq) is not int or seq < FIRST_SEQ:
        raise _invalid(index, "has no sequence number")
    if kind not in _KINDS or not isinstance(at, str) or not isinstance(prev, str):
        raise _invalid(index, "lacks a known kind, a time or the hash before it")
    record = NewRecord(
        seq,
        hashlib.sha256(data).hexdigest(),
        text,
        str(kind),
        at,
        _text(fields, "agent"),
        _text(fields, "effect"),
        _text(fields, "decision_id"),
    )
    return Line(record, prev)


def _text(fields: dict[str, object], name: str) -> str | None:
    """A field to search by."""
    value = fields.get(name)
    return storable(value) if isinstance(value, str) else None


def _invalid(index: int, what: str) -> ControlFault:
    return ControlFault(Fault.RECORD_INVALID, f"record {index} of the batch {what}")
