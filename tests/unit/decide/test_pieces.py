"""A file of several documents comes apart into texts that say the same, each alone."""

from __future__ import annotations

import pytest

from gateway.decide.documents.document import DocumentError, parse_documents
from gateway.decide.documents.pieces import Piece, split_documents

SPLIT = {
    "one document is itself, comments and all": ("# a\nx: 1\n", [Piece(1, "# a\nx: 1\n")]),
    "one document behind a marker too": ("---\nx: 1\n", [Piece(1, "---\nx: 1\n")]),
    "nothing is one text": ("", [Piece(1, "")]),
    "two of them": ("x: 1\n---\ny: 2\n", [Piece(1, "x: 1\n"), Piece(2, "\ny: 2\n")]),
    "the first comment goes with what follows": (
        "# all\n---\nx: 1\n---\ny: 2\n",
        [Piece(1, "# all\n\nx: 1\n"), Piece(4, "\ny: 2\n")],
    ),
    "something on the line of a marker": (
        "--- {x: 1}\n--- {y: 2}",
        [Piece(1, " {x: 1}\n"), Piece(2, " {y: 2}")],
    ),
    "an end, and nothing after it": (
        "x: 1\n---\ny: 2\n...\n# over\n",
        [Piece(1, "x: 1\n"), Piece(2, "\ny: 2\n")],
    ),
    "what holds nothing is no document": (
        "x: 1\n---\nnull\n---\ny: 2\n",
        [Piece(1, "x: 1\n"), Piece(4, "\ny: 2\n")],
    ),
    "dashes within text are no marker": (
        "x: |\n  ---\ny: '----'\n---\nz: 3\n",
        [Piece(1, "x: |\n  ---\ny: '----'\n"), Piece(4, "\nz: 3\n")],
    ),
}


@pytest.mark.parametrize("case", SPLIT)
def test_a_file_comes_apart_into_its_documents(case: str) -> None:
    """In order, with the line in which each begins."""
    text, pieces = SPLIT[case]
    assert split_documents(text, "f.yaml") == pieces


@pytest.mark.parametrize("case", SPLIT)
def test_the_pieces_hold_what_the_file_holds(case: str) -> None:
    """No document is lost, and none is made."""
    text, _ = SPLIT[case]
    whole = len(list(parse_documents(text, "f.yaml")))
    pieces = split_documents(text, "f.yaml")
    assert sum(len(list(parse_documents(piece.text, "f.yaml"))) for piece in pieces) == whole


def test_what_does_not_stand_for_itself_is_refused() -> None:
    """A directive belongs to one document of a file."""
    with pytest.raises(DocumentError) as caught:
        split_documents("%YAML 1.2\n---\nx: 1\n---\ny: 2\n", "f.yaml")
    assert caught.value.problem.file == "f.yaml"
