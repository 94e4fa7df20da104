"""The recorder: order, durability, and a disk that fails and comes back."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.model.errors import RecordError
from gateway.model.record import Entry, GatewayEntry
from gateway.record.chain import verify_chain
from gateway.record.recorder import Recorder
from gateway.record.spool import Spool, SpoolSettings
from tests.support.entries import AT, an_intent, an_outcome
from tests.support.fake_record import FaultyDisk
from tests.support.fakes import FakeClock

QUICK = SpoolSettings(flush_seconds_max=0.001, retry_seconds=0.001)


@asynccontextmanager
async def recording(
    directory: Path, disk: FaultyDisk | None = None, settings: SpoolSettings = QUICK
) -> AsyncIterator[Recorder]:
    recorder = Recorder(Spool.open(directory, settings, disk), FakeClock(), settings)
    recorder.start()
    try:
        yield recorder
    finally:
        await recorder.close()


def recorded(directory: Path) -> list[dict[str, object]]:
    paths = sorted(directory.glob("records-*.jsonl"))
    lines = [line for path in paths for line in path.read_bytes().splitlines()]
    verify_chain(lines, first_seq=1)
    return [json.loads(line) for line in lines]


def ids(directory: Path, kind: str | None = None) -> list[object]:
    return [
        line["decision_id"]
        for line in recorded(directory)
        if "decision_id" in line and kind in (None, line["kind"])
    ]


async def until_writable(recorder: Recorder) -> None:
    async with asyncio.timeout(10):
        while not recorder.is_writable:
            recorder.grown.clear()
            await recorder.grown.wait()


async def test_a_durable_entry_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    """Synced, in the file, in its place."""
    disk = FaultyDisk()
    async with recording(tmp_path, disk) as recorder:
        await recorder.append_durably(an_intent("dec_1"))
        assert disk.syncs == 1
        assert ids(tmp_path) == ["dec_1"]


async def test_chain_order_is_call_order(tmp_path: Path) -> None:
    """Whether anybody waits or not."""
    async with recording(tmp_path) as recorder:
        waits = []
        for number in range(200):
            name = f"dec_{number:03}"
            if number % 3:
                recorder.append(an_intent(name))
            else:
                entry = an_intent(name)
                waits.append(asyncio.create_task(recorder.append_durably(entry)))
                await asyncio.sleep(0)
        await asyncio.gather(*waits)
    assert ids(tmp_path) == [f"dec_{number:03}" for number in range(200)]


async def test_entries_of_one_moment_share_one_sync(tmp_path: Path) -> None:
    """Group commit: a hundred that wait together cost one or two."""
    disk = FaultyDisk()
    async with recording(tmp_path, disk) as recorder:
        entries = [an_intent(f"dec_{number}") for number in range(100)]
        await asyncio.gather(*(recorder.append_durably(entry) for entry in entries))
        assert disk.syncs <= 2
    assert len(ids(tmp_path)) == 100


async def test_an_entry_that_nobody_waits_for_is_written_soon(tmp_path: Path) -> None:
    """Without any other traffic."""
    async with recording(tmp_path) as recorder:
        recorder.append(an_outcome("dec_1"))
        async with asyncio.timeout(10):
            await recorder.grown.wait()
        assert ids(tmp_path) == ["dec_1"]


async def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    """And refuses what comes later."""
    slow = replace(QUICK, flush_seconds_max=3_600)
    async with recording(tmp_path, settings=slow) as recorder:
        for number in range(2_500):
            recorder.append(an_outcome(f"dec_{number}"))
    assert len(ids(tmp_path)) == 2_500
    with pytest.raises(RecordError, match="stopping"):
        recorder.append(an_outcome())


FAULTS = {
    "disk full": ({"fail_write": errno.ENOSPC}, "no space left on device"),
    "disk full in mid-line": (
        {"fail_write": errno.ENOSPC, "torn_bytes": 99},
        "no space left on device",
    ),
    "input/output error at the sync": ({"fail_sync": errno.EIO}, "input/output error"),
    "read-only": ({"fail_write": errno.EROFS, "fail_truncate": errno.EROFS}, "read-only"),
}


@pytest.mark.parametrize("what", FAULTS)
async def test_a_failing_disk_refuses_and_recovers(tmp_path: Path, what: str) -> None:
    """Who waits is told why; nothing refused is recorded later; it heals without a restart."""
    faults, reason = FAULTS[what]
    disk = FaultyDisk()
    async with recording(tmp_path, disk) as recorder:
        await recorder.append_durably(an_intent("before"))
        for name, value in faults.items():
            setattr(disk, name, value)
        results = await asyncio.gather(
            *(recorder.append_durably(an_intent(f"refused_{n}")) for n in range(5)),
            return_exceptions=True,
        )
        assert {getattr(result, "code", "") for result in results} == {"record.unwritable"}
        assert reason in str(results[0])
        assert not recorder.is_writable
        with pytest.raises(RecordError):
            recorder.append(an_intent("refused"))
        with pytest.raises(RecordError):
            await recorder.append_durably(an_intent("refused"))
        disk.heal()
        await until_writable(recorder)
        await recorder.append_durably(an_intent("after"))
    assert ids(tmp_path) == ["before", "after"]
    events = [line for line in recorded(tmp_path) if line["kind"] == "gateway"]
    assert [event["event"] for event in events] == ["record_restored"]
    assert "were refused" in str(events[0]["detail"])


async def test_what_already_happened_outlives_the_fault(tmp_path: Path) -> None:
    """An outcome given while the disk fails is written when it is back, in its order."""
    disk = FaultyDisk()
    async with recording(tmp_path, disk) as recorder:
        await recorder.append_durably(an_intent("dec_1"))
        recorder.append(an_intent("read_1"))
        disk.fail_sync = errno.EIO
        with pytest.raises(RecordError):
            await recorder.append_durably(an_intent("dec_2"))
        recorder.append(an_outcome("read_1"))
        recorder.append(an_outcome("dec_1"))
        disk.heal()
        await until_writable(recorder)
    assert ids(tmp_path) == ["dec_1", "read_1", "read_1", "dec_1"]


async def test_a_cancelled_intent_is_not_recorded(tmp_path: Path) -> None:
    """Its caller sends nothing, so a record of it would be an act that never was."""
    disk = FaultyDisk(gate=threading.Event())
    async with recording(tmp_path, disk) as recorder:
        first = asyncio.create_task(recorder.append_durably(an_intent("first")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the first is with the writer now, which waits at the gate
        second = asyncio.create_task(recorder.append_durably(an_intent("cancelled")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert disk.gate is not None
        disk.gate.set()
        await first
    assert ids(tmp_path) == ["first"]


async def test_who_queues_behind_a_failing_write_is_told_too(tmp_path: Path) -> None:
    """At once: the disk is not asked again for each of them."""
    disk = FaultyDisk(gate=threading.Event())
    async with recording(tmp_path, disk) as recorder:
        first = asyncio.create_task(recorder.append_durably(an_intent("first")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the first is with the writer now, which waits at the gate
        second = asyncio.create_task(recorder.append_durably(an_intent("second")))
        await asyncio.sleep(0)
        disk.fail_sync = errno.EIO
        assert disk.gate is not None
        disk.gate.set()
        async with asyncio.timeout(10):
            results = await asyncio.gather(first, second, return_exceptions=True)
        assert [getattr(result, "code", "") for result in results] == ["record.unwritable"] * 2
        disk.heal()
        await until_writable(recorder)
    assert ids(tmp_path) == []


async def test_a_hanging_disk_is_a_failed_disk(tmp_path: Path) -> None:
    """Who waits is told after the limit; when the disk answers at last, all goes on."""
    disk = FaultyDisk(gate=threading.Event())
    async with recording(tmp_path, disk, replace(QUICK, durable_seconds_max=0.02)) as recorder:
        results = await asyncio.gather(
            *(recorder.append_durably(an_intent(f"dec_{n}")) for n in range(3)),
            return_exceptions=True,
        )
        assert all("did not answer in time" in str(result) for result in results)
        with pytest.raises(RecordError):
            recorder.append(an_intent("refused"))
        recorder.append(an_outcome("past"))
        assert disk.gate is not None
        disk.gate.set()
        await until_writable(recorder)
    assert ids(tmp_path) == ["dec_0", "dec_1", "dec_2", "past"]


async def test_memory_is_bounded(tmp_path: Path) -> None:
    """More than the backlog allows is refused, outcomes too."""
    slow = replace(QUICK, flush_seconds_max=3_600, backlog_records_max=3)
    async with recording(tmp_path, settings=slow) as recorder:
        for number in range(3):
            recorder.append(an_outcome(f"dec_{number}"))
        with pytest.raises(RecordError) as caught:
            recorder.append(an_outcome("dec_3"))
        assert caught.value.code == "record.spool_full"
    assert len(ids(tmp_path)) == 3


async def test_disk_use_is_bounded_and_outcomes_still_fit(tmp_path: Path) -> None:
    """A full spool refuses new acts until the control plane took some; outcomes are kept."""
    tiny = replace(QUICK, segment_bytes_max=1_000, spool_bytes_max=4_000)
    async with recording(tmp_path, settings=tiny) as recorder:
        while recorder.spool.size_bytes < tiny.spool_bytes_max:
            await recorder.append_durably(an_intent("dec_0"))
        with pytest.raises(RecordError) as caught:
            await recorder.append_durably(an_intent("refused"))
        assert caught.value.code == "record.spool_full"
        recorder.append(an_outcome("dec_0"))
        recorder.spool.acknowledge(recorder.spool.last_seq)
        await recorder.append_durably(an_intent("again"))


async def test_a_start_reports_what_the_last_run_left_open(tmp_path: Path) -> None:
    """Once, as an event with the count; the intents themselves stay as they are."""
    async with recording(tmp_path) as recorder:
        await recorder.append_durably(an_intent("done"))
        await recorder.append_durably(an_intent("open"))
        recorder.append(an_outcome("done"))
    for _ in range(2):
        async with recording(tmp_path) as recorder:
            await recorder.append_durably(an_outcome("other"))
    events = [line for line in recorded(tmp_path) if line["kind"] == "gateway"]
    assert [event["event"] for event in events] == ["recovered"]
    assert str(events[0]["detail"]).startswith("1 intents have no outcome")


async def test_an_entry_that_has_no_canonical_form_fails_alone(tmp_path: Path) -> None:
    """A bug of ours must not stop the record."""
    bad: Entry = replace(an_outcome("bad"), code="\ud800")
    async with recording(tmp_path) as recorder:
        results = await asyncio.gather(
            recorder.append_durably(an_intent("good")),
            recorder.append_durably(bad),
            recorder.append_durably(an_intent("fine")),
            return_exceptions=True,
        )
        assert [getattr(result, "code", None) for result in results] == [
            None, "record.unsealable", None,
        ]  # fmt: skip
    assert ids(tmp_path) == ["good", "fine"]


async def test_events_of_the_gateway_are_recorded(tmp_path: Path) -> None:
    """As kind `gateway`."""
    async with recording(tmp_path) as recorder:
        recorder.append(GatewayEntry(AT, "started", "revision 1"))
    assert [line["event"] for line in recorded(tmp_path)] == ["started"]
