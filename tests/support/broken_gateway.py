"""`python -m tests.support.broken_gateway`: the gateway, with faults that no machine has on demand.

Each is switched by a file in the folder that FAULTS_FOLDER names, so that a test breaks and mends a
process that runs. Everything else is the product's own.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gateway.record.segments
from gateway.__main__ import main
from gateway.decide.bundle import Bundle

FOLDER = Path(os.environ["FAULTS_FOLDER"])
LOOP_SECONDS = 1.0
"""How long a decision that never ends takes: a test has to end."""

_decide = Bundle.decide
_sync = os.fdatasync
_write = os.write
_now = time.time_ns


def _is_on(name: str) -> bool:
    return (FOLDER / name).exists()


def decide(self: Bundle, *arguments: Any) -> Any:
    """The engine, or what it must never be."""
    if _is_on("raises"):
        raise RuntimeError("the engine")
    if _is_on("recurses"):
        return decide(self, *arguments)
    if _is_on("has no memory"):
        raise MemoryError
    decision = _decide(self, *arguments)
    if _is_on("says perhaps"):
        return replace(decision, effect="PERHAPS")
    if _is_on("says nothing"):
        return None
    if _is_on("loops"):
        began = time.monotonic()
        while time.monotonic() < began + LOOP_SECONDS:
            pass
    return decision


class BrokenDisk(gateway.record.segments.Disk):
    """A disk whose errors a test chooses."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if _is_on("write EIO"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if _is_on("write EROFS"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        if _is_on("sync EIO"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def time_ns() -> int:
    """The clock of the machine, moved by what the file `clock` says in seconds."""
    try:
        moved = float((FOLDER / "clock").read_text() or 0)
    except FileNotFoundError:
        moved = 0.0
    return _now() + int(moved * 1e9)


if __name__ == "__main__":
    Bundle.decide = decide  # type: ignore[method-assign,assignment]
    import gateway.record.spool as spool

    spool.Disk = BrokenDisk  # type: ignore[misc]
    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    sys.exit(main())
