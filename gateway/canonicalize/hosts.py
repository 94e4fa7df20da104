"""Finds what belongs to a host: `api.stripe.com`, `*.slack.com`, `*-aiplatform.googleapis.com`,
`storage.*.rep.googleapis.com`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class HostMap(Generic[Value]):
    """Host patterns to values. The most specific pattern wins: an exact name, then one with a star
    for its second label, then the one with the longest text behind its star."""

    def __init__(self) -> None:
        self._exact: dict[str, Value] = {}
        self._suffixes: dict[str, Value] = {}
        self._dashed: dict[str, Value] = {}
        self._inner: dict[tuple[str, str], Value] = {}

    def get(self, pattern: str) -> Value | None:
        """The value that was put for exactly this pattern."""
        first, inner, rest = pattern.partition(".*.")
        if inner:
            return self._inner.get((first, rest))
        return self._table_of(pattern).get(pattern.removeprefix("*").removeprefix("."))

    def put(self, pattern: str, value: Value) -> None:
        first, inner, rest = pattern.partition(".*.")
        if inner:
            self._inner[first, rest] = value
            return
        self._table_of(pattern)[pattern.removeprefix("*").removeprefix(".")] = value

    def _table_of(self, pattern: str) -> dict[str, Value]:
        if pattern.startswith("*."):
            return self._suffixes
        return self._dashed if pattern.startswith("*") else self._exact

    def find(self, host: str) -> Value | None:
        """The value of the most specific pattern, or None."""
        found = self._exact.get(host)
        if found is not None:
            return found
        label, dot, rest = host.partition(".")
        if self._inner:
            found = self._inner.get((label, rest.partition(".")[2]))
            if found is not None:
                return found
        if self._dashed:
            position = label.find("-")
            while position > 0:
                found = self._dashed.get(host[position:])
                if found is not None:
                    return found
                position = label.find("-", position + 1)
        while dot:
            found = self._suffixes.get(rest)
            if found is not None:
                return found
            _, dot, rest = rest.partition(".")
        return None

    def patterns(self) -> Iterator[tuple[str, Value]]:
        """Every pattern with its value."""
        yield from self._exact.items()
        for suffix, value in self._suffixes.items():
            yield f"*.{suffix}", value
        for suffix, value in self._dashed.items():
            yield f"*{suffix}", value
        for (first, rest), value in self._inner.items():
            yield f"{first}.*.{rest}", value
