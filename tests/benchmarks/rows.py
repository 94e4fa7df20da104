"""What is asked of every candidate: one row a manner of load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

READ: Final = ("GET", "/v1/orders/o1")
MUTATION: Final = ("POST", "/v1/orders/o1/note")


@dataclass(frozen=True, slots=True)
class Row:
    """One manner of load. `rate` is requests a second, of the manner `rate`."""

    name: str
    method: str
    path: str
    connections: int
    manner: str = "kept"
    body_bytes: int = 500
    rate: float = 0.0


HEADLINE: Final = "POST, 32 connections"
"""The row that DESIGN's budget is about."""

READS: Final = "GET, 32 connections"
ALONE: Final = "POST, 1 connection"
NEW: Final = "new connections"

QUICK: Final = (
    Row(READS, *READ, 32),
    Row(HEADLINE, *MUTATION, 32),
)

FULL: Final = (
    *QUICK,
    Row(ALONE, *MUTATION, 1),
    Row("POST, 256 connections", *MUTATION, 256),
    Row("POST of 1 KB", *MUTATION, 32, body_bytes=1_000),
    Row("POST of 10 KB", *MUTATION, 32, body_bytes=10_000),
    Row("POST of 100 KB", *MUTATION, 32, body_bytes=100_000),
    Row(NEW, *MUTATION, 8, manner="new"),
)

RATES: Final = (
    Row("200 requests a second", *MUTATION, 32, manner="rate", rate=200),
    Row("1,000 requests a second", *MUTATION, 32, manner="rate", rate=1_000),
)
"""For latencies; the same load straight to the origin tells what a proxy adds."""
