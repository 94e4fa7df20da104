"""An incident: something that a person has to look at. States, legal moves, severities."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.model.moves import open_states_of


class IncidentState(StrEnum):
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


class IncidentEvent(StrEnum):
    ACKNOWLEDGE = "ACKNOWLEDGE"
    RESOLVE = "RESOLVE"


class Severity(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


LEGAL_MOVES: Mapping[IncidentState, Mapping[IncidentEvent, IncidentState]] = {
    IncidentState.OPEN: {
        IncidentEvent.ACKNOWLEDGE: IncidentState.ACKNOWLEDGED,
        IncidentEvent.RESOLVE: IncidentState.RESOLVED,
    },
    IncidentState.ACKNOWLEDGED: {IncidentEvent.RESOLVE: IncidentState.RESOLVED},
    IncidentState.RESOLVED: {},
}
"""What is not in this table can't happen; the database enforces the same, in one statement a
move."""

OPEN_INCIDENT_STATES: Final = open_states_of(LEGAL_MOVES)
