"""Tells the variable segments of recorded paths from the fixed ones.

One look at a segment settles most (numbers, UUIDs, prefixed ids, long mixed text); names that look
like words are told by their number: many siblings that are used alike are values of one variable.
Never takes a verb (`/orders/import`) for a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.dataclass import dataclass
from gateway.record.redact import redact_text

VARIABLE: Final = "{}"
"""Stands for a variable segment; what was recorded has no braces in it that are not encoded."""

PLURAL_SIBLINGS_MIN: Final = 5
"""Different names below a plural (`/users/...`) from which on they are values."""
SIBLINGS_MIN: Final = 24
"""The same anywhere else. Published APIs have a dozen different words that are all used alike; to
take an operation for a value is worse than to list some values one by one."""

_ID_SHAPES: Final = re.compile(
    r"\d+"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}"
    r"|(?=.*\d[A-Za-z]+\d)[A-Za-z0-9]{5,}"
    r"|[A-Za-z]{1,12}[_-](?=[A-Za-z0-9]*\d)[A-Za-z0-9]+"
    r"|[A-Za-z]{2,12}_(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{8,}"
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}"
    r"|[A-Z][A-Z0-9]+-\d+"
    r"|[A-Z]{1,3}[0-9A-F]{8,}"
    r"|(?=[\w-]*\d)(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{16,}={0,2}"
    r"|[^@\s]+@[^@\s]+\.[^@\s]+"
    r"|\+?\d[\d().-]{6,}"
)
_VERSION: Final = re.compile(r"v\d+(?:[._-]?(?:alpha|beta|preview|rc)?\d*)*")
_DATE: Final = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
_DATED_SEGMENTS: Final = 3
"""A date this near to the beginning is a version of the API (`/admin/api/2026-10/orders.json`)."""
_FIXED: Final = frozenset(
    {
        "me", "self", "current", "mine", "default", "all", "latest", "status", "health", "api",
        "rest", "graphql", "rpc", "oauth", "oauth2", "auth", "login", "logout", "admin", "public",
        "private", "internal", "config", "settings", "count", "stats", "summary", "schema", "ping",
        "version", "metadata", "token", "session", "webhook", "callback", "bulk", "batch", "json",
    }
)  # fmt: skip
"""Words that stand where values stand, and mean something of their own."""
_GROUPS_MAX: Final = 50
"""Ways of use that siblings are compared with, so that the work stays linear."""
_ODD: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{16,}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_~!$'()*+,=:.@-]*")
SEGMENT_CHARS_MAX: Final = 64
"""A longer segment is nobody's word."""
_SUFFIX: Final = re.compile(r"(.+)(\.(?:json|xml|csv|pdf|txt|yaml)|:[A-Za-z][A-Za-z0-9]*)")


def marked(segments: Sequence[str]) -> tuple[str, ...]:
    """The segments, VARIABLE in the place of those that look like an id or a secret."""
    return tuple(_marked(segment, position) for position, segment in enumerate(segments))


def _marked(segment: str, position: int) -> str:
    if is_version(segment) or (position < _DATED_SEGMENTS and _DATE.fullmatch(segment)):
        return segment
    if _looks_like_id(segment):
        return VARIABLE
    found = _SUFFIX.fullmatch(segment)
    if found is not None and _looks_like_id(found[1]):
        return VARIABLE + found[2]
    return segment


def _looks_like_id(segment: str) -> bool:
    if _ID_SHAPES.fullmatch(segment) or len(segment) > SEGMENT_CHARS_MAX:
        return True
    return redact_text(segment) != segment or not _PLAIN.fullmatch(segment)


def is_version(mark: str) -> bool:
    return _VERSION.fullmatch(mark) is not None


def is_variable(mark: str) -> bool:
    """Whether a marked segment is one, alone or before `.json` or `:verb`."""
    return mark.startswith(VARIABLE)


# --- siblings that are values ---------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)

    def takes(self, other: _Node) -> bool:
        """Whether the other is used like this one, as far as it was seen."""
        return other.methods <= self.methods and other.children.keys() <= self.children.keys()


def folded(paths: Iterable[tuple[str, Sequence[str]]]) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """For each of some marked paths (with their methods), the path with siblings that are values
    replaced by VARIABLE."""
    root = _Node()
    every = set()
    for method, path in paths:
        every.add(tuple(path))
        node = root
        for mark in path:
            node = node.children.setdefault(mark, _Node())
        node.methods.add(method)
    _fold(root, "")
    return {path: _walk(root, path) for path in every}


def _walk(root: _Node, path: Sequence[str]) -> tuple[str, ...]:
    found, node = [], root
    for mark in path:
        key = mark if mark in node.children else VARIABLE
        found.append(key)
        node = node.children[key]
    return tuple(found)


def _fold(root: _Node, name: str) -> None:
    """Fold each level before the next: what was two ways may have become one."""
    stack = [(root, name)]
    while stack:
        node, name = stack.pop()
        # What stands at the top of an API are its collections.
        is_top = not name or is_version(name) or name.lower() in _FIXED
        least = PLURAL_SIBLINGS_MIN if _is_plural(name) else SIBLINGS_MIN
        if VARIABLE in node.children:
            _merge_all(node, [mark for mark in node.children if _is_odd(mark)])
        for siblings in [] if is_top else _groups(node):
            if len(siblings) >= least:
                _merge_all(node, siblings)
        for mark, child in node.children.items():
            stack.append((child, "" if is_variable(mark) else mark))


def _merge_all(node: _Node, marks: Sequence[str]) -> None:
    merged = node.children.setdefault(VARIABLE, _Node())
    for mark in marks:
        _merge(merged, node.children.pop(mark))


def _is_odd(mark: str) -> bool:
    """A long text in mixed case: beside ids it is one that has no digit by chance."""
    return _ODD.fullmatch(mark) is not None and not _has_meaning(mark)


def _groups(node: _Node) -> list[list[str]]:
    """The fixed children that are used alike, where what they are called says nothing."""
    names = [
        mark
        for mark in node.children
        if not (is_variable(mark) or is_version(mark) or _has_meaning(mark) or _is_plural(mark))
    ]
    children = node.children
    names.sort(key=lambda mark: -len(children[mark].methods) - len(children[mark].children))
    groups: list[list[str]] = []
    for mark in names:
        for group in groups[:_GROUPS_MAX]:
            if children[group[0]].takes(children[mark]):
                group.append(mark)
                break
        else:
            groups.append([mark])
    return groups


def _has_meaning(mark: str) -> bool:
    words = words_of(mark)
    return mark.lower() in _FIXED or any(word in KIND_BY_VERB for word in words)


def _is_plural(name: str) -> bool:
    words = words_of(name)
    return bool(words) and singular(words[-1]) != words[-1]


def _merge(into: _Node, other: _Node) -> None:
    into.methods |= other.methods
    for mark, child in other.children.items():
        _merge(into.children.setdefault(mark, _Node()), child)


# --- names ----------------------------------------------------------------------------------------


def template_of(marks: Sequence[str]) -> str:
    """The path template: each variable has the name of the collection that it stands in."""
    used: set[str] = set()
    parts, name = [], ""
    for mark in marks:
        if not is_variable(mark):
            parts.append(mark)
            name = mark
            continue
        words = [word for word in words_of(name) if not word.isdigit()]
        base = "_".join([*words[:-1], singular(words[-1])]) if words else "id"
        if is_version(name) or not re.fullmatch(r"[a-z][a-z0-9_]*", base):
            base = "id"
        unique, number = base, 2
        while unique in used:
            unique, number = f"{base}_{number}", number + 1
        used.add(unique)
        parts.append(f"{{{unique}}}{mark.removeprefix(VARIABLE)}")
    return "/" + "/".join(parts)
