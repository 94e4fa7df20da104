"""Scores an action: an integer from 0 to 100, as the sum of named factors. Scheme RS1.

Additive and capped, whole numbers only, so that the same input has the same score everywhere and
for ever. The score decides nothing: a rule may test `risk.score`. The tables below are published
in `policies/README.md`; a test holds the two together. The weights are judgement, not
measurement. What can't be known is a named factor at a stated value, never a silent zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from gateway.model.action import UNKNOWN_OPERATION, Action, Kind, ParamValue, Target
from gateway.model.decision import Context, Risk, RiskFactor

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
    (1_000, 0),
    (10_000, 4),
    (100_000, 8),
    (1_000_000, 12),
    (10_000_000, 16),
)
"""Below how many minor units an amount has how many points: a decade is four."""
AMOUNT_POINTS_MAX: Final = 20
AMOUNT_UNREADABLE_POINTS: Final = 12

DEVIATION_MAX: Final = 15

_AMOUNT: Final = "amount"
_SHOWN_MAX: Final = 10**18
_NO_DEVIATION: Final = RiskFactor("deviation.history", 0, "no baseline")


class Profile:
    """The risk of one operation, as far as it is the same for every call of it."""

    __slots__ = ("_context_points", "_factors", "_operation_points", "_plain")

    def __init__(self, action: Action) -> None:
        operation = _capped(_operation_factors(action), OPERATION_MAX)
        context: tuple[RiskFactor, ...] = ()
        if action.operation == UNKNOWN_OPERATION or action.kind is Kind.UNKNOWN:
            context = (
                RiskFactor("context.operation", UNKNOWN_OPERATION_POINTS, "not known to a mapper"),
            )
        target = RiskFactor("target.class", TARGET_UNCLASSIFIED_POINTS, "not classified")
        self._factors = (*operation, target, *context)
        self._operation_points = sum(factor.points for factor in operation)
        self._context_points = sum(factor.points for factor in context)
        self._plain: dict[str, Risk] = {}

    def assess(self, action: Action, context: Context) -> Risk:
        """Score one call. Never raises, whatever the params hold."""
        amount = action.params.get(_AMOUNT)
        if amount is None and _AMOUNT not in action.missing:
            environment = context.environment
            risk = self._plain.get(environment)
            if risk is None:
                risk = self._total(_environment_factors(environment))
                # A gateway has one environment; a test or replay with many must not fill memory.
                if len(self._plain) < 16:
                    self._plain[environment] = risk
            return risk
        return self._total((*_environment_factors(context.environment), _amount_factor(amount)))

    def _total(self, context: tuple[RiskFactor, ...]) -> Risk:
        capped = _capped(context, CONTEXT_MAX - self._context_points)
        context_points = self._context_points + sum(factor.points for factor in capped)
        score = self._operation_points + TARGET_UNCLASSIFIED_POINTS + context_points
        vector = (
            f"{SCHEME}/O:{self._operation_points}/T:{TARGET_UNCLASSIFIED_POINTS}"
            f"/C:{context_points}/D:0"
        )
        return Risk(score, (*self._factors, *capped, _NO_DEVIATION), vector)


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


def _amount_factor(amount: ParamValue) -> RiskFactor:
    if not isinstance(amount, int) or isinstance(amount, bool):
        return RiskFactor("context.amount", AMOUNT_UNREADABLE_POINTS, "not readable")
    size = abs(amount)
    points = next((points for below, points in AMOUNT_BANDS if size < below), AMOUNT_POINTS_MAX)
    # Thousands of digits from an agent are neither printed nor recorded.
    shown = str(amount) if size < _SHOWN_MAX else "beyond 10^18"
    return RiskFactor("context.amount", points, shown)


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

UNREADABLE_RISK: Final = Profile(_UNREADABLE).assess(_UNREADABLE, Context("", None, 0))
"""The risk of a request that nobody can tell the meaning of."""
