"""Promise: what can't be recorded is not done; when there is room again, work goes on by itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import CLIENTS, Told, run_agent
from tests.support.stack import Gateway, Stack

pytestmark = [pytest.mark.slow, pytest.mark.root]

URLLIB = next(client for client in CLIENTS if client.name == "urllib")
SPOOL_MEBIBYTES = 2
RECOVER_SECONDS_MAX = 20.0


@pytest.fixture
def cramped(stack: Stack) -> Iterator[Gateway]:
    """A gateway whose spool lies on a file system of two mebibytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    gateway = Gateway(stack.folder, "cramped", stack.control, stack.upstreams)
    spool = gateway.data_dir / "spool"
    spool.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SPOOL_MEBIBYTES}m,mode=0700", "t", str(spool)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a tmpfs can't be mounted here: {mounted.stderr.strip()}")
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.process.close()
        subprocess.run(["umount", str(spool)], check=True)


def fill(folder: Path) -> Path:
    """Use up every byte that is left in a folder's file system."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def call_until_refused(gateway: Gateway, tag: str) -> Told:
    """Send mutations until one is refused; what is buffered in a block may still fit."""
    for number in range(40):
        told = run_agent(URLLIB, "noted", f"{tag}x{number}x", gateway.environment_of_agent)
        if not told.ok:
            return told
    raise AssertionError("a full disk refused nothing")


def test_row_17_full_disk_means_no_action(stack: Stack, cramped: Gateway, tag: str) -> None:
    """Refused with `RECORD_UNAVAILABLE`, nothing sent; with room again, the next one passes."""
    assert run_agent(URLLIB, "noted", f"{tag}first", cramped.environment_of_agent).ok
    ballast = fill(cramped.data_dir / "spool")

    refused = call_until_refused(cramped, tag)
    assert "RECORD_UNAVAILABLE" in refused.message, refused
    mark = stack.oracle.mark()
    again = run_agent(URLLIB, "noted", f"{tag}second", cramped.environment_of_agent)
    assert not again.ok
    assert stack.oracle.since(mark) == []

    ballast.unlink()
    deadline = time.monotonic() + RECOVER_SECONDS_MAX
    number = 0
    while not run_agent(URLLIB, "noted", f"{tag}room{number}", cramped.environment_of_agent).ok:
        assert time.monotonic() < deadline, cramped.process.log[-4000:]
        number += 1
        time.sleep(0.2)
    assert len(stack.oracle.about(f"{tag}room{number}")) == 1
