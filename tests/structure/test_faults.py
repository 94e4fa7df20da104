"""The page on faults says what the tests hold: every row has tests, and every test its row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "end_to_end" / "faults"
ROWS = range(1, 31)
LINE = re.compile(r"^\| (\d+) \|.*$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)]+)\)")


def told() -> dict[int, set[str]]:
    """By row, the files that the page names for it."""
    page = (FOLDER / "README.md").read_text()
    return {int(found[1]): set(LINK.findall(found[0])) for found in LINE.finditer(page)}


def held() -> dict[int, set[str]]:
    """By row, the files with tests that carry its number."""
    found: dict[int, set[str]] = {row: set() for row in ROWS}
    for file in FOLDER.glob("test_*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for row in rows_of(node.name):
                    found[row].add(file.name)
    return found


def rows_of(name: str) -> list[int]:
    """`test_row_04_and_20_a_partition` is of rows 4 and 20."""
    head = re.match(r"test_row_(\d\d(?:_and_\d\d)*)_", name)
    return [int(number) for number in re.findall(r"\d\d", head[1])] if head else []


def test_every_row_of_the_page_is_held_by_the_files_that_it_names():
    """Neither a row without a test, nor a test that the page does not lead to."""
    page = told()
    assert sorted(page) == list(ROWS)
    assert {
        row: {name for name in names if "/" not in name} for row, names in page.items()
    } == held()


def test_every_test_of_a_fault_carries_its_row():
    """So that it is found by its number."""
    unnumbered = [
        f"{file.name}::{node.name}"
        for file in FOLDER.glob("test_*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not rows_of(node.name)
    ]
    assert unnumbered == []


def test_what_the_page_leads_to_is_there():
    """Files of this folder and others."""
    names = {name for names in told().values() for name in names}
    assert [name for name in sorted(names) if not (FOLDER / name).exists()] == []
