"""Patterns over names: exact, a list of them, or globs. `*` stands for any run of characters.

There is no other sign, and matching takes linear time: no regular expression is built from what a
person or an agent wrote.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.model.dataclass import dataclass

GLOB_CHARS_FORBIDDEN = "?[]{}\\"
"""Signs that mean something in other globs. Refused, so that none is taken literally by
surprise."""
_FORBIDDEN = frozenset(GLOB_CHARS_FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Glob:
    """The pieces between the stars: the first and the last are anchored."""

    pieces: tuple[str, ...]

    def matches(self, text: str) -> bool:
        first, *middle, last = self.pieces
        if len(text) < len(first) + len(last) or not text.startswith(first):
            return False
        if not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    def __str__(self) -> str:
        return "*".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Matches a text that is one of `exact`, or that one of `globs` fits."""

    exact: frozenset[str]
    globs: tuple[Glob, ...] = ()

    def matches(self, text: str) -> bool:
        return text in self.exact or any(glob.matches(text) for glob in self.globs)

    @property
    def texts(self) -> tuple[str, ...]:
        """What was written, sorted: the canonical form."""
        return tuple(sorted([*self.exact, *map(str, self.globs)]))

    def __str__(self) -> str:
        return " or ".join(f"`{text}`" for text in self.texts)


def parse_pattern(texts: Iterable[str]) -> Pattern:
    """Make a pattern that matches whatever one of the texts matches.

    Raises:
        ValueError: a text is empty or holds a sign of `GLOB_CHARS_FORBIDDEN`; the text says which.
    """
    exact: set[str] = set()
    globs: set[tuple[str, ...]] = set()
    for text in texts:
        if not text:
            raise ValueError("a pattern can't be empty")
        if not _FORBIDDEN.isdisjoint(text):
            sign = next(sign for sign in GLOB_CHARS_FORBIDDEN if sign in text)
            raise ValueError(f"`{sign}` has no meaning in `{text}`")
        if "*" in text:
            globs.add(tuple(text.split("*")))
        else:
            exact.add(text)
    return Pattern(frozenset(exact), tuple(Glob(pieces) for pieces in sorted(globs)))
