"""What every `RecordSink` promises: the fake in memory, and the recorder on a disk."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.model.errors import RecordError
from gateway.model.record import DecisionEntry, Entry, OutcomeEntry
from gateway.ports import RecordSink
from gateway.record.recorder import Recorder
from gateway.record.spool import Spool, SpoolSettings
from tests.support.entries import an_intent, an_outcome
from tests.support.fake_record import FakeRecords, FaultyDisk
from tests.support.fakes import FakeClock


@dataclass
class Subject:
    """A sink, with what a test needs to look at it and to break it."""

    sink: RecordSink
    decision_ids: Callable[[], list[str]]
    break_disk: Callable[[], None]
    heal_disk: Callable[[], None]


@pytest.fixture(params=["fake", "recorder"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """Each sink in turn."""
    if request.param == "fake":
        yield _fake()
        return
    settings = SpoolSettings(flush_seconds_max=0.001, retry_seconds=0.001)
    disk = FaultyDisk()
    recorder = Recorder(Spool.open(tmp_path, settings, disk), FakeClock(), settings)
    recorder.start()

    def break_disk() -> None:
        disk.fail_write = errno.ENOSPC

    yield Subject(recorder, lambda: _written(tmp_path), break_disk, disk.heal)
    disk.heal()
    await recorder.close()


def _fake() -> Subject:
    records = FakeRecords()

    def ids() -> list[str]:
        return [_decision_id(entry) for entry in records.entries]

    def change(is_writable: bool) -> Callable[[], None]:
        return lambda: setattr(records, "is_writable", is_writable)

    return Subject(records, ids, change(False), change(True))


def _decision_id(entry: Entry) -> str:
    assert isinstance(entry, DecisionEntry | OutcomeEntry)
    return entry.decision_id


def _written(directory: Path) -> list[str]:
    text = "".join(path.read_text() for path in sorted(directory.glob("records-*.jsonl")))
    lines = [json.loads(line) for line in text.splitlines()]
    return [line["decision_id"] for line in lines if "decision_id" in line]


async def test_a_durable_entry_is_there_when_the_call_returns(subject: Subject) -> None:
    """No flush, no close: it is there."""
    await subject.sink.append_durably(an_intent("dec_1"))
    assert subject.decision_ids() == ["dec_1"]


async def test_entries_keep_the_order_of_the_calls(subject: Subject) -> None:
    """A durable one makes everything before it durable."""
    subject.sink.append(an_intent("dec_1"))
    subject.sink.append(an_outcome("dec_1"))
    await subject.sink.append_durably(an_intent("dec_2"))
    assert subject.decision_ids() == ["dec_1", "dec_1", "dec_2"]


async def test_what_is_refused_is_not_recorded(subject: Subject) -> None:
    """The caller was told that nothing may be sent, so nothing may read as sent."""
    await subject.sink.append_durably(an_intent("before"))
    subject.break_disk()
    with pytest.raises(RecordError):
        await subject.sink.append_durably(an_intent("refused"))
    with pytest.raises(RecordError):
        subject.sink.append(an_intent("refused"))
    subject.heal_disk()
    await _until_durable(subject.sink, an_intent("after"))
    assert subject.decision_ids() == ["before", "after"]


async def test_what_already_happened_is_taken_while_the_disk_fails(subject: Subject) -> None:
    """And is there, in order, when the disk is back."""
    await subject.sink.append_durably(an_intent("dec_1"))
    subject.break_disk()
    with pytest.raises(RecordError):
        await subject.sink.append_durably(an_intent("refused"))
    subject.sink.append(an_outcome("dec_1"))
    subject.heal_disk()
    await _until_durable(subject.sink, an_intent("dec_2"))
    assert subject.decision_ids() == ["dec_1", "dec_1", "dec_2"]


async def _until_durable(sink: RecordSink, entry: Entry) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await sink.append_durably(entry)
            except RecordError:
                await asyncio.sleep(0.001)
            else:
                return
