"""Regular expressions of RE2: linear in the text, whatever the pattern and whoever wrote the text.

The library is imported when the first policy uses a pattern, and a pattern is compiled when its
policy is loaded; a text is never one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.model.dataclass import dataclass

MEMORY_BYTES_MAX: Final = 1 << 20
"""Of one compiled pattern with its caches. RE2 refuses what does not fit."""

TEXT_CHARS_MAX: Final = 16_384
"""Of a text that is searched: as much as a param holds. A pattern made to be slow needs some
200 milliseconds for it, one that people write 20 microseconds."""

INSTRUCTIONS_OF_A_STEP: Final = 1_000
"""Instructions of a pattern that are tried on a character, at worst all of them on each."""

CACHED_MAX: Final = 1_024


class PatternError(Exception):
    """The pattern can't be used; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Regex:
    """A compiled pattern of `size` instructions."""

    size: int
    search: Callable[[str], object]

    def is_in(self, text: object) -> bool:
        """Whether a text holds a match, anywhere in it.

        Raises:
            Unresolved: it is no text, too long a one, or half a character is in it.
        """
        if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
            raise Unresolved
        try:
            return self.search(text) is not None
        except UnicodeEncodeError as error:
            # Half of a pair of surrogates, which JSON can spell: no text to ask RE2 about.
            raise Unresolved from error

    def weight_of(self, text: object) -> int:
        """How many steps a search can take."""
        return len(text) * self.size // INSTRUCTIONS_OF_A_STEP if isinstance(text, str) else 0


@lru_cache(CACHED_MAX)
def compile_pattern(pattern: str) -> Regex:
    """Compile a pattern.

    Raises:
        PatternError: it is no pattern of RE2, or too large a one.
    """
    import re2

    options = re2.Options()
    options.max_mem = MEMORY_BYTES_MAX
    options.log_errors = False
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0] if error.args else b""
        raise PatternError(detail.decode("utf-8", "replace")) from error
    except UnicodeEncodeError as error:
        raise PatternError("it holds half a character") from error
    return Regex(found.programsize, found.search)
