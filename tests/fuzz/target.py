"""A fuzz target: a property of any bytes, seeds that reach deep, and words to mutate with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

CASE_BYTES_MAX = 4_096
"""Longer inputs find little that shorter ones don't, and cost speed; limits have tests of their
own."""

CASE_SECONDS_MAX = 2.0
"""CPU time of one input. Each takes well under ten milliseconds; twenty times that is a finding."""


@dataclass(frozen=True, slots=True)
class Target:
    """`check` raises on a finding, whatever it raises, and returns otherwise."""

    name: str
    promise: str
    check: Callable[[bytes], object]
    seeds: Sequence[bytes]
    words: Sequence[bytes]


def same(ours: object, theirs: object, who: str) -> None:
    """Hold that another reader understands the same."""
    assert ours == theirs, f"{who} reads {theirs!r}, we read {ours!r}"
