"""The key by which this installation marks secrets: made on first use, kept beside the record.

Gateways that are given the same file mark equal secrets alike. It is never logged or sent; who has
it can try out guesses against the record, and nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from gateway.model.errors import ConfigurationError, Problem

KEY_FILE: Final = "redaction_key"
_BYTES_MIN: Final = 16
_BYTES_MAX: Final = 4_096
_FILE_MODE: Final = 0o600


def load_redaction_key(data_dir: Path, file: str) -> bytes:
    """The key in `file`, else the one in the data directory, which is made if there is none.

    Raises:
        ConfigurationError: `redaction.key_unreadable`.
    """
    path = Path(file) if file else data_dir / KEY_FILE
    try:
        if not file:
            _make(path)
        with path.open("rb") as opened:
            key = opened.read(_BYTES_MAX + 1).strip()
    except OSError as error:
        raise _unreadable(path, error.strerror or "it can't be read") from error
    if not _BYTES_MIN <= len(key) <= _BYTES_MAX:
        raise _unreadable(path, f"it must hold {_BYTES_MIN} to {_BYTES_MAX} bytes")
    return key


def _make(path: Path) -> None:
    """Make it whole or not at all; of two processes that do so at once, one's key stays."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, _FILE_MODE), "w", encoding="ascii") as opened:
        opened.write(os.urandom(32).hex() + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _unreadable(path: Path, why: str) -> ConfigurationError:
    problem = Problem(
        str(path), 0, 0, f"the redaction key can't be used: {why}",
        "put any 32 random bytes or more there, as in `openssl rand -hex 32`; see "
        "CHECKREIN_REDACTION_KEY_FILE",
    )  # fmt: skip
    return ConfigurationError("redaction.key_unreadable", [problem])
