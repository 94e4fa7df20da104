"""Scores an action: an integer from 0 to 100, as the sum of named factors. Scheme RS1.

Additive and capped, whole numbers only, so that the same input has the same score everywhere and
for ever. The score decides nothing: a rule may test `risk.score`. The tables below are published
in `policies/README.md`; a test holds the two together. The weights are judgement, not
measurement. What can't be known is a named factor at a stated value, never a silent zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from gateway.model.action import UNKNOWN_OPERATION, Action, Kind, Target
from gateway.model.decision import Risk, RiskFactor

SCHEME: Final = "RS1"

OPERATION_MAX: Final = 40
KIND_POINTS: Final[Mapping[Kind, int]] = {
    Kind.READ: 5,
    Kind.CREATE: 15,
    Kind.UPDATE: 15,
    Kind.SEND: 20,
    Kind.EXECUTE: 25,
    Kind.DELETE: 30,
    Kind.ADMIN: 30,
    Kind.UNKNOWN: 30,
}
IRREVERSIBLE_POINTS: Final = 10
SENSITIVE_POINTS: Final = 10

TARGET_MAX: Final = 20
TARGET_UNCLASSIFIED_POINTS: Final = 5

CONTEXT_MAX: Final = 25
UNKNOWN_OPERATION_POINTS: Final = 10
PRODUCTION_POINTS: Final = 5
PRODUCTION_NAMES: Final = frozenset({"prod", "production"})
AMOUNT_BANDS: Final = (
    (1_000, 0, "below 1000 minor units"),
    (10_000, 4, "1000 to 9999 minor units"),
    (100_000, 8, "10000 to 99999 minor units"),
    (1_000_000, 12, "100000 to 999999 minor units"),
    (10_000_000, 16, "1000000 to 9999999 minor units"),
)
"""Below which amount, how many points, and how that is shown: a decade is four points."""
AMOUNT_POINTS_MAX: Final = 20
AMOUNT_UNREADABLE_POINTS: Final = 12

DEVIATION_MAX: Final = 15

NO_AMOUNT: Final = -1
LARGEST_BAND: Final = len(AMOUNT_BANDS)
UNREADABLE_BAND: Final = LARGEST_BAND + 1

_THRESHOLDS: Final = [below for below, _, _ in AMOUNT_BANDS]
_AMOUNT_FACTORS: Final[Mapping[int, tuple[RiskFactor, ...]]] = {
    NO_AMOUNT: (),
    **{
        band: (RiskFactor("context.amount", points, shown),)
        for band, (_, points, shown) in enumerate(AMOUNT_BANDS)
    },
    LARGEST_BAND: (
        RiskFactor("context.amount", AMOUNT_POINTS_MAX, "10000000 minor units or more"),
    ),
    UNREADABLE_BAND: (RiskFactor("context.amount", AMOUNT_UNREADABLE_POINTS, "not readable"),),
}
_NO_DEVIATION: Final = RiskFactor("deviation.history", 0, "no baseline")


def amount_band(action: Action) -> int:
    """The band of `params.amount`: an index into `AMOUNT_BANDS`, or one of the names above."""
    amount = action.params.get("amount")
    if type(amount) is int:
        return bisect_right(_THRESHOLDS, abs(amount))
    return NO_AMOUNT if amount is None and "amount" not in action.missing else UNREADABLE_BAND


class Profile:
    """The risk of one operation, as far as it is the same for every call of it.

    What differs is one of a few bands, never the value itself, so that every risk there is can be
    made once and kept.
    """

    __slots__ = ("_context_points", "_factors", "_operation_points")

    def __init__(self, action: Action) -> None:
        operation = _capped(_operation_factors(action), OPERATION_MAX)
        context: tuple[RiskFactor, ...] = ()
        if action.operation == UNKNOWN_OPERATION or action.kind is Kind.UNKNOWN:
            context = (
                RiskFactor("context.operation", UNKNOWN_OPERATION_POINTS, "not known to a mapper"),
            )
        target = RiskFactor("target.class", TARGET_UNCLASSIFIED_POINTS, "not classified")
        self._factors = (*operation, target, *context)
        self._operation_points = _sum(operation)
        self._context_points = _sum(context)

    def risk(self, environment: str, band: int) -> Risk:
        """The risk of a call in this environment, with an amount of this band."""
        context = _capped(
            (*_environment_factors(environment), *_AMOUNT_FACTORS[band]),
            CONTEXT_MAX - self._context_points,
        )
        operation, target = self._operation_points, TARGET_UNCLASSIFIED_POINTS
        around = self._context_points + _sum(context)
        vector = f"{SCHEME}/O:{operation}/T:{target}/C:{around}/D:0"
        factors = (*self._factors, *context, _NO_DEVIATION)
        return Risk(operation + target + around, factors, vector)


def _operation_factors(action: Action) -> tuple[RiskFactor, ...]:
    factors = [RiskFactor("operation.kind", KIND_POINTS[action.kind], action.kind.value)]
    if action.is_mutation and not action.reversible:
        factors.append(RiskFactor("operation.irreversible", IRREVERSIBLE_POINTS, "can't be undone"))
    if action.sensitive is not None:
        factors.append(RiskFactor("operation.sensitive", SENSITIVE_POINTS, action.sensitive))
    return tuple(factors)


def _environment_factors(environment: str) -> tuple[RiskFactor, ...]:
    if environment.lower() not in PRODUCTION_NAMES:
        return ()
    return (RiskFactor("context.environment", PRODUCTION_POINTS, environment),)


def _sum(factors: tuple[RiskFactor, ...]) -> int:
    return sum(factor.points for factor in factors)


def _capped(factors: tuple[RiskFactor, ...], points_max: int) -> tuple[RiskFactor, ...]:
    """Cut the last factors so that together they stay within `points_max`."""
    totals = accumulate(factor.points for factor in factors)
    if all(total <= points_max for total in totals):
        return factors
    left, capped = points_max, []
    for factor in factors:
        points = min(factor.points, left)
        left -= points
        capped.append(RiskFactor(factor.name, points, factor.observed))
    return tuple(capped)


_UNREADABLE: Final = Action(
    UNKNOWN_OPERATION, UNKNOWN_OPERATION, UNKNOWN_OPERATION, Kind.UNKNOWN, Target("", ""),
    reversible=False,
)  # fmt: skip

UNREADABLE_RISK: Final = Profile(_UNREADABLE).risk("", NO_AMOUNT)
"""The risk of a request that nobody can tell the meaning of."""
