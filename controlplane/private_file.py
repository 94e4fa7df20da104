"""Files that hold a secret: made once, whole or not at all, and closed to others."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def create_private(file: Path, text: str) -> str:
    """Write a new file of mode 0600, complete or not at all; what is there already stays, and is
    closed to others.

    Returns what the file then holds: of several that create it at once, one wins.

    Raises:
        OSError, UnicodeDecodeError: it can't be made, closed or read.
    """
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)
    return file.read_text(encoding="utf-8")
