"""Records without a disk, and a disk that fails on demand."""

from __future__ import annotations

import errno
import threading
from dataclasses import dataclass, field
from pathlib import Path

from gateway.model.errors import RecordError
from gateway.model.record import Entry, OutcomeEntry, TunnelEntry
from gateway.record.segments import Disk


class FakeRecords:
    """`ports.RecordSink` in memory. `is_writable` False makes it refuse as the real one does."""

    def __init__(self) -> None:
        self.is_writable = True
        self.entries: list[Entry] = []

    def append(self, entry: Entry) -> None:
        is_past = isinstance(entry, OutcomeEntry) or (
            isinstance(entry, TunnelEntry) and entry.closed
        )
        if not is_past:
            self._check()
        self.entries.append(entry)

    async def append_durably(self, entry: Entry) -> None:
        self._check()
        self.entries.append(entry)

    def _check(self) -> None:
        if not self.is_writable:
            raise RecordError("record.unwritable", "the record can't be written")


@dataclass
class FaultyDisk(Disk):
    """A real disk with faults. `fail_write`, `fail_sync`, `fail_truncate`, `fail_open`: error
    numbers, 0 for none. `torn_bytes` of a failing write reach the file first."""

    fail_open: int = 0
    fail_write: int = 0
    fail_sync: int = 0
    fail_truncate: int = 0
    torn_bytes: int = 0
    writes: int = 0
    syncs: int = 0
    gate: threading.Event | None = field(default=None, repr=False)

    def heal(self) -> None:
        self.fail_open = self.fail_write = self.fail_sync = self.fail_truncate = 0

    def open(self, path: Path, *, create: bool) -> int:
        _fail(self.fail_open)
        return super().open(path, create=create)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self.writes += 1
        if self.fail_write:
            if self.torn_bytes:
                super().write(descriptor, data[: self.torn_bytes])
            _fail(self.fail_write)
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.gate is not None:
            self.gate.wait(20)
        _fail(self.fail_sync)
        super().sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        _fail(self.fail_truncate)
        super().truncate(descriptor, size)


def _fail(number: int) -> None:
    if number:
        raise OSError(number, errno.errorcode[number])
