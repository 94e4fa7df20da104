"""Budgets that actions use up: what an action takes, and what the counters said to it.

A limit counts actions, or sums a param of theirs, over a window of time and for each agent, run,
target or the whole organisation. An action's share is reserved when it is decided, settled when
it may have happened, and released when nothing was sent.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.model.dataclass import dataclass
from gateway.model.effect import ApprovalTerms, Effect, Mode


class WindowKind(StrEnum):
    """SLIDING: the last `seconds`. The others begin with the calendar's hour, day, week (Monday)
    and month in the window's time zone."""

    SLIDING = "sliding"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class LimitClaim:
    """What one request takes of one limit, for one key.

    `limit` is `POLICY/ID`. `key` says whose counter it is (`agent:billing-bot`). `amount` is what
    is counted: 1 for each action, or a sum in the param's own unit; None where it could not be
    read, and then the limit counts as exceeded. Only what lies after `since` counts (microseconds
    since the Unix epoch, UTC): the beginning of the window at the time of the decision.
    `window_seconds` is the longest time for which this claim can count. `terms` is set exactly when
    the effect is REQUIRE_APPROVAL.
    """

    limit: str
    key: str
    amount: int | None
    max: int
    since: int
    window_seconds: int
    effect: Effect
    mode: Mode
    reason_code: str
    message: str
    terms: ApprovalTerms | None = None
    unread: str = ""

    @property
    def policy_and_id(self) -> tuple[str, str]:
        """The parts of `limit`."""
        policy, _, limit_id = self.limit.partition("/")
        return policy, limit_id

    def exceeds(self, used: int) -> bool:
        """Whether it is too much beside what is used: more than `max`, or nobody knows how much."""
        return self.amount is None or used + self.amount > self.max


@dataclass(frozen=True, slots=True)
class LimitReading:
    """What a counter held before a claim, in the claim's unit, reserved amounts included.

    `is_exceeded` holds wherever `claim.exceeds(used)`; who counts for several may know of more.
    """

    claim: LimitClaim
    used: int
    is_exceeded: bool


@dataclass(frozen=True, slots=True)
class Reserved:
    """The answer to a request's claims. `token` names what was taken; "" where nothing was,
    because a limit that blocks is exceeded."""

    token: str
    readings: tuple[LimitReading, ...]
