"""What agents usually do: a snapshot that deviation is measured by.

Made from a `kind: Baseline` document, at most one in a bundle. It is part of the bundle and of
its revision, so that a replay measures by the very same snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.codec import JsonValue
from gateway.model.dataclass import dataclass

NO_CURRENCY = "none"
"""Stands for the currency of amounts that have none."""


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What one agent did by one action: how often, on how many days, in which hours of the day
    (UTC), and the 95th percentile of amounts by lower-case currency, in minor units."""

    count: int
    days: int
    hours: frozenset[int]
    amounts: Mapping[str, int]

    def content(self) -> JsonValue:
        return {
            "count": self.count,
            "days": self.days,
            "hours": sorted(self.hours),
            "amounts": dict(self.amounts),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """`snapshot` names it, `date` is the last day that it knows. `agents` maps an agent's name to
    its actions."""

    snapshot: str
    date: str
    agents: Mapping[str, Mapping[str, Usual]]

    def content(self) -> JsonValue:
        """All that may change a decision, for the revision of a bundle."""
        return {
            "snapshot": self.snapshot,
            "date": self.date,
            "agents": {
                agent: {name: usual.content() for name, usual in actions.items()}
                for agent, actions in self.agents.items()
            },
        }
