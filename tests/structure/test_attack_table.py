"""The published table of attacks names every row, and tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.structure.tree import ROOT

FOLDER = ROOT / "tests/end_to_end/attacks"
ROW = re.compile(r"^\| ([FDMT][0-9]+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
LENGTHS = {"F": 9, "D": 10, "M": 12, "T": 14}
ELSEWHERE = frozenset({"T5", "T12", "T13"})
"""Rows of parts that this folder's processes don't show; their files were named by their owners."""


def _rows() -> dict[str, list[str]]:
    found = ROW.findall((FOLDER / "README.md").read_text())
    return {row: [name.strip() for name in files.split(",")] for row, files in found}


def test_every_row_is_in_the_table() -> None:
    """None left out, none twice, in order."""
    expected = [
        f"{letter}{number}" for letter, most in LENGTHS.items() for number in range(1, most + 1)
    ]

    assert [row for row, _ in ROW.findall((FOLDER / "README.md").read_text())] == expected


@pytest.mark.parametrize("row", sorted(_rows()))
def test_row_is_tried_where_the_table_says(row: str) -> None:
    """The files are there; a test of this folder carries the row's name, in its own or a case's."""
    files = _rows()[row]
    named = re.compile(rf'"{row} |def test_{row.lower()}_')
    for name in files:
        path = FOLDER / name if "/" not in name else ROOT / name
        assert path.is_file(), f"{row} names {name}, which is not there"
    own = [FOLDER / name for name in files if "/" not in name]
    assert own or row in ELSEWHERE
    for path in own:
        assert named.search(path.read_text()), f"no test of {path.name} is named after {row}"
