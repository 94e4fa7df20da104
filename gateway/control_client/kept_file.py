"""Small files that a restart starts from: written whole or not at all, and private."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_FILE_MODE: Final = 0o600


def store_kept(path: Path, text: str) -> None:
    """Put `text` in the place of what the file held. It is on disk when this returns, so that a
    power cut leaves the old text or the new one.

    Raises:
        OSError: the old one stays.
    """
    temporary = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, _FILE_MODE), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_kept(path: Path) -> str | None:
    """The text; None when there is no such file.

    Raises:
        OSError, UnicodeDecodeError: there is one, and it can't be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
