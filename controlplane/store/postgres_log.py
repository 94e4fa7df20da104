"""The private server's log file: what it last complained of, and a bound on its length."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

TAIL_BYTES = 4096


def last_complaint(file: Path) -> str:
    """Why it last gave up, in its own words; empty when the log does not say."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        for word in ("FATAL:", "PANIC:", "initdb: error:"):
            if word in line:
                return line.partition(word)[2].strip()
    return ""


def shorten(file: Path, bytes_max: int) -> None:
    """Keep one older part beside the log. The server appends, so cutting under it is safe."""
    with contextlib.suppress(OSError):
        if file.stat().st_size > bytes_max:
            shutil.copyfile(file, file.with_name(file.name + ".1"))
            os.truncate(file, 0)
