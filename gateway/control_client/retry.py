"""How often and how soon a call to the control plane is made again.

Only for calls that may be made twice: asking joins, consuming repeats its claim, shipping is
idempotent by gateway and seq.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from gateway.model.errors import ControlPlaneError

Result = TypeVar("Result")

FIRST_PAUSE_SECONDS: Final = 0.1

FIRST_FETCH_SECONDS_MAX: Final = 3.0
"""How long the start of whatever follows the control plane waits for a first answer, before it
goes on with the copy on disk."""


def pauses(seconds_max: float) -> Iterator[float]:
    """Growing pauses with jitter, so that many gateways don't come back in one moment."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        pause = min(pause * 2, seconds_max)


async def call_until(
    deadline: float,
    now: Callable[[], float],
    call: Callable[[], Awaitable[Result]],
    pause_seconds_max: float = 1.0,
) -> Result:
    """Call until it succeeds, fails for good, or the monotonic `deadline` passes.

    Raises:
        ControlPlaneError: the last one, or one that a retry can't help.
    """
    for pause in pauses(pause_seconds_max):
        left = deadline - now()
        try:
            async with asyncio.timeout(max(left, 0.001)):
                return await call()
        except TimeoutError as error:
            raise ControlPlaneError(
                "control.unreachable", "the control plane did not answer in time"
            ) from error
        except ControlPlaneError as error:
            if not error.retryable or now() + pause >= deadline:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("pauses never end")
