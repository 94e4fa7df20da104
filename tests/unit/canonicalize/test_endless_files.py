"""A file that never ends is read no further than any file may be long."""

from __future__ import annotations

from pathlib import Path

from gateway.canonicalize.authored.mapper import load_mapper
from gateway.canonicalize.authored.taxonomy import load_taxonomy


def test_an_endless_file_is_a_problem(tmp_path: Path) -> None:
    """Somebody's link to a device doesn't take the gateway's memory while it looks for changes."""
    endless = tmp_path / "endless.yaml"
    endless.symlink_to("/dev/zero")
    for read, problems in (load_mapper(endless), load_taxonomy(endless)):
        assert read is None
        (problem,) = problems
        assert "larger than" in problem.message
