"""What reads without a GET is listed one by one, so that no import makes an act a read unseen."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.canonicalize.catalog.file import load_catalog, load_section
from gateway.canonicalize.catalog.lines import row_of
from gateway.content import mappers_dir
from gateway.model.action import Kind

LIST = Path(__file__).with_name("reads_by_post.yaml")


@functools.cache
def listed() -> dict[str, Any]:
    """The list: by catalog a reason, and the operations."""
    found: dict[str, Any] = yaml.safe_load(LIST.read_text())
    return found


@pytest.mark.parametrize("name", sorted(listed()))
def test_reads_by_another_method_are_listed(name: str) -> None:
    """A row that reads by POST is one of the listed ones; none reads by DELETE."""
    catalog = load_catalog(mappers_dir() / "catalogs" / f"{name}.cat")
    known = set(listed()[name].get("operations", ()))
    found = {}
    for section in catalog.sections:
        for line in load_section(catalog, section):
            row = row_of(line)
            method = row.wire.partition(" ")[0]
            if row.kind is Kind.READ and method not in ("GET", "HEAD"):
                found[row.operation] = method

    assert set(found) <= known
    assert "DELETE" not in found.values()
