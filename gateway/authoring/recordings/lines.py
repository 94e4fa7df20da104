"""Reads JSON lines: requests as `mappers map` takes them, or the record of a gateway.

Both may stand in one file. A line of a record that is no decision (an outcome, a start) says
nothing about requests and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import orjson

from gateway.authoring.recordings.traffic import Entry, Recorded, Unread, Written
from gateway.authoring.requests import LINE_BYTES_MAX, MalformedRequestError, parse_request_line
from gateway.model.action import UNKNOWN_OPERATION, Kind
from gateway.record.verifying.line_facts import BESIDE_RECORDS

_RECORD_SIGN: Final = re.compile(rb'"(?:gateway|prev)"\s*:')
_PORT: Final = re.compile(r":\d{1,5}\Z")
_DECIDED: Final = ("intent", "decision")


def read_lines(stream: BinaryIO) -> Iterator[Entry]:
    """Give what the lines say, in order; a line that is neither gives `Unread`."""
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        place = f"line {number}"
        if len(line) > LINE_BYTES_MAX:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LINE_BYTES_MAX)
            yield Unread(place, "it is too long")
            continue
        if not line.strip() or line.startswith(BESIDE_RECORDS):
            continue
        written = _record(line) if _RECORD_SIGN.search(line) else None
        if written is not None:
            yield from _written(place, written)
            continue
        try:
            yield Recorded(place, parse_request_line(line))
        except MalformedRequestError as error:
            yield Unread(place, error.message)


def _record(line: bytes) -> Mapping[str, Any] | None:
    """The fields of a record line, None for another line."""
    try:
        value = orjson.loads(line)
    except ValueError:
        return None
    is_record = isinstance(value, dict) and "gateway" in value and "seq" in value
    return value if is_record else None


def _written(place: str, record: Mapping[str, Any]) -> Iterator[Entry]:
    kind, authority = record.get("kind"), record.get("authority")
    # The intent behind an approval repeats the decision that asked for it.
    if kind not in _DECIDED or (kind == "intent" and record.get("approval")):
        return
    actions = record.get("actions")
    if not isinstance(authority, str) or not isinstance(actions, list):
        yield Unread(place, "a decision without authority or actions")
        return
    acts = [action for action in actions if isinstance(action, dict)]
    yield Written(
        place,
        str(record.get("method") or ""),
        _PORT.sub("", authority).strip("[]"),
        str(record.get("path") or "").partition("?")[0],
        str(acts[0].get("operation") or "") if acts else "",
        bool(acts) and not any(map(_is_unmapped, acts)),
        str(record.get("refused") or ""),
    )


def _is_unmapped(action: Mapping[str, Any]) -> bool:
    """Nothing fitted: the action has no name of its own. A mapped act may be of kind unknown."""
    return action.get("action") == UNKNOWN_OPERATION or (
        action.get("operation") == UNKNOWN_OPERATION and action.get("kind") == Kind.UNKNOWN
    )
