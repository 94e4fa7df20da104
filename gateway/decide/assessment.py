"""What risk says of one call: its score, with all that rules may ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.model.decision import Risk

_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """`labels` are those of the target, sorted. `parts` are the points of the four parts of the
    score by name (`operation`, `target`, `context`, `deviation`), `factors` those of each factor
    by its whole name (`context.amount`)."""

    risk: Risk
    labels: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    factors: Mapping[str, int] = field(default_factory=lambda: _NOTHING)

    @classmethod
    def of_score(cls, score: int) -> Assessment:
        """An assessment that says nothing but a score."""
        return cls(Risk(score, (), ""))
