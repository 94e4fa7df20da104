"""A process that records as fast as it can and says what was acknowledged; killed by the test.

`python -m tests.integration.record.appender DIRECTORY` writes one acknowledged decision id a line.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from gateway.record.recorder import Recorder
from gateway.record.spool import SpoolSettings
from tests.support.entries import an_intent, an_outcome
from tests.support.fakes import FakeClock

SETTINGS = SpoolSettings(segment_bytes_max=100_000, flush_seconds_max=0.002)
WORKERS = 8


async def main(directory: Path) -> None:
    """Until killed: intents that wait, outcomes that don't."""
    recorder = Recorder.open(directory, SETTINGS, FakeClock())

    async def work(worker: int) -> None:
        number = 0
        while True:
            number += 1
            decision_id = f"{os.getpid()}-{worker}-{number}"
            await recorder.append_durably(an_intent(decision_id))
            os.write(1, f"{decision_id}\n".encode())
            recorder.append(an_outcome(decision_id))

    await asyncio.gather(*(work(worker) for worker in range(WORKERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
