"""Counters whose process is killed with -9 at any moment: what was granted counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.counters.local import LocalLimits
from gateway.model.effect import Mode
from gateway.process.system import SystemClock
from tests.support.limits import claim

WORKER = """
import asyncio, sys
from pathlib import Path
from gateway.process.system import SystemClock
from gateway.counters.local import LocalLimits
from tests.support.limits import claim

async def spend(store, clock, name):
    number = 0
    while True:
        number += 1
        now = clock.now()
        taken = await store.reserve(f"{name}-{number}", [claim(now, 1, 10**6)], now, None)
        # Granted: from here on it may be sent.
        sys.stdout.write("g\\n")
        sys.stdout.flush()
        if number % 3 == 0:
            await store.release(taken.token)
            sys.stdout.write("r\\n")
            sys.stdout.flush()
        else:
            await store.settle(taken.token)

async def main():
    clock = SystemClock()
    store = LocalLimits.open(Path(sys.argv[1]), clock)
    await asyncio.gather(*(spend(store, clock, sys.argv[2] + str(n)) for n in range(8)))

asyncio.run(main())
"""
LIVES = 5
ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(60)
async def test_nothing_granted_is_forgotten(tmp_path: Path) -> None:
    """Five lives in a row, each killed while eight spend at once. What they were granted and did
    not give back counts; more can count by what was given back too late to be written."""
    directory = tmp_path / "limits"
    granted = given_back = 0
    for life in range(LIVES):
        with subprocess.Popen(
            [sys.executable, "-c", WORKER, str(directory), f"life{life}-"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(200 + 37 * life)]
            process.kill()
            lines += process.stdout.readlines()
        granted += lines.count("g\n")
        given_back += lines.count("r\n")
    clock = SystemClock()
    store = LocalLimits.open(directory, clock)
    now = clock.now()
    taken = await store.reserve("reader", [claim(now, 0, 0, mode=Mode.MONITOR)], now, None)
    used = taken.readings[0].used
    await store.close()
    assert given_back > 0
    in_flight_at_kills = 8 * LIVES
    assert granted - given_back <= used <= granted + in_flight_at_kills
