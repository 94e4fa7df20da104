"""Promise: what can't be recorded is not done; when there is room again, work goes on by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.agents import CLIENTS, Told, run_agent
from tests.support.stack import Gateway, Stack
from tests.support.traffic import verify_chain

pytestmark = [pytest.mark.slow, pytest.mark.root]

URLLIB = next(client for client in CLIENTS if client.name == "urllib")
SPOOL_MEBIBYTES = 2
RECOVER_SECONDS_MAX = 20.0
SEGMENT_BYTES = "4096"
"""A file of the spool is full after some acts."""


@contextmanager
def mounted(place: Path, *what: str) -> Iterator[None]:
    """Mount something there while the block runs, or skip the test."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    command = ["mount", *what, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"`mount {what[0]} {what[1]}` fails here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def cramped(stack: Stack) -> Iterator[Gateway]:
    """A gateway whose spool lies on a file system of two mebibytes."""
    size = f"size={SPOOL_MEBIBYTES}m,mode=0700"
    with ExitStack() as made:
        # Not ended before it is unmounted: a process that runs keeps the place busy.
        gateway = Gateway(stack.folder, "cramped", stack.control, stack.upstreams)
        spool = gateway.data_dir / "spool"
        spool.mkdir(mode=0o700)
        made.enter_context(mounted(spool, "-t", "tmpfs", "-o", size, "t"))
        made.callback(gateway.process.close)
        gateway.start()
        yield gateway


@pytest.fixture
def thin(stack: Stack, tmp_path: Path) -> Iterator[tuple[Gateway, Path]]:
    """A gateway whose spool lies on a disk that promises more than there is behind it, as thin
    volumes do, and the folder with the little that there is."""
    with ExitStack() as made:
        behind = tmp_path / "behind"
        behind.mkdir()
        made.enter_context(mounted(behind, "-t", "tmpfs", "-o", "size=8m", "t"))
        image = behind / "image"
        with image.open("wb") as file:
            file.truncate(32 * 2**20)
        command = ["mkfs.ext2", "-q", "-F", str(image)]
        if shutil.which(command[0]) is None:
            pytest.skip("mkfs.ext2 is not installed")
        subprocess.run(command, check=True)
        gateway = Gateway(stack.folder, "thin", stack.control, stack.upstreams)
        spool = gateway.data_dir / "spool"
        spool.mkdir(mode=0o700)
        made.enter_context(mounted(spool, "-o", "loop,errors=continue", str(image)))
        made.callback(gateway.process.close)
        gateway.start()
        yield gateway, behind


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
    assert_recovers(stack, cramped, tag)


def assert_recovers(stack: Stack, gateway: Gateway, tag: str) -> None:
    """It carries out a change again, by itself, once."""
    deadline = time.monotonic() + RECOVER_SECONDS_MAX
    number = 0
    while not run_agent(URLLIB, "noted", f"{tag}room{number}x", gateway.environment_of_agent).ok:
        assert time.monotonic() < deadline, gateway.process.log[-4000:]
        number += 1
        time.sleep(0.2)
    assert len(stack.oracle.about(f"{tag}room{number}x")) == 1


def test_row_17_a_disk_that_loses_what_it_took(
    stack: Stack, thin: tuple[Gateway, Path], tag: str
) -> None:
    """The write is taken and the sync fails, which tells once of what is lost: nothing is sent, and
    what was on disk before is whole after it."""
    gateway, behind = thin
    assert run_agent(URLLIB, "noted", f"{tag}first", gateway.environment_of_agent).ok
    ballast = fill(behind)

    refused = call_until_refused(gateway, tag)
    assert "RECORD_UNAVAILABLE" in refused.message, refused
    ballast.unlink()
    assert_recovers(stack, gateway, tag)
    stack.api.wait_record({"kind": "gateway", "event": "record_restored"}, "", RECOVER_SECONDS_MAX)
    verify_chain(stack.api.records(gateway.gateway_id), gateway.gateway_id)


def test_row_17_a_folder_that_turned_read_only(stack: Stack, tag: str) -> None:
    """The open file still takes records and the next one can't be made: nothing is sent then."""
    settings = {"CHECKREIN_SEGMENT_BYTES_MAX": SEGMENT_BYTES}
    with ExitStack() as made:
        gateway = Gateway(stack.folder, "read-only", stack.control, stack.upstreams, settings)
        made.callback(gateway.process.close)
        gateway.start()
        spool = gateway.data_dir / "spool"
        with mounted(spool, "--bind", "-o", "ro", str(spool)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(spool)], check=True)
            refused = call_until_refused(gateway, tag)
            assert "RECORD_UNAVAILABLE" in refused.message, refused
            mark = stack.oracle.mark()
            again = run_agent(URLLIB, "noted", f"{tag}again", gateway.environment_of_agent)
            assert not again.ok
            assert stack.oracle.since(mark, tag) == []
        assert_recovers(stack, gateway, tag)
