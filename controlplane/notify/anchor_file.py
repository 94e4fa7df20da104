"""A checkpoint -> a file elsewhere: another disk, a share, a device that only ever appends."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controlplane.notify.notice import NotSent, Outcome, Sent
from controlplane.notify.threads import run_apart

MODE: Final = 0o644
"""It is public: whoever audits reads it."""


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A folder, in which each checkpoint is a file of its own that is never written twice; or a
    file, to which each is appended as a line of JSON (it may be append-only: `chattr +a`)."""

    path: Path


async def keep_in_file(place: FilePlace, tenant_id: str, size: int, note: str) -> Outcome:
    """Keep it once, synced."""
    try:
        return Sent(await run_apart(lambda: _keep(place.path, tenant_id, size, note)))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        return NotSent(f"the file can't be written: {reason}", is_final=False)


def _keep(path: Path, tenant_id: str, size: int, note: str) -> str:
    if path.is_dir():
        name = f"{tenant_id}-{size:012d}.checkpoint"
        file = path / name
        try:
            _write(file, note, os.O_EXCL)
        except FileExistsError:
            # Signed anew without growth, or tried again: of one size the first one stands.
            if not file.stat().st_size:
                _write(file, note, os.O_TRUNC)
        return name
    line = json.dumps({"tenant": tenant_id, "size": size, "checkpoint": note}) + "\n"
    _write(path, line, os.O_APPEND)
    return path.name


def _write(file: Path, text: str, how: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how
    number = os.open(file, flags, MODE)
    try:
        data = text.encode()
        # One call: two control planes that append don't mix their lines.
        if os.write(number, data) != len(data):
            raise OSError(None, "it was written in part")
        os.fsync(number)
    finally:
        os.close(number)
