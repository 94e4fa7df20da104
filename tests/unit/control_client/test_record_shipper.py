"""Shipping: in order, at least once, and loud where the two copies do not agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.record_shipper import Alarm, RecordShipper
from gateway.control_client.settings import ControlSettings
from gateway.record.chain import line_hash, verify_chain
from gateway.record.log.checkpoint import open_checkpoint
from gateway.record.log.signed_note import VerifierKey
from gateway.record.recorder import Recorder
from gateway.record.signed_heads import SignedHeads
from gateway.record.spool import SpoolSettings
from tests.support.entries import an_outcome
from tests.support.fake_control_plane import (
    KEY,
    FakeControlPlane,
    Scripted,
    envelope,
    fake_control_plane,
)
from tests.support.fakes import FakeClock

SPOOL = SpoolSettings(flush_seconds_max=0.001, segment_bytes_max=2_000, spool_bytes_max=10**6)


@pytest.fixture
async def plane() -> AsyncIterator[FakeControlPlane]:
    """A control plane that stores as the real one."""
    async with fake_control_plane() as fake:
        yield fake


@asynccontextmanager
async def recording(directory: Path, spool: SpoolSettings = SPOOL) -> AsyncIterator[Recorder]:
    recorder = Recorder.open(directory, spool, FakeClock())
    try:
        yield recorder
    finally:
        await recorder.close()


@asynccontextmanager
async def shipping(
    plane: FakeControlPlane,
    recorder: Recorder,
    records_max: int = 500,
    gather_seconds: float = 0.0,
) -> AsyncIterator[RecordShipper]:
    settings = ControlSettings(
        api_url=plane.url,
        api_key=KEY,
        control_seconds_max=1,
        ship_records_max=records_max,
        ship_gather_seconds=gather_seconds,
        ship_drain_seconds_max=0.0,
        retry_seconds_max=0.01,
    )
    client = ControlPlaneClient(settings)
    heads = SignedHeads.open(recorder, FakeClock())
    shipper = RecordShipper(client, recorder, heads, settings)
    await shipper.start()
    try:
        yield shipper
    finally:
        await shipper.stop()
        await client.close()


async def record(recorder: Recorder, count: int) -> None:
    entries = (an_outcome(f"dec_{number}") for number in range(count))
    await asyncio.gather(*(recorder.append_durably(entry) for entry in entries))


async def until(plane: FakeControlPlane, is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            plane.arrived.clear()
            try:
                async with asyncio.timeout(0.05):
                    await plane.arrived.wait()
            except TimeoutError:
                continue


async def test_everything_arrives_in_order(plane: FakeControlPlane, tmp_path: Path) -> None:
    """In batches, over segments, also what is recorded meanwhile; then the spool is emptied."""
    spool = replace(SPOOL, segments_kept=0)
    async with recording(tmp_path, spool) as recorder, shipping(plane, recorder, 10) as shipper:
        await record(recorder, 35)
        await record(recorder, 20)
        assert await shipper.drain(10)
        assert verify_chain(plane.lines, first_seq=1).last_seq == 55
        assert max(len(call.body["records"]) for call in plane.calls) == 10
        assert recorder.spool.acknowledged_seq == 55
        assert recorder.spool.first_seq > 1
        await until(plane, lambda: telemetry.SPOOL_BACKLOG.value == 0)


async def test_what_gathers_is_shipped_when_the_gateway_stops(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """At once: a stop doesn't wait until more has come."""
    async with (
        recording(tmp_path) as recorder,
        shipping(plane, recorder, gather_seconds=3_600) as shipper,
    ):
        await record(recorder, 3)
        assert recorder.spool.last_seq == 3
        assert not plane.lines
        assert await shipper.drain(10)
        assert len(plane.lines) == 3
        await record(recorder, 2)
        assert await shipper.drain(10)
    assert verify_chain(plane.lines, first_seq=1).last_seq == 5


async def test_a_full_batch_waits_for_no_other(plane: FakeControlPlane, tmp_path: Path) -> None:
    """Only what is less gathers first."""
    async with (
        recording(tmp_path) as recorder,
        shipping(plane, recorder, 5, gather_seconds=3_600),
    ):
        entries = (an_outcome(f"dec_{number}") for number in range(5))
        for entry in entries:
            recorder.append(entry)
        await until(plane, lambda: len(plane.lines) == 5)
    assert [len(call.body["records"]) for call in plane.calls if "records" in call.path] == [5]


async def test_every_batch_comes_with_the_signed_head_of_its_last_record(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Also where a batch ends in the middle of what is there, and after a gap was sent again."""
    async with recording(tmp_path) as recorder, shipping(plane, recorder, 4) as shipper:
        await record(recorder, 10)
        assert await shipper.drain(10)
        del plane.lines[2:]
        await record(recorder, 1)
        assert await shipper.drain(10)
        key = VerifierKey.parse(SignedHeads.open(recorder, FakeClock()).keys.verifier_key)
    batches = [call.body for call in plane.calls if call.path == "/v1/records"]
    assert len(batches) > 5
    for batch in batches:
        head = open_checkpoint(batch["head"], [key])
        last = batch["records"][-1].encode()
        assert head.origin == f"checkrein/gateway/{batch['gatewayId']}"
        assert (head.size, head.root.hex()) == (json.loads(last)["seq"], line_hash(last))


async def test_a_restart_ships_on(plane: FakeControlPlane, tmp_path: Path) -> None:
    """From the acknowledged position, without sending it all again."""
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 10)
        assert await shipper.drain(10)
    plane.calls.clear()
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 5)
        assert await shipper.drain(10)
    sent = [line for call in plane.calls for line in call.body["records"]]
    assert len(sent) == 5
    assert verify_chain(plane.lines, first_seq=1).last_seq == 15


OUTAGES: dict[str, list[Scripted]] = {
    "refused connections": ["cut", "cut"],
    "an answer that was lost after storing": ["cut"],
    "a failing database": [500, 503, 503],
    "garbage": ["garbage", "html", "list"],
    "a redirect": ["redirect"],
    "a key that is not known yet": [401, 403],
}


@pytest.mark.parametrize("what", OUTAGES)
async def test_an_outage_delays_and_loses_nothing(
    plane: FakeControlPlane, tmp_path: Path, what: str
) -> None:
    """It tries until it succeeds, and raises no alarm."""
    plane.script = list(OUTAGES[what])
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 3)
        assert await shipper.drain(10)
        assert shipper.alarm is None
    assert verify_chain(plane.lines, first_seq=1).last_seq == 3


async def test_a_bug_delays_and_loses_nothing(
    plane: FakeControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that nobody expected is counted and tried again: a dead task would ship no more."""
    async with recording(tmp_path) as recorder:
        read, bugs = recorder.spool.read, telemetry.BUGS.value
        faults = iter([RuntimeError("a bug")])

        def read_badly(after: int, count: int, size: int) -> list[bytes]:
            for fault in faults:
                raise fault
            return read(after, count, size)

        monkeypatch.setattr(recorder.spool, "read", read_badly)
        async with shipping(plane, recorder) as shipper:
            await record(recorder, 3)
            assert await shipper.drain(10)
    assert telemetry.BUGS.value == bugs + 1
    assert verify_chain(plane.lines, first_seq=1).last_seq == 3


async def test_a_lost_position_sends_again_and_stores_once(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """At least once here is exactly once there."""
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 10)
        assert await shipper.drain(10)
    (tmp_path / "acknowledged.json").unlink()
    async with recording(tmp_path) as recorder, shipping(plane, recorder, 4) as shipper:
        await record(recorder, 1)
        assert await shipper.drain(10)
        assert shipper.alarm is None
    assert verify_chain(plane.lines, first_seq=1).last_seq == 11


async def test_a_control_plane_that_lost_records_is_sent_them_again(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """As when its database was restored from a backup, and the spool still has them."""
    kept = replace(SPOOL, segments_kept=100)
    async with recording(tmp_path, kept) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 10)
        assert await shipper.drain(10)
        del plane.lines[4:]
        await record(recorder, 2)
        await until(plane, lambda: len(plane.lines) == 12)
        assert shipper.alarm is None
    assert verify_chain(plane.lines, first_seq=1).last_seq == 12


async def test_records_that_nobody_has_any_more_are_an_alarm(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """It goes on trying: they may come back with a better backup."""
    before = telemetry.RECORD_ALARMS.labels("RECORD_GAP").value
    spool = replace(SPOOL, segments_kept=0)
    async with recording(tmp_path, spool) as recorder, shipping(plane, recorder) as shipper:
        for _ in range(8):
            await record(recorder, 5)
        assert await shipper.drain(10)
        saved = list(plane.lines)
        plane.lines.clear()
        await record(recorder, 2)
        await until(plane, lambda: shipper.alarm is Alarm.GAP)
        calls = len(plane.calls)
        await until(plane, lambda: len(plane.calls) > calls + 2)
        plane.lines[:] = saved
        await until(plane, lambda: len(plane.lines) == 42)
        await until(plane, lambda: shipper.alarm is None)
    assert telemetry.RECORD_ALARMS.labels("RECORD_GAP").value == before + 1


STOPPING: dict[str, tuple[Callable[[], web.Response], Alarm]] = {
    "other bytes are stored under the same number": (
        lambda: envelope(409, "RECORD_CONFLICT"), Alarm.CONFLICT,
    ),
    "more is stored than this gateway ever wrote": (
        lambda: web.json_response({"acceptedThrough": 99}), Alarm.AHEAD,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", STOPPING)
async def test_two_truths_stop_the_shipping(
    plane: FakeControlPlane, tmp_path: Path, what: str
) -> None:
    """Loudly: one of the copies was changed. Nothing is overwritten, nothing acknowledged."""
    respond, alarm = STOPPING[what]
    plane.script = [respond()]
    before = telemetry.RECORD_ALARMS.labels(alarm.value).value
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 3)
        assert not await shipper.drain(10)
        assert shipper.alarm is alarm
        await record(recorder, 3)
        assert recorder.spool.acknowledged_seq == 0
    assert len(plane.calls) == 1
    assert plane.lines == []
    assert telemetry.RECORD_ALARMS.labels(alarm.value).value == before + 1


async def test_a_forged_head_in_the_control_plane_is_a_conflict(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Our next line does not follow what is stored there."""
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 3)
        assert await shipper.drain(10)
        plane.lines[2] = plane.lines[2].replace(b"executed", b"refused_")
        await record(recorder, 1)
        await until(plane, lambda: shipper.alarm is Alarm.CONFLICT)


async def test_a_drain_is_bounded(plane: FakeControlPlane, tmp_path: Path) -> None:
    """A stop does not wait for a control plane that is gone; the rest stays in the spool."""
    plane.script = [503] * 10_000
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        await record(recorder, 3)
        async with asyncio.timeout(5):
            assert not await shipper.drain(0.05)
    plane.script = []
    async with recording(tmp_path) as recorder, shipping(plane, recorder) as shipper:
        assert await shipper.drain(10)
    assert len(plane.lines) == 3
