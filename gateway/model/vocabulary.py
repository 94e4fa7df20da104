"""The names that the loaded mappers can produce: what policies are checked against."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Made by the canonicalizer, read by the policy loader. An empty set: any name may come."""

    actions: Set[str] = frozenset()
    operations: Set[str] = frozenset()
    providers: Set[str] = frozenset()
