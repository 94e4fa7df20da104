"""Cuts source text where a pattern finds a beginning: each class or method with what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator


def pieces_of(beginning: re.Pattern[str], source: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each match, and the text from its end to the beginning of the next one."""
    found = list(beginning.finditer(source))
    ends = [match.start() for match in found[1:]]
    for match, end in zip(found, [*ends, len(source)], strict=False):
        yield match, source[match.end() : end]
