"""A disk that is too full for the suite is told of in one sentence, before anything fails."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.room import lack_of_room


def test_a_disk_with_room_is_not_spoken_of(tmp_path: Path) -> None:
    """Up to the last byte that is free."""
    assert lack_of_room(str(tmp_path), needed_bytes=1) is None


def test_a_disk_without_is_named_with_what_to_do(tmp_path: Path) -> None:
    """What is needed, where, what is there, and the way out."""
    needed = shutil.disk_usage(tmp_path).total + 10**9
    said = lack_of_room(str(tmp_path), needed_bytes=needed)
    assert said is not None
    assert all(part in said for part in (f"{needed / 1e9:.1f} GB", str(tmp_path), "TMPDIR"))
