"""Finds the files that the structure tests hold against the rules."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("gateway", "controlplane")


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the named folders of the repository, in a stable order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    """The path as it is written in messages and tables."""
    return path.relative_to(ROOT).as_posix()
