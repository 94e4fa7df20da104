"""How long to wait before a delivery is tried again. Pure."""

from __future__ import annotations

from typing import Final

PAUSES_SECONDS: Final = (5.0, 15.0, 45.0, 135.0, 405.0, 900.0, 1800.0)
"""Between eight attempts, 55 minutes in all: a receiver that is deployed anew, or is away for most
of an hour, misses nothing."""

ATTEMPTS_MAX: Final = len(PAUSES_SECONDS) + 1

JITTER: Final = 0.2
"""Up to so much more or less, so that what failed together is not tried again together."""

RETRY_AFTER_SECONDS_MAX: Final = 3600.0
"""A receiver may ask for more time, and not for silence."""


def pause_after(attempts: int, chance: float, wanted_seconds: float | None) -> float | None:
    """Seconds until the next attempt, after `attempts` of them failed; None when it is enough.
    `chance` is random, from 0 to 1."""
    assert attempts >= 1
    if attempts >= ATTEMPTS_MAX:
        return None
    pause = PAUSES_SECONDS[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    if wanted_seconds is None:
        return pause
    return max(pause, min(wanted_seconds, RETRY_AFTER_SECONDS_MAX))
