"""Tells whether YAML is nested deeper than anybody writes it, before a parser recurses into it.

PyYAML's composer recurses in C, so text of some ten thousand brackets ends the whole process.
"""

from __future__ import annotations

import re

import yaml

DEPTH_MAX = 100
"""Mappers nest some eight deep, published API descriptions some forty."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BRACKET = re.compile(r"[\[\]{}]")
_INDENT = re.compile(r"^[ \-?:\t]+", re.MULTILINE)


def is_too_deep(text: str) -> bool:
    """Whether a node of the text lies deeper than DEPTH_MAX.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    if _depth_at_most(text) <= DEPTH_MAX:
        return False
    depth = 0
    # Events come one by one, and nothing recurses.
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False


def _depth_at_most(text: str) -> int:
    """A bound that costs little: open brackets, and two levels for each column of an indent.
    Brackets in texts make it too high, and then events are counted."""
    depth = deepest = 0
    for sign in _BRACKET.findall(text):
        depth += 1 if sign in "[{" else -1
        deepest = max(deepest, depth)
        depth = max(depth, 0)
    indent = max((len(found) for found in _INDENT.findall(text)), default=0)
    return deepest + 2 * indent + 2
