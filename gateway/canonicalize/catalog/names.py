"""Every name that catalogs can bring, looked up in their text: tens of thousands that nobody needs
in memory, for the policy loader's few questions."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

import orjson

_OPERATION, _ACTION = 0, 3
"""The columns of a row, see `row`."""

_ASKED_MAX = 64
"""Questions that are looked up in the text, some ten milliseconds each. Who asks for more reads a
large policy, and all names are worth their memory."""

_INNER = re.compile(r"mcp\.|[a-z0-9-]+\.graphql\.(?:query|mutation|subscription)\.")
"""Operations that bodies name: tools and fields, which no catalog can list."""


class CatalogNames(Set[str]):
    """The actions or the operations of all catalogs, and some names more."""

    def __init__(self, paths: Sequence[Path], column: int, more: frozenset[str]) -> None:
        self._paths = tuple(paths)
        self._column = column
        self._more = more
        self._texts: list[bytes] = []
        self._all: tuple[str, ...] = ()
        self._asked = 0

    def __bool__(self) -> bool:
        return bool(self._more or self._paths)

    def __contains__(self, name: object) -> bool:
        if name in self._more:
            return True
        if not isinstance(name, str):
            return False
        if self._column == _OPERATION and _INNER.match(name) is not None:
            return True
        self._asked += 1
        if self._all or self._asked > _ASKED_MAX:
            iter(self)
            place = bisect_left(self._all, name)
            return place < len(self._all) and self._all[place] == name
        quoted = orjson.dumps(name)
        for text in self._load_texts():
            at = text.find(quoted)
            while at >= 0:
                start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
                # The header, the only line before the first break, has no rows.
                if start and orjson.loads(text[start:end])[self._column] == name:
                    return True
                at = text.find(quoted, end)
        return False

    def __iter__(self) -> Iterator[str]:
        if not self._all:
            names = set(self._more)
            for text in self._load_texts():
                names.update(orjson.loads(line)[self._column] for line in text.splitlines()[1:])
            self._all = tuple(sorted(names))
        return iter(self._all)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load_texts(self) -> list[bytes]:
        if not self._texts:
            self._texts = [path.read_bytes() for path in self._paths]
        return self._texts


def action_names(paths: Sequence[Path], more: frozenset[str]) -> CatalogNames:
    """All actions."""
    return CatalogNames(paths, _ACTION, more)


def operation_names(paths: Sequence[Path], more: frozenset[str]) -> CatalogNames:
    """All operations."""
    return CatalogNames(paths, _OPERATION, more)
