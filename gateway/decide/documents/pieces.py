"""Takes a file of several documents apart, as text: comments and spelling stay as they were."""

from __future__ import annotations

import re
from typing import Final

from gateway.decide.documents.document import parse_documents
from gateway.model.dataclass import dataclass

_MARKER: Final = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
"""At the beginning of a line this is never anything else, whatever it stands in."""

_CONTENT: Final = re.compile(r"^[ \t]*[^#\s]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one document; its file's lines from `first_line` on, which count from 1."""

    first_line: int
    text: str


def split_documents(text: str, file: str) -> list[Piece]:
    """The documents of a file, each as a text that says the same alone. A comment before the first
    marker goes with the first document.

    Raises:
        DocumentError: a document does not stand for itself.
    """
    if _MARKER.search(text) is None:
        return [Piece(1, text)]
    pieces: list[Piece] = []
    held, line = "", 1
    for part, part_line in _parts(text):
        if not held:
            line = part_line
        held += part
        if _CONTENT.search(part) is not None:
            pieces.append(Piece(line, held))
            held = ""
    if len(pieces) == 1:
        return [Piece(1, text)]
    # A document that holds nothing, such as `null`, is none.
    return [piece for piece in pieces if list(parse_documents(piece.text, file))]


def _parts(text: str) -> list[tuple[str, int]]:
    """What stands between markers, with the line that each begins in."""
    found, start, line = [], 0, 1
    for marker in _MARKER.finditer(text):
        part = text[start : marker.start()]
        found.append((part, line))
        line += part.count("\n")
        start = marker.end()
    found.append((text[start:], line))
    return found
