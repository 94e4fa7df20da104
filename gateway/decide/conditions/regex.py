"""Regular expressions of RE2: linear in the text, whatever the pattern and whoever wrote the text.

The library is imported when the first policy uses a pattern, and a pattern is compiled when its
policy is loaded; a text is never one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from gateway.decide.conditions.unresolved import Unresolved

MEMORY_BYTES_MAX: Final = 1 << 20
"""Of one compiled pattern with its caches. RE2 refuses what does not fit."""

TEXT_CHARS_MAX: Final = 65_536
"""Of a text that is searched: some milliseconds at RE2's slowest."""

CACHED_MAX: Final = 1_024

Search = Callable[[object], bool]


class PatternError(Exception):
    """The pattern can't be used; the text says why."""


@lru_cache(CACHED_MAX)
def compile_pattern(pattern: str) -> Search:
    """Make the function that says whether a text holds a match, anywhere in it.

    Raises:
        PatternError: it is no pattern of RE2, or too large a one.
    """
    import re2

    options = re2.Options()
    options.max_mem = MEMORY_BYTES_MAX
    options.log_errors = False
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        detail = error.args[0] if error.args else b""
        raise PatternError(detail.decode("utf-8", "replace")) from error
    except UnicodeEncodeError as error:
        raise PatternError("it holds half a character") from error

    def matches(text: object) -> bool:
        if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
            raise Unresolved
        try:
            return search(text) is not None
        except UnicodeEncodeError as error:
            # Half of a pair of surrogates, which JSON can spell: no text to ask RE2 about.
            raise Unresolved from error

    return matches
