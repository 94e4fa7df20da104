"""The gateway's own copy of its record: append-only segment files under one lock.

Turns sealed lines into durable bytes, and durable bytes back into lines for the shipper. It seals
nothing and knows nothing of entries. One thread writes; another may read and acknowledge.

INVARIANT(durable): `last_seq` and `head` move only after the bytes are synced. What a failed
write left behind it is cut off before the next byte is written, so a seq is never on disk twice
and a gap can't arise; the caller seals anew from `head`.
INVARIANT(shipped): only durable lines are ever read from here, so the control plane never knows a
line that a crash could take back.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.errors import RecordError
from gateway.record.chain import FIRST_SEQ
from gateway.record.segments import (
    DIRECTORY_MODE,
    FILE_MODE,
    Disk,
    Scan,
    Segment,
    list_segments,
    read_lines,
    scan_segments,
    segment_path,
)

_GATEWAY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ACKNOWLEDGED: Final = "acknowledged.json"
_SCANNED_SEGMENTS: Final = 2
"""Verified at start: the newest, and the one before it for intents that end in the newest. Older
ones were verified when they were newest, and the control plane verifies what it is sent."""


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Limits of the spool.

    `gateway_id` empty: one is made on first start and kept. `segment_bytes_max` bounds what a
    start has to verify (about 0.1 s). `spool_bytes_max` is what a control plane that is gone may
    cost: about a million records; then actions are refused. `backlog_records_max` bounds memory
    while the disk is slow. `flush_seconds_max` is how long an entry that nobody waits for may
    stay in memory. `durable_seconds_max`: a disk that takes longer counts as failed.
    `retry_seconds`: how soon a failed disk is tried again. `segments_kept` acknowledged segments
    stay, so that a control plane restored from a backup can be sent them again.
    """

    gateway_id: str = ""
    segment_bytes_max: int = 8 * 2**20
    spool_bytes_max: int = 2**30
    backlog_records_max: int = 20_000
    flush_seconds_max: float = 0.05
    durable_seconds_max: float = 10.0
    retry_seconds: float = 0.25
    segments_kept: int = 2

    def __post_init__(self) -> None:
        if self.gateway_id and not _GATEWAY_ID.fullmatch(self.gateway_id):
            raise ValueError("gateway_id must be 1 to 64 letters, digits, `.`, `_` or `-`")
        if self.spool_bytes_max < (self.segments_kept + 2) * self.segment_bytes_max:
            raise ValueError("spool_bytes_max must hold segments_kept + 2 segments")


class Spool:
    """An opened, locked and verified spool directory. Make one with `open`."""

    def __init__(
        self,
        directory: Path,
        settings: SpoolSettings,
        disk: Disk,
        lock: int,
        gateway_id: str,
        segments: list[Segment],
        scan: Scan,
    ) -> None:
        self.gateway_id = gateway_id
        self.head = scan.head
        self.last_seq = scan.last_seq
        self.recovered = scan
        self._directory = directory
        self._settings = settings
        self._disk = disk
        self._lock_file = lock
        self._segments = segments
        self._guard = threading.Lock()
        self._descriptor: int | None = None
        self._cursor = (0, 0, 0)
        self.size_bytes = sum(segment.size for segment in segments)
        """Durable bytes now kept."""
        self._acknowledged = max(_load_acknowledged(directory), self.first_seq - 1)

    @classmethod
    def open(cls, directory: Path, settings: SpoolSettings, disk: Disk | None = None) -> Spool:
        """Lock the directory (made if missing), verify its newest lines, cut a torn tail.

        Raises:
            RecordError: `record.spool_locked`, `record.other_gateway`, `record.corrupt`, or
                `record.unwritable`.
        """
        disk = disk or Disk()
        lock = None
        try:
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            directory.chmod(DIRECTORY_MODE)
            lock = _lock(directory)
            gateway_id = _gateway_id(directory, settings.gateway_id)
            segments = list_segments(directory)
            while segments and not segments[-1].size:
                segments.pop().path.unlink()
            scan = scan_segments(segments[-_SCANNED_SEGMENTS:], gateway_id)
            if scan.last_seq < _load_acknowledged(directory):
                raise RecordError(
                    "record.corrupt",
                    f"the spool ends at record {scan.last_seq}, but the control plane has more",
                    retryable=False,
                )
            if segments:
                _cut(segments[-1], disk)
            while segments and not segments[-1].count:
                segments.pop().path.unlink()
            return cls(directory, settings, disk, lock, gateway_id, segments, scan)
        except BaseException as error:
            if lock is not None:
                os.close(lock)
            if isinstance(error, OSError):
                raise unwritable(error) from error
            raise

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return self._directory

    @property
    def tip(self) -> tuple[int, str]:
        """The seq and the hash of the last durable line, as they were together."""
        with self._guard:
            return self.last_seq, self.head

    # --- writing (one thread) ---------------------------------------------------------------------

    def write(self, data: bytes, count: int, head: str) -> None:
        """Append `count` whole lines, the last of which has the hash `head`, and sync them.

        Raises:
            OSError: they are not durable; the spool is as before the call.
        """
        descriptor = self._writable()
        segment = self._segments[-1]
        try:
            found = os.fstat(descriptor)
            if found.st_nlink == 0 or found.st_size != segment.size:
                raise OSError(errno.ESTALE, "the spool file was changed by somebody else")
            view = memoryview(data)
            while view:
                view = view[self._disk.write(descriptor, view) :]
            self._disk.sync(descriptor)
        except BaseException:
            # A sync that failed says nothing about what is on disk, and the next would say "done"
            # without writing. So the file is opened anew, cut, and the lines are written again.
            self._forget_descriptor()
            raise
        with self._guard:
            self.size_bytes += len(data)
            segment.size += len(data)
            segment.count += count
            self.last_seq += count
            self.head = head

    def _writable(self) -> int:
        segment = self._segments[-1] if self._segments else None
        if segment is None or (segment.count and segment.size >= self._settings.segment_bytes_max):
            return self._rotate()
        if self._descriptor is None:
            descriptor = self._disk.open(segment.path, create=False)
            try:
                size = os.fstat(descriptor).st_size
                if size < segment.size:
                    raise OSError(errno.ESTALE, "the spool file lost records that were durable")
                self._disk.truncate(descriptor, segment.size)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _rotate(self) -> int:
        """Begin a segment. A failed start leaves at most an empty file, which is taken again."""
        path = segment_path(self._directory, self.last_seq + 1)
        with suppress(FileNotFoundError):
            path.unlink()
        descriptor = self._disk.open(path, create=True)
        try:
            self._disk.sync_directory(self._directory)
        except BaseException:
            os.close(descriptor)
            raise
        self._forget_descriptor()
        self._descriptor = descriptor
        with self._guard:
            self._segments.append(Segment(path, self.last_seq + 1, 0, 0))
        return descriptor

    def _forget_descriptor(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    # --- reading and acknowledging (another thread) -----------------------------------------------

    @property
    def first_seq(self) -> int:
        """The oldest record still here; one beyond `last_seq` when there is none."""
        segments = self._segments
        return segments[0].first_seq if segments else self.last_seq + 1

    @property
    def acknowledged_seq(self) -> int:
        """Through which record the control plane has everything."""
        return self._acknowledged

    def read(self, after_seq: int, count_max: int, bytes_max: int) -> list[bytes]:
        """Durable lines from `after_seq + 1` on, at least one if there is one."""
        with self._guard:
            segments = [
                Segment(each.path, each.first_seq, each.size, each.count)
                for each in self._segments
                if each.count and each.last_seq > after_seq
            ]
        lines: list[bytes] = []
        total = 0
        for segment in segments:
            skip, offset = max(0, after_seq + 1 - segment.first_seq), 0
            if self._cursor[:2] == (segment.first_seq, skip):
                skip, offset = 0, self._cursor[2]
            for line, end in read_lines(segment, skip, offset):
                total += len(line)
                if lines and (len(lines) >= count_max or total > bytes_max):
                    return lines
                lines.append(line)
                done = after_seq + len(lines) + 1 - segment.first_seq
                self._cursor = (segment.first_seq, done, end)
        return lines

    def acknowledge(self, seq: int) -> None:
        """Remember through which record the control plane has everything, and delete what is
        no longer needed.

        Raises:
            OSError: it could not be remembered; the same records will be sent again.
        """
        self._acknowledged = min(max(seq, self.first_seq - 1), self.last_seq)
        path = self._directory / _ACKNOWLEDGED
        _write_atomically(path, json.dumps({"seq": self._acknowledged}))
        while True:
            with self._guard:
                # INVARIANT(head): the segment that holds the head is never deleted; it is the one
                # before the newest while that is still empty.
                older = [each for each in self._segments if 0 < each.last_seq < self.last_seq]
                done = sum(each.last_seq <= self._acknowledged for each in older if each.count)
                if done <= self._settings.segments_kept:
                    return
                oldest = self._segments.pop(0)
                self.size_bytes -= oldest.size
            oldest.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the directory back."""
        self._forget_descriptor()
        os.close(self._lock_file)


def _load_acknowledged(directory: Path) -> int:
    """A position that is lost or damaged costs only a second sending."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        return int(json.loads((directory / _ACKNOWLEDGED).read_text(encoding="ascii"))["seq"])
    return FIRST_SEQ - 1


def unwritable(error: OSError) -> RecordError:
    """The fault that a failing disk means; names the system's reason, never a path."""
    reason = os.strerror(error.errno).lower() if error.errno else "input/output error"
    return RecordError("record.unwritable", f"the record can't be written: {reason}")


def _lock(directory: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(directory / "lock", flags, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RecordError(
            "record.spool_locked", "another gateway uses this spool directory", retryable=False
        ) from None
    return descriptor


def _gateway_id(directory: Path, given: str) -> str:
    """The id that the spool's chain belongs to; made and kept on first use."""
    path = directory / "gateway_id"
    kept = path.read_text(encoding="ascii").strip() if path.exists() else ""
    if kept and given and kept != given:
        raise RecordError(
            "record.other_gateway",
            f"the spool belongs to gateway `{kept}`, not to `{given}`",
            retryable=False,
        )
    gateway_id = kept or given or f"gw_{secrets.token_hex(8)}"
    if not _GATEWAY_ID.fullmatch(gateway_id):
        raise RecordError("record.corrupt", "the spool's gateway id is damaged", retryable=False)
    if not kept:
        _write_atomically(path, gateway_id + "\n")
    return gateway_id


def _cut(segment: Segment, disk: Disk) -> None:
    """Cut a torn tail and sync the rest: it may have been written by a process that was killed
    before its own sync."""
    descriptor = disk.open(segment.path, create=False)
    try:
        disk.truncate(descriptor, segment.size)
    finally:
        os.close(descriptor)


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
