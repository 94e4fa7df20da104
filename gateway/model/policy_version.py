"""One version of a policy: its states and legal moves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class VersionState(StrEnum):
    """ACTIVE: in the bundle that gateways run. At most one version of a policy is."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class VersionEvent(StrEnum):
    """SUPERSEDE: another version of the policy takes its place. DEACTIVATE: none does."""

    ACTIVATE = "ACTIVATE"
    SUPERSEDE = "SUPERSEDE"
    DEACTIVATE = "DEACTIVATE"


LEGAL_MOVES: Mapping[VersionState, Mapping[VersionEvent, VersionState]] = {
    VersionState.DRAFT: {VersionEvent.ACTIVATE: VersionState.ACTIVE},
    VersionState.ACTIVE: {
        VersionEvent.SUPERSEDE: VersionState.ARCHIVED,
        VersionEvent.DEACTIVATE: VersionState.ARCHIVED,
    },
    VersionState.ARCHIVED: {},
}
"""What is not in this table can't happen; the database enforces the same. To go back to an
archived version is to make a new one with its text."""
