"""Does something again and again, for as long as the control plane runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from controlplane.faults import ControlFault
from controlplane.store.tenancy import acting_for_everybody
from controlplane.telemetry import Metrics

log = logging.getLogger(__name__)


async def sweep_forever(
    sweep: Callable[[], Awaitable[float]], pause_seconds: float, metrics: Metrics
) -> None:
    """Call `sweep`, which says after how many seconds it is to be called again; `pause_seconds`
    after a fault. Nothing ends this: a sweeper that died would be missed by nobody."""
    while True:
        pause = pause_seconds
        try:
            with acting_for_everybody():
                pause = await sweep()
        except ControlFault as fault:
            log.warning("a sweep failed", extra={"code": fault.code})
        except Exception:
            log.exception("a sweep failed")
            metrics.bugs.inc()
        await asyncio.sleep(pause)
