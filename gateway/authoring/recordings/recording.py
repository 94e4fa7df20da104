"""Opens a recording of whatever format and gives what is in it, one request at a time.

Formats: HAR (browsers), mitmproxy's flows, JSON lines of requests (`mappers map`), and the record
lines of a gateway (`audit export`). Never holds more than one entry, whatever the file's size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

from gateway.authoring.recordings.flows import read_flows
from gateway.authoring.recordings.har import read_har
from gateway.authoring.recordings.lines import read_lines
from gateway.authoring.recordings.traffic import Entry, RecordingError

HEAD_BYTES = 4_096
"""As much as tells one format from another."""

_FLOWS = re.compile(rb"[0-9]{1,12}:")
_HAR = re.compile(rb"\s*\{\s*\"log\"\s*:")


class Format(StrEnum):
    HAR = "har"
    FLOWS = "flows"
    LINES = "lines"


def format_of(head: bytes) -> Format:
    """Tell the format by a file's first bytes.

    Raises:
        RecordingError: it is none of them.
    """
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _FLOWS.match(head):
        return Format.FLOWS
    if _HAR.match(head):
        return Format.HAR
    if head.lstrip().startswith(b"{"):
        return Format.LINES
    if not head.strip():
        raise RecordingError("the recording is empty")
    raise RecordingError("this is neither a HAR file, nor mitmproxy's flows, nor JSON lines")


def read_recording(stream: BinaryIO) -> Iterator[Entry]:
    """Give the entries of a recording in their order. `stream` must be buffered.

    Raises:
        RecordingError: it can't be read any further.
    """
    peek = getattr(stream, "peek", None)
    assert peek is not None, "the format is told by looking ahead"
    match format_of(peek(HEAD_BYTES)[:HEAD_BYTES]):
        case Format.FLOWS:
            yield from read_flows(stream)
        case Format.HAR:
            yield from read_har(stream)
        case Format.LINES:
            yield from read_lines(stream)
