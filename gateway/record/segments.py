"""The files of a spool: names, the few disk operations, and what a scan of them finds.

A segment holds whole lines and is named after the seq of its first one; as a chain is gapless,
line `i` of a segment has seq `first_seq + i`. Nothing here decides what is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import field
from itertools import pairwise
from pathlib import Path
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.errors import ChainError, RecordError
from gateway.model.record import EntryKind
from gateway.record.chain import FIRST_SEQ, ZERO_HASH, ChainVerifier, line_hash

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
_NAME: Final = re.compile(r"records-(\d{20})\.jsonl")

RECOVERED_EVENT: Final = "recovered"
"""Written at start when the run before left intents without an outcome; they are counted once."""


class Disk:
    """The operations that can fail, in one place, so that a test can make them fail."""

    def open(self, path: Path, *, create: bool) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        return os.open(path, flags, FILE_MODE)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file and make the cut itself durable."""
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(slots=True)
class Segment:
    """One file with what of it is durable: `count` lines in `size` bytes."""

    path: Path
    first_seq: int
    size: int
    count: int

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.count - 1


@dataclass(slots=True)
class Scan:
    """What the newest segments of a spool say.

    `open_intents` are the decision ids of intents that no outcome and no `recovered` event
    follows: what became of them is unknown. `torn_bytes` were cut from the end.
    """

    last_seq: int = FIRST_SEQ - 1
    head: str = ZERO_HASH
    open_intents: dict[str, None] = field(default_factory=dict)
    torn_bytes: int = 0


def segment_path(directory: Path, first_seq: int) -> Path:
    return directory / f"records-{first_seq:020d}.jsonl"


def list_segments(directory: Path) -> list[Segment]:
    """All segments in order. `count` of the last one is not known yet and stays 0."""
    found = []
    for path in directory.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is not None:
            found.append(Segment(path, int(match[1]), path.stat().st_size, 0))
    found.sort(key=lambda segment: segment.first_seq)
    for segment, following in pairwise(found):
        segment.count = following.first_seq - segment.first_seq
    return found


def scan_segments(segments: list[Segment], gateway: str) -> Scan:
    """Verify these neighbouring segments, the last of which may end in a torn line.

    Sets the last one's `size` and `count` to its whole lines; cutting the file is the caller's.

    Raises:
        RecordError: `record.corrupt`, a line that was once whole is not what it was.
    """
    scan = Scan()
    if not segments:
        return scan
    last = segments[-1]
    verifier = ChainVerifier(gateway=gateway, first_seq=segments[0].first_seq)
    for segment in segments:
        data = segment.path.read_bytes()
        lines, whole_bytes = _whole_lines(data, may_be_torn=segment is last)
        if whole_bytes != len(data) and segment is not last:
            raise _corrupt(segment, f"record {segment.last_seq} is not whole")
        try:
            for line in lines:
                _note(scan, verifier.accept(line))
                scan.head = line_hash(line)
            report = verifier.finish()
        except ChainError as error:
            raise _corrupt(segment, error.message) from error
        if segment is not last and len(lines) != segment.count:
            raise _corrupt(segment, f"records up to {segment.last_seq} are missing")
        scan.last_seq = report.last_seq
    scan.torn_bytes = last.size - whole_bytes
    last.size, last.count = whole_bytes, len(lines)
    return scan


def _whole_lines(data: bytes, *, may_be_torn: bool) -> tuple[list[bytes], int]:
    """The lines that end in a newline, and their bytes.

    A write that a crash or a power loss interrupted leaves a line without an end, or (the size
    was written, the data not) NUL bytes, which no canonical line has. Neither was acknowledged.
    """
    if may_be_torn:
        hole = data.find(b"\0")
        if hole >= 0:
            data = data[:hole]
    end = data.rfind(b"\n") + 1
    return (data[: end - 1].split(b"\n") if end else []), end


def _note(scan: Scan, fields: object) -> None:
    assert isinstance(fields, dict)
    match fields.get("kind"):
        case EntryKind.INTENT:
            scan.open_intents[str(fields.get("decision_id"))] = None
        case EntryKind.OUTCOME:
            scan.open_intents.pop(str(fields.get("decision_id")), None)
        case EntryKind.GATEWAY if fields.get("event") == RECOVERED_EVENT:
            scan.open_intents.clear()


def read_lines(segment: Segment, skip: int, offset: int) -> Iterator[tuple[bytes, int]]:
    """The durable lines of a segment from byte `offset`, after `skip` more, each with the offset
    behind it."""
    with segment.path.open("rb") as file:
        file.seek(offset)
        while offset < segment.size:
            line = file.readline()
            offset += len(line)
            if offset > segment.size or not line.endswith(b"\n"):
                return
            if skip:
                skip -= 1
                continue
            yield line[:-1], offset


def _corrupt(segment: Segment, what: str) -> RecordError:
    return RecordError(
        "record.corrupt",
        f"the spool file `{segment.path.name}` is damaged: {what}",
        retryable=False,
    )
