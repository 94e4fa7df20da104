"""What an organisation says of itself: the names its policies may use, and what weighs in a risk.

Made from a `kind: Organisation` document, at most one in a bundle. An empty set or map says
nothing: then any name may come, and nothing is weighed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from gateway.decide.patterns import Pattern
from gateway.model.action import Action
from gateway.model.codec import JsonValue
from gateway.model.dataclass import dataclass
from gateway.model.risk_class import RiskClass

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As a document writes them; the position is the number of the day."""

SENSITIVITY_MAX: Final = 20
"""The whole of what a target can add to a risk."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class TargetField(StrEnum):
    """What a target label is given by. All but the id are the same for every call of an
    operation."""

    PROVIDER = "provider"
    OPERATION = "operation"
    ACTION = "action"
    TARGET_TYPE = "target.type"
    TARGET_ID = "target.id"


@dataclass(frozen=True, slots=True)
class TargetLabel:
    """A label, and which targets have it. `target_id` None fits every target, a nameless one too;
    any pattern of ids fits an id that can't be read."""

    label: str
    fields: tuple[tuple[TargetField, Pattern], ...]
    target_id: Pattern | None

    def covers(self, action: Action) -> bool:
        """Whether it may be about the targets of an operation, of which `action` is one call."""
        return all(pattern.matches(_READERS[name](action)) for name, pattern in self.fields)

    def content(self) -> JsonValue:
        match: dict[str, JsonValue] = {name.value: list(p.texts) for name, p in self.fields}
        if self.target_id is not None:
            match[TargetField.TARGET_ID.value] = list(self.target_id.texts)
        return {"label": self.label, "match": match}


_READERS: Final = {
    TargetField.PROVIDER: lambda action: action.provider,
    TargetField.OPERATION: lambda action: action.operation,
    TargetField.ACTION: lambda action: action.action,
    TargetField.TARGET_TYPE: lambda action: action.target.type,
}


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When people are there: on `days` (0 is Monday), from one minute of the day until before
    another, by the clocks of `zone`, which is called `timezone`."""

    timezone: str
    zone: tzinfo
    days: frozenset[int]
    from_minute: int
    to_minute: int

    def content(self) -> JsonValue:
        return {
            "timezone": self.timezone,
            "days": sorted(self.days),
            "fromMinute": self.from_minute,
            "toMinute": self.to_minute,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Organisation:
    """`agent_labels` has the known values of each label, none where any will do. `sensitivity` is
    in points. `amount_scales` says, by lower-case currency, how many minor units count as one.
    `risk_classes` stand before those of the taxonomy."""

    name: str
    environments: frozenset[str] = frozenset()
    agent_labels: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    approver_groups: frozenset[str] = frozenset()
    reason_codes: frozenset[str] = frozenset()
    target_labels: tuple[TargetLabel, ...] = ()
    sensitivity: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    domains: Pattern | None = None
    working_hours: WorkingHours | None = None
    amount_scales: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    risk_classes: Mapping[str, RiskClass] = field(default_factory=lambda: _NOTHING)

    def content(self) -> JsonValue:
        """All that may change a decision, for the revision of a bundle."""
        hours = self.working_hours
        return {
            "environments": sorted(self.environments),
            "agentLabels": {name: sorted(known) for name, known in self.agent_labels.items()},
            "approverGroups": sorted(self.approver_groups),
            "reasonCodes": sorted(self.reason_codes),
            "targetLabels": [label.content() for label in self.target_labels],
            "sensitivity": dict(self.sensitivity),
            "domains": [] if self.domains is None else list(self.domains.texts),
            "workingHours": None if hours is None else hours.content(),
            "amountScales": dict(self.amount_scales),
            "riskClasses": {name: word.value for name, word in self.risk_classes.items()},
        }
