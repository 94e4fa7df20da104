"""Finds the files of the data directory that hold a key, and gives them another one."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.cli.api import Api
from gateway.cli.datadir import open_data_dir, write_atomically
from gateway.cli.failures import CommandError

KEY_FILES = ("*.key", "agents/*.key")


def files_of_key(data_dir_path: Path | None, api: Api, key_id: str) -> list[Path]:
    """The files with this key in them, as the control plane itself says. None for a control plane
    elsewhere: its files are not here."""
    if data_dir_path is None and os.environ.get("CHECKREIN_API_URL"):
        return []
    folder = open_data_dir(data_dir_path).path
    found = []
    for file in sorted(one for pattern in KEY_FILES for one in folder.glob(pattern)):
        try:
            key = file.read_text(encoding="ascii").strip()
            if Api(api.url, key).get("/v1/me")["keyId"] == key_id:
                found.append(file)
        except (OSError, ValueError, CommandError):
            continue  # not ours to read, or of a key that is over: it is not the one that is meant
    return found


def keep_key(file: Path, key: str) -> None:
    """Put a key into its file (mode 0600), in one step."""
    write_atomically(file, key.encode() + b"\n", 0o600)
