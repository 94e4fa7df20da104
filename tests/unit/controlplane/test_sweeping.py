"""A sweeper goes on, whatever happens to it."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.faults import ControlFault, Fault
from controlplane.services.sweeping import sweep_forever
from controlplane.telemetry import Metrics


async def test_a_sweeper_outlives_every_fault(caplog: pytest.LogCaptureFixture):
    """A database that is away, and a bug, which is counted; then it sweeps on."""
    metrics, calls, done = Metrics(), 0, asyncio.Event()

    async def sweep() -> float:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ControlFault(Fault.UNAVAILABLE, "away")
        if calls == 2:
            raise RuntimeError("a bug")
        done.set()
        return 3_600

    task = asyncio.create_task(sweep_forever(sweep, 0, metrics))
    async with asyncio.timeout(10):
        await done.wait()
    task.cancel()
    await asyncio.wait({task})
    assert (calls, task.cancelled()) == (3, True)
    assert metrics.bugs._value.get() == 1
    assert [one.levelname for one in caplog.records] == ["WARNING", "ERROR"]
