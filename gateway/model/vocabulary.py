"""The names that the loaded mappers can produce: what policies are checked against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Made by the canonicalizer, read by the policy loader. An empty set: any name may come."""

    actions: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
