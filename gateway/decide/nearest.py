"""Turns a wrong name into the help that names the right one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LISTED_MAX = 12
"""How many known names a help lists when none is near; a longer list is not read."""

_COMPARED_MAX = 2_000
"""How many names are all compared."""


def nearest_help(wrong: str, known: Iterable[str]) -> str:
    """`did you mean ...?`, or the whole list when it is short and nothing is near."""
    names = list(known)
    if len(names) > _COMPARED_MAX:
        # All operations there are: comparing with each takes seconds, and a slip of the fingers
        # seldom changes the beginning.
        names = [one for one in names if one[:2] == wrong[:2] and abs(len(one) - len(wrong)) < 6]
    for length in (6, 10, 14):
        if len(names) > _COMPARED_MAX:  # ten thousand begin with `create_`
            names = [one for one in names if one[:length] == wrong[:length]]
    names = sorted(set(names))[:_COMPARED_MAX]
    near = get_close_matches(wrong[:200], names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if 0 < len(names) <= _LISTED_MAX:
        return "there is " + ", ".join(f"`{name}`" for name in names)
    return ""
