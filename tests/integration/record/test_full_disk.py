"""A disk that is really full: a small tmpfs, filled and emptied under a running recorder."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.model.errors import RecordError
from gateway.record.chain import verify_chain
from gateway.record.recorder import Recorder
from gateway.record.spool import SpoolSettings
from tests.support.entries import an_intent, an_outcome
from tests.support.fakes import FakeClock

SETTINGS = SpoolSettings(flush_seconds_max=0.005, retry_seconds=0.01)
DISK_BYTES = 256 * 1024
MS_RDONLY, MS_REMOUNT, MNT_DETACH = 1, 32, 2

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB of its own."""
    where = tmp_path / "disk"
    where.mkdir()
    if not mount(where, 0):
        pytest.skip("this machine lets nobody mount")
    yield where
    libc().umount2(str(where).encode(), MNT_DETACH)


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def mount(where: Path, flags: int) -> bool:
    options = f"size={DISK_BYTES}".encode()
    return bool(libc().mount(b"tmpfs", str(where).encode(), b"tmpfs", flags, options) == 0)


def recorded(spool: Path) -> list[dict[str, str]]:
    lines = [
        line
        for path in sorted(spool.glob("records-*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    verify_chain(lines, first_seq=1)
    return [json.loads(line) for line in lines]


async def until_writable(recorder: Recorder) -> None:
    async with asyncio.timeout(20):
        while not recorder.is_writable:
            recorder.grown.clear()
            await recorder.grown.wait()


async def test_a_full_disk_refuses_and_recovers(small_disk: Path) -> None:
    """Refused until there is room, then on without a restart; nothing acknowledged is lost."""
    spool = small_disk / "spool"
    recorder = Recorder.open(spool, SETTINGS, FakeClock())
    acknowledged: list[str] = []
    reasons: list[str] = []
    try:
        for number in range(2_000):
            try:
                await recorder.append_durably(an_intent(f"dec_{number}"))
            except RecordError as error:
                reasons.append(error.message)
                break
            acknowledged.append(f"dec_{number}")
        assert acknowledged
        assert reasons == ["the record can't be written: no space left on device"]
        recorder.append(an_outcome(acknowledged[-1]))
        with pytest.raises(RecordError):
            recorder.append(an_intent("refused"))
        _grow(small_disk)
        await until_writable(recorder)
        await recorder.append_durably(an_intent("after"))
    finally:
        await recorder.close()
    lines = recorded(spool)
    intents = [line["decision_id"] for line in lines if line["kind"] == "intent"]
    assert intents == [*acknowledged, "after"]
    outcomes = [line["decision_id"] for line in lines if line["kind"] == "outcome"]
    assert outcomes == [acknowledged[-1]]


async def test_a_read_only_disk_refuses_and_recovers(small_disk: Path) -> None:
    """As when a kernel remounts a file system after an error."""
    spool = small_disk / "spool"
    recorder = Recorder.open(spool, SETTINGS, FakeClock())
    await recorder.append_durably(an_intent("before"))
    await recorder.close()
    assert mount(small_disk, MS_REMOUNT | MS_RDONLY)
    with pytest.raises(RecordError) as caught:
        Recorder.open(spool, SETTINGS, FakeClock())
    assert (caught.value.code, caught.value.message) == (
        "record.unwritable",
        "the record can't be written: read-only file system",
    )
    assert mount(small_disk, MS_REMOUNT)
    recorder = Recorder.open(spool, SETTINGS, FakeClock())
    await recorder.append_durably(an_intent("after"))
    await recorder.close()
    assert [line["decision_id"] for line in recorded(spool) if "decision_id" in line] == [
        "before",
        "after",
    ]


def _grow(where: Path) -> None:
    options = f"size={DISK_BYTES * 4}".encode()
    assert libc().mount(b"tmpfs", str(where).encode(), b"tmpfs", MS_REMOUNT, options) == 0
