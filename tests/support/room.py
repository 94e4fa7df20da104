"""Whether there is room for what the whole suite puts on a disk, before it begins.

A database that can't write fails in a hundred tests, each with a fault of its own.
"""

from __future__ import annotations

import shutil
import tempfile

NEEDED_BYTES = 2_500_000_000
"""Databases, records and logs of three workers were 1.7 GB at their most."""


def lack_of_room(folder: str | None = None, needed_bytes: int = NEEDED_BYTES) -> str | None:
    """What to say where the folder of temporary files has too little room; None where it has."""
    folder = folder or tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free >= needed_bytes:
        return None
    return (
        f"the whole suite needs {needed_bytes / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB "
        "are free: make room there, or name another folder in TMPDIR"
    )
