"""A stream of bytes -> batches of whole lines, in memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from gateway.record.verifying.line_facts import LINE_BYTES_MAX

BLOCK_BYTES: Final = 1 << 20
"""Read at once: large enough that reading costs nothing beside hashing."""

Progress = Callable[[int], None]
"""Is told how many bytes were read in all."""


class Readable(Protocol):
    """What can be read: a file, a pipe, an answer."""

    def read(self, size: int, /) -> bytes: ...


class TooLongError(ValueError):
    """A line is longer than any record."""


class Lines:
    """The lines of a stream. `rest` is what stood after the last newline, once all was read."""

    def __init__(self, stream: Readable, progress: Progress | None = None) -> None:
        self._stream = stream
        self._progress = progress
        self._ready: list[bytes] = []
        self._done_bytes = 0
        self.rest = b""

    def first(self) -> bytes | None:
        """The next line alone; None at the end.

        Raises:
            TooLongError: no newline comes in reach.
        """
        for batch in self.batches():
            self._ready = batch[1:]
            return batch[0]
        return None

    def batches(self) -> Iterator[list[bytes]]:
        """All further lines, some thousand at a time.

        Raises:
            TooLongError: no newline comes in reach.
        """
        if self._ready:
            ready, self._ready = self._ready, []
            yield ready
        while block := self._stream.read(BLOCK_BYTES):
            self._done_bytes += len(block)
            if self._progress is not None:
                self._progress(self._done_bytes)
            if b"\n" not in block:
                self.rest += block
                if len(self.rest) > LINE_BYTES_MAX:
                    raise TooLongError(f"a line has more than {LINE_BYTES_MAX} bytes")
                continue
            lines = (self.rest + block).split(b"\n")
            self.rest = lines.pop()
            yield lines
