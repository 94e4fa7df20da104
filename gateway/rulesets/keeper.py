"""The ruleset in force, and what is wrong with the newest that was offered.

INVARIANT(last-good): what can't be used never takes the place of what can. It is shouted about
(log, record, readiness, metric), once for each different fault, until a good one comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from gateway import telemetry
from gateway.journey.judge import Judge, Ruleset
from gateway.model.errors import CheckreinError, ConfigurationError

log = logging.getLogger(__name__)

PROBLEMS_SHOWN_MAX: Final = 20
"""Problems that a log line spells out; the rest are counted."""

Note = Callable[[str, str], None]
"""Records an event of the gateway and its detail."""


class RulesetSource(Protocol):
    """Gives rulesets to a keeper while the gateway runs."""

    async def start(self, keeper: RulesetKeeper) -> None:
        """Give what changes to the keeper from now on."""
        ...

    async def stop(self) -> None: ...

    def force(self) -> None:
        """Look again now, though nothing seems to have changed."""
        ...

    def describe(self) -> str | None:
        """Which of its rules are in force, for people; None where there is nothing to add."""
        ...


class RulesetKeeper:
    """One per gateway. Everything is called on the event loop. `on_change` is told when other
    rules are in force."""

    def __init__(
        self, judge: Judge, note: Note, on_change: Callable[[], object] = lambda: None
    ) -> None:
        self._judge = judge
        self._note = note
        self._on_change = on_change
        self._fault = ""

    @property
    def ruleset(self) -> Ruleset:
        return self._judge.ruleset

    @property
    def fault(self) -> str | None:
        """Why the newest rules are not used; None when they are."""
        return self._fault or None

    def adopt(self, ruleset: Ruleset, origin: str = "") -> None:
        """Judge by this from now on. A request that has begun keeps what it began with, until it
        has waited for a person."""
        before, self._judge.ruleset = self._judge.ruleset, ruleset
        self.settle()
        is_known = ruleset.bundle.revision == before.bundle.revision
        if is_known and ruleset.canonicalizer is before.canonicalizer:
            return
        detail = f"revision {ruleset.bundle.revision}{origin}"
        log.info("rules loaded", extra={"detail": detail})
        self._note("policy_loaded", detail)
        self._on_change()

    def confirm(self, usable_until: int | None) -> None:
        """Let the ruleset in force decide until then (microseconds since the Unix epoch)."""
        self._judge.ruleset = replace(self._judge.ruleset, usable_until=usable_until)

    def settle(self) -> None:
        """What was wrong is gone, and what is in force is the newest there is."""
        if self._fault:
            log.warning("the rules in force are the newest again")
            self._fault = ""
            telemetry.RULESET_REFUSED.set(0)

    def refuse(self, error: CheckreinError) -> None:
        """Keep what there is, because what was offered can't be used."""
        fault = _shown(error)
        if fault == self._fault:
            return
        self._fault = fault
        telemetry.RULESET_REFUSED.set(1)
        telemetry.RULESET_FAULTS.labels(error.code).inc()
        count = len(error.problems) if isinstance(error, ConfigurationError) else 1
        log.error(
            "rules not taken; the old ones stay",
            extra={"code": error.code, "count": count, "detail": fault},
        )
        self._note("policy_refused", fault)


def _shown(error: CheckreinError) -> str:
    if not isinstance(error, ConfigurationError):
        return str(error)
    lines = [str(problem) for problem in error.problems[:PROBLEMS_SHOWN_MAX]]
    more = len(error.problems) - len(lines)
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)
