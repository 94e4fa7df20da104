"""Source text, cut into what its pattern begins."""

from __future__ import annotations

import re

import pytest

from gateway.authoring.imports.sdk.pieces import pieces_of

SOURCES = {
    "nothing begins": ("a = 1\n", []),
    "what stands before the first is left out": ("a = 1\ndef x: 1", [("x", ": 1")]),
    "each ends where the next begins": ("def x: 1\ndef y: 2\n", [("x", ": 1\n"), ("y", ": 2\n")]),
}


@pytest.mark.parametrize("case", SOURCES)
def test_source_is_cut_where_a_pattern_begins(case: str) -> None:
    """A match has its own text and none of the next one's."""
    source, expected = SOURCES[case]

    beginning = re.compile(r"^def (\w)", re.MULTILINE)
    found = [(match[1], text) for match, text in pieces_of(beginning, source)]
    assert found == expected
