"""Claims on limits for tests, from few words."""

from __future__ import annotations

from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.limit import LimitClaim

SECOND = 1_000_000
DAY_SECONDS = 86_400


def claim(
    now: int,
    amount: int | None = 1,
    most: int = 3,
    *,
    limit: str = "p/budget",
    key: str = "agent:a",
    seconds: int = DAY_SECONDS,
    effect: Effect = Effect.BLOCK,
    mode: Mode = Mode.ENFORCE,
    unread: str = "",
) -> LimitClaim:
    """A claim of a sliding window, made at `now`."""
    terms = ApprovalTerms() if effect is Effect.REQUIRE_APPROVAL else None
    since = now - seconds * SECOND
    return LimitClaim(
        limit, key, amount, most, since, seconds, effect, mode, "USED_UP", "it is used up", terms,
        unread,
    )  # fmt: skip
