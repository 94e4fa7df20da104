"""The durable copy of the counters: a file that is appended to before anything is sent.

INVARIANT(before): what is appended durably is on disk when the call returns. Whoever waits at the
same time waits for one sync. After a failed write nobody knows what is on disk, so the next one
writes everything anew into another file and puts it in the old one's place.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway import telemetry
from gateway.counters.entries import Damaged, Entry, decode_line, encode_line, replay
from gateway.counters.ledger import Ledger
from gateway.model.errors import LimitError
from gateway.process.tasks import wait_at_most
from gateway.record.segments import DIRECTORY_MODE, FILE_MODE, Disk

log = logging.getLogger(__name__)

NAME: Final = "journal"
GATHER_SECONDS: Final = 0.05
"""How long entries that nobody waits for may gather."""

JOURNAL_BYTES_MAX: Final = 8 * 2**20
"""Then it is written anew, without what has ended; it takes as long as reading it at a start."""

DURABLE_SECONDS_MAX: Final = 10.0
"""A disk that takes longer counts as failed."""

Snapshot = Callable[[], Iterable[bytes]]


class Journal:
    """An opened and locked journal. Make one with `open`; one process has it."""

    def __init__(self, directory: Path, lock: int, disk: Disk) -> None:
        self._directory = directory
        self._path = directory / NAME
        self._lock = lock
        self._disk = disk
        self._snapshot: Snapshot = tuple
        self._buffer: list[Entry] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._urgent = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None
        self._file: int | None = None
        self._size = 0
        self._begins_at_bytes = 0
        self._is_stale = True
        self._fault: str | None = None

    @classmethod
    def open(cls, directory: Path, disk: Disk | None = None) -> Journal:
        """Lock a directory (made if missing).

        Raises:
            LimitError: `limit.journal_locked`, or `limit.journal_unreadable`.
        """
        try:
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            lock = os.open(directory / "lock", flags, FILE_MODE)
        except OSError as error:
            raise _unusable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise LimitError(
                "limit.journal_locked", "another gateway uses this journal of limits"
            ) from error
        return cls(directory, lock, disk or Disk())

    def load_into(self, ledger: Ledger, now: int, snapshot: Snapshot) -> None:
        """Do to a ledger what the journal says. From now on `snapshot` gives the whole of it, when
        the journal is written anew.

        Raises:
            LimitError: `limit.journal_damaged`, or `limit.journal_unreadable`.
        """
        self._snapshot = snapshot
        try:
            data = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise _unusable(error) from error
        *lines, torn = data.split(b"\n")
        for number, line in enumerate(lines, start=1):
            try:
                replay(decode_line(line), ledger, now)
            except Damaged as error:
                if number == len(lines) and not torn:
                    return
                raise LimitError(
                    "limit.journal_damaged",
                    f"line {number} of the journal of limits `{self._path}` is damaged: restore "
                    "it, or move it away to begin all counters at zero",
                    retryable=False,
                ) from error

    @property
    def fault(self) -> str | None:
        """What the last writing failed on."""
        return self._fault

    # --- appending --------------------------------------------------------------------------------

    def append(self, entry: Entry) -> None:
        """Write soon."""
        if self._fault is not None and not self._waiting:
            # The next who waits tries again, and writes all there is.
            return
        self._buffer.append(entry)
        self._begin()

    async def append_durably(self, entry: Entry) -> None:
        """Write, and return once it is on disk.

        Raises:
            LimitError: `limit.journal_unwritable`. It may be on disk all the same.
        """
        self._buffer.append(entry)
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append(durable)
        self._urgent.set()
        self._begin()
        try:
            async with asyncio.timeout(DURABLE_SECONDS_MAX):
                await durable
        except TimeoutError as error:
            raise _unusable(OSError(errno.ETIMEDOUT, "")) from error

    async def close(self) -> None:
        """Write what is left, and give the directory back."""
        self._urgent.set()
        while self._flushing is not None and not self._flushing.done():
            await asyncio.wait({self._flushing})
        self.give_back()

    def give_back(self) -> None:
        """Close the files, and let another process have them."""
        self._forget_file()
        os.close(self._lock)

    def _begin(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush(), name="limits-journal")

    async def _flush(self) -> None:
        while self._buffer:
            await wait_at_most(self._urgent, GATHER_SECONDS)
            self._urgent.clear()
            entries, self._buffer = self._buffer, []
            waiting, self._waiting = self._waiting, []
            fault = await self._flush_batch(entries)
            self._fault = None if fault is None else fault.message
            for durable in waiting:
                if durable.done():
                    continue
                if fault is None:
                    durable.set_result(None)
                else:
                    durable.set_exception(fault)

    async def _flush_batch(self, batch: list[Entry]) -> LimitError | None:
        grown = self._size - self._begins_at_bytes
        try:
            if self._is_stale or grown > max(JOURNAL_BYTES_MAX, self._begins_at_bytes):
                # The ledger is asked here, where it has all entries and nobody can change it.
                await asyncio.to_thread(self._rewrite, self._snapshot())
            else:
                await asyncio.to_thread(self._write, encode_line(batch))
        except OSError as error:
            self._is_stale = True
            return _unusable(error)
        except Exception as error:
            log.exception("journal of limits failed")
            telemetry.BUGS.inc()
            self._is_stale = True
            return _unusable(OSError(errno.EIO, str(error)))
        return None

    # --- the file (in a thread, one call at a time) -----------------------------------------------

    def _write(self, lines: bytes) -> None:
        assert self._file is not None, "a journal that is not stale has a file"
        found = os.fstat(self._file)
        if found.st_nlink == 0 or found.st_size != self._size:
            raise OSError(errno.ESTALE, "the journal was changed by somebody else")
        self._size += self._write_all(self._file, lines)
        self._disk.sync(self._file)

    def _rewrite(self, lines: Iterable[bytes]) -> None:
        self._forget_file()
        new = self._path.with_name(f"{NAME}.new")
        with suppress(FileNotFoundError):
            new.unlink()
        file = self._disk.open(new, create=True)
        try:
            size = sum(self._write_all(file, line) for line in lines)
            self._disk.sync(file)
            new.replace(self._path)
            self._disk.sync_directory(self._directory)
        except BaseException:
            os.close(file)
            with suppress(OSError):
                new.unlink()
            raise
        self._file = file
        self._size = self._begins_at_bytes = size
        self._is_stale = False

    def _write_all(self, file: int, lines: bytes) -> int:
        view = memoryview(lines)
        while view:
            view = view[self._disk.write(file, view) :]
        return len(lines)

    def _forget_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None


def _unusable(error: OSError) -> LimitError:
    """Names the system's reason, never a path."""
    reason = os.strerror(error.errno).lower() if error.errno else "input/output error"
    return LimitError(
        "limit.journal_unwritable", f"the journal of limits can't be written: {reason}"
    )
