"""A command that starts processes ends them, however it is ended."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, contextlib
from tests.support.processes import end_when_told

@contextlib.asynccontextmanager
async def started():
    try:
        yield
    finally:
        await asyncio.sleep(0.01)
        print("ended", flush=True)

async def work():
    async with started():
        print("ready", flush=True)
        await asyncio.sleep(60)

end_when_told()
asyncio.run(work())
"""


def test_a_command_that_is_told_to_end_ends_what_it_started() -> None:
    """What waits in a loop is given the time to end, and the status is that of the signal."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert (said, process.returncode) == ("ended\n", 143)
