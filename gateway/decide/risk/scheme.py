"""The weights of a risk: scheme RS2, an integer from 0 to 100 as the sum of named factors.

Published in `policies/README.md`; a test holds the two together. The weights are judgement, not
measurement. Whoever changes one changes the name of the scheme, which is part of every revision.
What can't be known is a factor too, at the value stated here: never a silent zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.decide.organisation import SENSITIVITY_MAX
from gateway.model.action import Kind
from gateway.model.decision import RiskFactor
from gateway.model.risk_class import RiskClass

SCHEME: Final = "RS2"

OPERATION_MAX: Final = 40
KIND_POINTS: Final[Mapping[Kind, int]] = {
    Kind.READ: 2,
    Kind.CREATE: 6,
    Kind.UPDATE: 6,
    Kind.SEND: 8,
    Kind.EXECUTE: 8,
    Kind.DELETE: 10,
    Kind.ADMIN: 10,
    Kind.UNKNOWN: 10,
}
CLASS_POINTS: Final[Mapping[RiskClass, int]] = {
    RiskClass.NONE: 0,
    RiskClass.LOW: 3,
    RiskClass.MEDIUM: 8,
    RiskClass.HIGH: 14,
    RiskClass.CRITICAL: 20,
}
IRREVERSIBLE_POINTS: Final = 5
SENSITIVE_POINTS: Final = 5

TARGET_MAX: Final = SENSITIVITY_MAX
UNCLASSIFIED_POINTS: Final = 5

CONTEXT_MAX: Final = 25
UNKNOWN_OPERATION_POINTS: Final = 10
PRODUCTION_POINTS: Final = 5
UNSTATED_ENVIRONMENT_POINTS: Final = 2
PRODUCTION_NAMES: Final = frozenset({"prod", "production"})

DEVIATION_MAX: Final = 15

Bands = tuple[tuple[int, str], ...]
"""Points and what is shown, from the smallest band to the largest, and behind it the band of what
can't be read. None of them shows the value itself, so that every risk there is can be kept."""

AMOUNT_STARTS: Final = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Where a band of amounts begins: each decade adds four points."""

AMOUNT_BANDS: Final[Bands] = (
    (0, "below 1000 minor units"),
    (4, "1000 to 9999 minor units"),
    (8, "10000 to 99999 minor units"),
    (12, "100000 to 999999 minor units"),
    (16, "1000000 to 9999999 minor units"),
    (20, "10000000 minor units or more"),
    (12, "not stated or not readable"),
)

BREADTH_STARTS: Final = (2, 10, 100, 1_000)
BREADTH_BANDS: Final[Bands] = (
    (0, "one"),
    (2, "2 to 9"),
    (5, "10 to 99"),
    (10, "100 to 999"),
    (15, "1000 or more"),
    (5, "not readable"),
)

INSIDE, DOMAINS_UNSTATED, OUTSIDE, RECIPIENTS_UNREADABLE = range(4)
RECIPIENT_BANDS: Final[Bands] = (
    (0, "all inside"),
    (2, "the organisation's domains are not stated"),
    (4, "some outside"),
    (4, "not readable"),
)

WORKING, HOURS_UNSTATED, OFF_HOURS = range(3)
HOUR_BANDS: Final[Bands] = (
    (0, "working hours"),
    (1, "working hours are not stated"),
    (3, "off hours"),
)

USUAL, NO_BASELINE, SELDOM, FIRST_USE, UNKNOWN_AGENT = range(5)
HISTORY_BANDS: Final[Bands] = (
    (0, "usual for this agent"),
    (5, "no baseline"),
    (4, "done fewer than 5 times by this agent"),
    (8, "never done by this agent"),
    (8, "the baseline doesn't know this agent"),
)
SELDOM_BELOW: Final = 5

ORDINARY, ABOVE, FAR_ABOVE, BEYOND, UNKNOWN_CURRENCY, AMOUNT_UNREADABLE = range(6)
AMOUNT_DEVIATION_BANDS: Final[Bands] = (
    (0, "up to the agent's 95th percentile"),
    (2, "above the agent's 95th percentile"),
    (4, "above 3 times the agent's 95th percentile"),
    (7, "above 10 times the agent's 95th percentile"),
    (4, "the agent's amounts in this currency are not known"),
    (4, "not stated or not readable"),
)
FAR_ABOVE_TIMES: Final = 3
BEYOND_TIMES: Final = 10

USUAL_HOUR, FEW_DAYS, UNUSUAL_HOUR = range(3)
HOUR_DEVIATION_BANDS: Final[Bands] = (
    (0, "an hour in which the agent does this"),
    (1, "known of fewer than 7 days"),
    (3, "an hour in which the agent never did this"),
)
HOURS_KNOWN_FROM_DAYS: Final = 7


def factors_of(name: str, bands: Bands) -> tuple[RiskFactor, ...]:
    """The factor of each band."""
    return tuple(RiskFactor(name, points, shown) for points, shown in bands)
