"""Files that hold a secret: one writer wins, and nobody else may read."""

from __future__ import annotations

import threading
from pathlib import Path

from controlplane.private_file import create_private


def test_of_many_who_create_a_file_one_wins(tmp_path: Path):
    """All read the same text, and no unfinished file is left."""
    texts: list[str] = []
    threads = [
        threading.Thread(
            target=lambda number=number: texts.append(create_private(tmp_path / "k", f"{number}\n"))
        )
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 16
    assert len(set(texts)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["k"]


def test_what_is_there_stays_and_is_closed_to_others(tmp_path: Path):
    """A copy that came back with the wrong mode is corrected, and not written anew."""
    file = tmp_path / "k"
    file.write_text("kept")
    file.chmod(0o644)
    assert create_private(file, "new") == "kept"
    assert oct(file.stat().st_mode & 0o777) == "0o600"
