"""What a mistake in an act costs, by its name alone: the word that taxonomy and risk share."""

from __future__ import annotations

from enum import StrEnum


class RiskClass(StrEnum):
    """From what changes nothing to loss for good; `mappers/actions.yaml` says what each means."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
