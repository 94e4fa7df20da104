"""Moments of a request's life at which something can be killed, caught where they happen.

A trap waits for a moment of one gateway and acts in the thread that sees it, so that the kill
falls before anything else goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

WATCH_SECONDS = 0.0003
"""Between two looks at a spool. A sync takes longer."""

INTENT = b'"kind":"intent"'


class Moment(StrEnum):
    """When a kill falls."""

    ANY = "any time"
    INTENT_WRITTEN = "intent written"
    ARRIVED = "upstream has it"
    ANSWERED = "upstream answers"
    APPROVED = "just approved"


@dataclass
class Trap:
    """Acts once, at the first moment of this kind; `gateway` None takes any."""

    moment: Moment
    gateway: int | None
    act: Callable[[], None]
    sprung: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spring(self) -> None:
        """Act, unless it has."""
        with self._lock:
            if not self.sprung.is_set():
                try:
                    self.act()
                finally:
                    self.sprung.set()


class Moments:
    """What `tell` is told of, and the traps that wait for it."""

    def __init__(self) -> None:
        self._traps: list[Trap] = []

    def tell(self, moment: Moment, gateway: int) -> None:
        """It is this moment of some request at this gateway."""
        for trap in tuple(self._traps):
            if trap.moment is moment and trap.gateway in {None, gateway}:
                trap.spring()

    @contextmanager
    def set(self, trap: Trap) -> Iterator[None]:
        """Keep the trap set while the block runs."""
        self._traps.append(trap)
        try:
            yield
        finally:
            self._traps.remove(trap)


def watch_intents(spool: Path, is_over: Callable[[], bool], seen: Callable[[], None]) -> None:
    """Call `seen` once when an intent has been written behind what the spool holds now; it may not
    be synced yet. Returns then, or when `is_over`."""
    segment, offset = _end(spool)
    while not is_over():
        newest, size = _end(spool)
        if newest is not None and (newest != segment or size > offset):
            start = offset if newest == segment else 0
            with newest.open("rb") as file:
                file.seek(start)
                if INTENT in file.read():
                    seen()
                    return
            segment, offset = newest, size
        time.sleep(WATCH_SECONDS)


def _end(spool: Path) -> tuple[Path | None, int]:
    segments = sorted(spool.glob("records-*.jsonl"))
    if not segments:
        return None, 0
    try:
        return segments[-1], segments[-1].stat().st_size
    except FileNotFoundError:
        return None, 0
