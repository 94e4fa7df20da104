"""Measures a call by what its agent usually does, as one of a few bands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.decide.baseline import NO_CURRENCY, Baseline, Usual
from gateway.decide.risk.readings import NOTHING, currency_of
from gateway.decide.risk.scheme import (
    ABOVE,
    AMOUNT_UNREADABLE,
    BEYOND,
    BEYOND_TIMES,
    FAR_ABOVE,
    FAR_ABOVE_TIMES,
    FEW_DAYS,
    FIRST_USE,
    HOURS_KNOWN_FROM_DAYS,
    NO_BASELINE,
    ORDINARY,
    SELDOM,
    SELDOM_BELOW,
    UNKNOWN_AGENT,
    UNKNOWN_CURRENCY,
    UNUSUAL_HOUR,
    USUAL,
    USUAL_HOUR,
)
from gateway.model.action import Action

Deviation = tuple[int, int, int]
"""The bands of history, amount and hour; NOTHING where there is nothing to measure."""

UNMEASURED: Final[Deviation] = (NO_BASELINE, NOTHING, NOTHING)

_HOUR: Final = 3_600_000_000


class Habit:
    """What an agent usually does by one action, as far as it is the same for every call."""

    __slots__ = ("_amounts", "_history", "_hours")

    def __init__(self, usual: Usual) -> None:
        self._amounts = usual.amounts
        self._history = SELDOM if usual.count < SELDOM_BELOW else USUAL
        is_known = usual.days >= HOURS_KNOWN_FROM_DAYS
        bands = [USUAL_HOUR if hour in usual.hours else UNUSUAL_HOUR for hour in range(24)]
        self._hours = bands if is_known else [FEW_DAYS] * 24

    def deviation(self, action: Action, now: int, size: int, has_amount: bool) -> Deviation:
        """Measure one call. `size` is its amount without sign, NOTHING where it has none that can
        be read."""
        amount = NOTHING
        if has_amount:
            most = self._amounts.get(currency_of(action) or NO_CURRENCY)
            if size == NOTHING:
                amount = AMOUNT_UNREADABLE
            elif most is None:
                amount = UNKNOWN_CURRENCY
            elif size <= most:
                amount = ORDINARY
            elif size <= most * FAR_ABOVE_TIMES:
                amount = ABOVE
            else:
                amount = FAR_ABOVE if size <= most * BEYOND_TIMES else BEYOND
        return self._history, amount, self._hours[now // _HOUR % 24]


_NOBODY: Final[Mapping[str, Habit]] = MappingProxyType({})
_NEVER_DONE: Final[Deviation] = (FIRST_USE, NOTHING, NOTHING)
_NEVER_SEEN: Final[Deviation] = (UNKNOWN_AGENT, NOTHING, NOTHING)


class Habits:
    """A baseline, arranged by action."""

    __slots__ = ("_agents", "_by_action", "snapshot")

    def __init__(self, baseline: Baseline) -> None:
        self.snapshot = baseline.snapshot
        self._agents = frozenset(baseline.agents)
        self._by_action: defaultdict[str, dict[str, Habit]] = defaultdict(dict)
        for agent, actions in baseline.agents.items():
            for name, usual in actions.items():
                self._by_action[name][agent] = Habit(usual)

    def of_action(self, name: str) -> Mapping[str, Habit]:
        """The habit of each agent that does this."""
        return self._by_action.get(name, _NOBODY)

    def without_habit(self, agent: str) -> Deviation:
        """How far it is from what is usual that an agent does what it has no habit of."""
        return _NEVER_DONE if agent in self._agents else _NEVER_SEEN
