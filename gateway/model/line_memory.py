"""What header lines say, kept for the next time: most of them come with every message.

    known: dict[bytes, Header] = {}
    header = known.get(line) or remember(known, line, len(line), read(line))

Whoever sends lines chooses what is kept, so that it is bounded in number and in length.
"""

from __future__ import annotations

from typing import Final, TypeVar

LINES_MAX: Final = 1_024
LINE_BYTES_MAX: Final = 512
"""Half a megabyte at most, and more than some dozens of clients with the same twenty headers each
need."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def remember(memory: dict[_Key, _Value], line: _Key, size: int, said: _Value) -> _Value:
    """Keep what a line of `size` bytes says, unless it is long, and return it. A full memory
    forgets all: to know which lines come no more would cost at each that does."""
    if size <= LINE_BYTES_MAX:
        if len(memory) >= LINES_MAX:
            memory.clear()
        memory[line] = said
    return said
