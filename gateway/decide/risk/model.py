"""Scores a call: an integer from 0 to 100, as the sum of named factors, and its vector.

Additive and capped, whole numbers only, so that the same input has the same score everywhere and
for ever. The score decides nothing: a rule may test it. Whatever a call can vary is reduced to a
key of a few bands, so that every risk there is can be made once and kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from gateway.decide.assessment import FACTOR_NAMES, PARTS, Assessment
from gateway.decide.baseline import Baseline
from gateway.decide.organisation import Organisation
from gateway.decide.risk import scheme
from gateway.decide.risk.classes import NAMED, TYPICAL_CLASS
from gateway.decide.risk.deviation import UNMEASURED, Deviation, Habits
from gateway.decide.risk.hours import MINUTE, WorkingClock
from gateway.decide.risk.labels import LabelShelf, TargetLabels
from gateway.decide.risk.readings import (
    AMOUNT_BAND_UNREADABLE,
    COUNT,
    FEW,
    FLAT,
    NOTHING,
    RECIPIENTS,
    breadth_band,
    currency_of,
    is_flat_map,
    may_have,
    recipients_band,
)
from gateway.decide.risk.scheme import AMOUNT_STARTS
from gateway.model.action import UNKNOWN_OPERATION, Action, Kind, Target
from gateway.model.decision import Context, Risk, RiskFactor
from gateway.model.money import AMOUNT
from gateway.model.risk_class import RiskClass

Around = tuple[int, tuple[str, ...], Deviation]
"""The band of hours, the labels of the target, and how far the call is from what is usual: the
same for every call of an operation where an organisation and a baseline say nothing."""

Key = tuple[str, int, int, int, Around]
"""Environment; bands of amount, breadth and recipients; what is around."""

LABELS_SHOWN_MAX: Final = 8

_ORDER: Final = list(RiskClass)
_AMOUNT: Final = scheme.factors_of("context.amount", scheme.AMOUNT_BANDS)
_BREADTH: Final = scheme.factors_of("context.breadth", scheme.BREADTH_BANDS)
_RECIPIENTS: Final = scheme.factors_of("context.recipients", scheme.RECIPIENT_BANDS)
_HOURS: Final = scheme.factors_of("context.hours", scheme.HOUR_BANDS)
_HISTORY: Final = scheme.factors_of("deviation.history", scheme.HISTORY_BANDS)
_AMOUNT_DEVIATION: Final = scheme.factors_of("deviation.amount", scheme.AMOUNT_DEVIATION_BANDS)
_HOUR_DEVIATION: Final = scheme.factors_of("deviation.hour", scheme.HOUR_DEVIATION_BANDS)

Factors = tuple[RiskFactor, ...]


class RiskModel:
    """The scheme with what an organisation and a baseline tell it. Its answers depend on its
    arguments and on nothing else; what it keeps only makes them quicker."""

    def __init__(
        self, organisation: Organisation | None = None, baseline: Baseline | None = None
    ) -> None:
        self.organisation = organisation or Organisation("")
        self.habits = None if baseline is None else Habits(baseline)
        hours = self.organisation.working_hours
        self.clock = None if hours is None else WorkingClock(hours)
        self.shelf = LabelShelf()

    def profile(self, like: Action) -> Profile:
        """The risk of one operation, of which `like` is a call."""
        return Profile(self, like)

    def assess(self, action: Action, context: Context, actions: int = 1) -> Assessment:
        """Assess one call of a request with so many actions."""
        profile = self.profile(action)
        return profile.assess(profile.key(action, context, actions))

    def class_of(self, action: Action) -> tuple[RiskClass, str]:
        """The class of an action, and where it is known from."""
        own = self.organisation.risk_classes.get(action.action)
        if own is not None:
            return own, f"{own}, says the organisation"
        typical = TYPICAL_CLASS[action.kind]
        kind, named = NAMED.get(action.action, (None, typical))
        if kind is action.kind:
            return named, named.value
        # Tools bring names of their own: a harmless name must not make an act of another kind so.
        worst = max(named, typical, key=_ORDER.index)
        return worst, f"{worst}, as usual for {action.kind}: it has no class of its own"


class Profile:
    """What is the same for every call of one operation."""

    __slots__ = (
        "_around",
        "_clock",
        "_context",
        "_domains",
        "_habits",
        "_labels",
        "_labels_fixed",
        "_operation",
        "_rows",
        "_scales",
        "_sensitivity",
    )

    def __init__(self, model: RiskModel, like: Action) -> None:
        organisation, habits = model.organisation, model.habits
        self._clock = model.clock
        self._habits = habits
        self._scales = organisation.amount_scales
        self._domains = organisation.domains
        self._sensitivity = organisation.sensitivity
        self._operation = _capped(_operation_factors(model, like), scheme.OPERATION_MAX)
        self._context = _unknown_operation(like)
        covering = [each for each in organisation.target_labels if each.covers(like)]
        self._labels = TargetLabels(covering, model.shelf)
        self._labels_fixed = self._labels.fixed
        self._rows = habits.of_action(like.action) if habits is not None else {}
        self._around: Around | None = None
        if self._clock is None and habits is None and self._labels.fixed is not None:
            self._around = scheme.HOURS_UNSTATED, self._labels.fixed, UNMEASURED

    def key(self, action: Action, context: Context, actions: int = 1) -> Key:
        """All that the risk of a call depends on. Equal keys have equal risks."""
        params, unread = action.params, action.missing
        amount = params.get(AMOUNT)
        size = band = NOTHING
        if type(amount) is int:
            size = amount if amount >= 0 else -amount
            scales = self._scales
            scaled = size // scales.get(currency_of(action), 1) if scales else size
            band = bisect_right(AMOUNT_STARTS, scaled)
        elif amount is not None or (unread and may_have(action, AMOUNT)):
            band = AMOUNT_BAND_UNREADABLE
        breadth = 0
        if actions != 1 or action.unreadable or COUNT in params or len(params) > FEW:
            breadth = breadth_band(action, actions)
        else:
            for value in params.values():
                if type(value) not in FLAT and not is_flat_map(value):
                    breadth = breadth_band(action, actions)
                    break
        towards = NOTHING
        if RECIPIENTS in params or (unread and may_have(action, RECIPIENTS)):
            towards = recipients_band(params.get(RECIPIENTS), self._domains)
        around = self._around
        if around is None:
            around = self._look_around(action, context, size, band != NOTHING)
        return context.environment, band, breadth, towards, around

    def _look_around(self, action: Action, context: Context, size: int, has_amount: bool) -> Around:
        clock, habits, labels = self._clock, self._habits, self._labels_fixed
        if labels is None:
            labels = self._labels.of(action)
        hours = scheme.HOURS_UNSTATED
        if clock is not None:
            minute, hours = clock.last
            if minute != context.now // MINUTE:
                hours = clock.look_up(context.now)
        if habits is None:
            return hours, labels, UNMEASURED
        habit = self._rows.get(context.agent)
        if habit is None:
            return hours, labels, habits.without_habit(context.agent)
        return hours, labels, habit.deviation(action, context.now, size, has_amount)

    def assess(self, key: Key) -> Assessment:
        """The risk of every call with this key."""
        environment, band, breadth, towards, (hours, labels, deviation) = key
        history, amount_deviation, hour_deviation = deviation
        context = _present(
            *self._context,
            *_environment_factors(environment),
            _at(_AMOUNT, band),
            _at(_BREADTH, breadth),
            _at(_RECIPIENTS, towards),
            _at(_HOURS, hours),
        )
        measured = _present(
            self._history(history),
            _at(_AMOUNT_DEVIATION, amount_deviation),
            _at(_HOUR_DEVIATION, hour_deviation),
        )
        parts = {
            "operation": self._operation,
            "target": (_target_factor(self._sensitivity, labels),),
            "context": _capped(context, scheme.CONTEXT_MAX),
            "deviation": _capped(measured, scheme.DEVIATION_MAX),
        }
        points = {name: sum(each.points for each in parts[name]) for name in PARTS}
        factors = tuple(factor for each in parts.values() for factor in each)
        by_name = dict.fromkeys(FACTOR_NAMES, 0) | {each.name: each.points for each in factors}
        vector = "/".join(f"{name[0].upper()}:{points[name]}" for name in points)
        risk = Risk(sum(points.values()), factors, f"{scheme.SCHEME}/{vector}")
        return Assessment(risk, labels, MappingProxyType(points), MappingProxyType(by_name))

    def _history(self, band: int) -> RiskFactor:
        factor = _HISTORY[band]
        if self._habits is None:
            return factor
        shown = f"{factor.observed} (baseline {self._habits.snapshot})"
        return RiskFactor(factor.name, factor.points, shown)


def _operation_factors(model: RiskModel, action: Action) -> Factors:
    risk_class, shown = model.class_of(action)
    is_final = action.is_mutation and not action.reversible
    return _present(
        RiskFactor("operation.kind", scheme.KIND_POINTS[action.kind], action.kind.value),
        RiskFactor("operation.class", scheme.CLASS_POINTS[risk_class], shown),
        RiskFactor("operation.irreversible", scheme.IRREVERSIBLE_POINTS, "can't be undone")
        if is_final
        else None,
        RiskFactor("operation.sensitive", scheme.SENSITIVE_POINTS, action.sensitive)
        if action.sensitive is not None
        else None,
    )


def _unknown_operation(action: Action) -> Factors:
    if action.operation != UNKNOWN_OPERATION and action.kind is not Kind.UNKNOWN:
        return ()
    points = scheme.UNKNOWN_OPERATION_POINTS
    return (RiskFactor("context.operation", points, "not known to a mapper"),)


def _environment_factors(environment: str) -> Factors:
    name = "context.environment"
    if not environment:
        return (RiskFactor(name, scheme.UNSTATED_ENVIRONMENT_POINTS, "not stated"),)
    if environment.lower() in scheme.PRODUCTION_NAMES:
        return (RiskFactor(name, scheme.PRODUCTION_POINTS, environment),)
    return ()


def _target_factor(sensitivity: Mapping[str, int], labels: Sequence[str]) -> RiskFactor:
    """The most sensitive label counts."""
    name = "target.sensitivity"
    known = [sensitivity[label] for label in labels if label in sensitivity]
    shown = ", ".join(labels[:LABELS_SHOWN_MAX])
    if known:
        return RiskFactor(name, max(known), shown)
    return RiskFactor(name, scheme.UNCLASSIFIED_POINTS, shown or "not classified")


def _at(factors: Factors, band: int) -> RiskFactor | None:
    return None if band == NOTHING else factors[band]


def _present(*factors: RiskFactor | None) -> Factors:
    """Without those that say nothing: no factor is shown that adds no points of its own."""
    return tuple(factor for factor in factors if factor is not None and factor.points)


def _capped(factors: Factors, points_max: int) -> Factors:
    """Cut the last factors so that together they stay within `points_max`."""
    totals: Iterable[int] = accumulate(factor.points for factor in factors)
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

UNREADABLE_RISK: Final = RiskModel().assess(_UNREADABLE, Context("", None, 0)).risk
"""The risk of a request that nobody can tell the meaning of."""
