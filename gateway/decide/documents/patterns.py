"""Reads patterns over names, and holds names against those there are."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from gateway.decide.conditions.checking.names import help_with, names_of, unknown_name
from gateway.decide.documents.document import Fields, Item, Items, Scalar
from gateway.decide.documents.reader import Reader
from gateway.decide.nearest import nearest_help
from gateway.decide.patterns import Pattern, parse_pattern
from gateway.model.vocabulary import Vocabulary

PATTERNS_MAX: Final = 1_000
"""Names in one `match` list."""


def read_pattern(
    reader: Reader, item: Item, what: str, vocabulary: Vocabulary, fact: str = ""
) -> Pattern | None:
    """A pattern: a text, or a list of texts. Those of a fact are held against its names."""
    items = [item]
    if isinstance(item, Items):
        items = reader.items(item, what, PATTERNS_MAX)
        if not items:
            reader.complain(item.mark, f"{what} lists nothing, so it would never match")
            return None
    if isinstance(item, Fields):
        reader.complain(item.mark, f"{what} must be text or a list of texts")
        return None
    found = [_one(reader, each, what, vocabulary, fact) for each in items]
    patterns = [pattern for pattern in found if pattern is not None]
    if len(patterns) != len(items):
        return None
    if len(patterns) == 1:
        return patterns[0]
    return parse_pattern(text for pattern in patterns for text in pattern.texts)


def _one(
    reader: Reader, item: Item, what: str, vocabulary: Vocabulary, fact: str
) -> Pattern | None:
    """The pattern of one text, if it is a good one."""
    is_whole = isinstance(item, Scalar) and type(item.value) is int
    text = item.written if isinstance(item, Scalar) and is_whole else reader.text_of(item, what)
    if text is None:
        return None
    try:
        pattern = parse_pattern((text,))
    except ValueError as error:
        help_text = "`*` stands for any run of characters, and is the only sign"
        reader.complain(item.mark, str(error), help_text)
        return None
    # A file with so many problems is refused in any case, and each look takes milliseconds.
    known = names_of(vocabulary, fact) if reader.may_look else None
    if known is not None and not _fits_one(reader, pattern, known):
        help_text = help_with(text, known) if reader.may_help else ""
        reader.complain(item.mark, unknown_name(fact, text), help_text)
        return None
    return pattern


def _fits_one(reader: Reader, pattern: Pattern, known: Set[str]) -> bool:
    """Whether there is a name that it fits. After too many looks a glob is taken as it stands: a
    rule for nothing harms nobody, and a file must not keep its reader busy for hours."""
    if not pattern.globs:
        return any(text in known for text in pattern.exact)
    pieces = sum(len(glob.pieces) for glob in pattern.globs)
    is_found = False
    for name in known:
        reader.looks_left -= pieces
        is_found = pattern.matches(name)
        if is_found or reader.looks_left <= 0:
            break
    return is_found or reader.looks_left <= 0


def hold(reader: Reader, item: Item, name: str, known: Set[str], message: str) -> None:
    """Note a name that is not among those there are, if it is said which there are."""
    if known and name not in known:
        help_text = nearest_help(name, known) if reader.may_help else ""
        reader.complain(item.mark, message, help_text)
