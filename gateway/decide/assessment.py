"""What risk says of one call: its score, with all that rules may ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.decision import Risk

PARTS: Final = ("operation", "target", "context", "deviation")
"""The parts of a score, in the order of its vector."""

FACTOR_NAMES: Final = (
    "operation.kind",
    "operation.class",
    "operation.irreversible",
    "operation.sensitive",
    "target.sensitivity",
    "context.operation",
    "context.environment",
    "context.amount",
    "context.breadth",
    "context.recipients",
    "context.hours",
    "deviation.history",
    "deviation.amount",
    "deviation.hour",
)
"""Every factor there is, in the order in which a risk shows those that count."""

_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """`labels` are those of the target, sorted; where its id can't be read, all that it may have.
    `parts` are the points of each of `PARTS`, `factors` those of each of `FACTOR_NAMES`, 0 where
    it doesn't count."""

    risk: Risk
    labels: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    factors: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
