"""A gateway and the real log: the key is enrolled, batches are signed, checkpoints are followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.control_client.checkpoints import LogFollower
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.record_proofs import RecordProofs
from gateway.control_client.record_shipper import RecordShipper
from gateway.control_client.settings import ControlSettings
from gateway.record.recorder import Recorder
from gateway.record.spool import SpoolSettings
from tests.support.control_plane import Client, running_plane
from tests.support.entries import an_outcome
from tests.support.fakes import FakeClock
from tests.support.signed_gateway import SIGNING_SOON, signed_log


@pytest.fixture
async def plane(
    postgres_server: EmbeddedPostgres, database_name: str, home: Path
) -> AsyncIterator[Client]:
    """A control plane that signs its log at once."""
    async with running_plane(postgres_server, database_name, home, SIGNING_SOON) as found:
        yield found


@asynccontextmanager
async def recording(
    client: ControlPlaneClient, settings: ControlSettings, folder: Path, gateway_id: str
) -> AsyncIterator[tuple[Recorder, RecordShipper, RecordProofs]]:
    """A gateway's record, as it is joined in a gateway."""
    recorder = Recorder.open(folder / "spool", SpoolSettings(gateway_id=gateway_id), FakeClock())
    proofs = RecordProofs.open(recorder, FakeClock())
    await proofs.start()
    await proofs.follow(client, folder / "log", "", lambda event, detail: None)
    shipper = RecordShipper(client, recorder, proofs.heads, settings)
    await shipper.start()
    try:
        yield recorder, shipper, proofs
    finally:
        await shipper.stop()
        await proofs.leave()
        await proofs.stop()
        await recorder.close()


async def enrolled(proofs: RecordProofs) -> None:
    async with asyncio.timeout(20):
        while proofs.notes()["signing_key"]() is not None or proofs.heads.keys.old is not None:
            await asyncio.sleep(0.02)


async def test_a_rotation_is_taken_and_the_log_goes_on(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings, tmp_path: Path
) -> None:
    """Every batch is accepted, before, during and after a change of keys."""
    async with recording(client, control_settings, tmp_path, "gw_r") as (recorder, shipper, proofs):
        await enrolled(proofs)
        await recorder.append_durably(an_outcome("dec_1"))
        assert await shipper.drain(20)
        before = proofs.heads.keys.verifier_key
        (tmp_path / "spool" / "rotate_signing_key").touch()
        proofs.heads.rotate()
        async with asyncio.timeout(20):
            while proofs.heads.keys.verifier_key == before:
                await asyncio.sleep(0.01)
        await enrolled(proofs)
        await recorder.append_durably(an_outcome("dec_2"))
        assert await shipper.drain(20)
        view = await signed_log(plane)
        assert (shipper.alarm, view["unsignedGateways"]) == (None, [])


async def test_checkpoints_of_the_real_log_are_followed(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings, tmp_path: Path
) -> None:
    """From size to size, each by the proof that the control plane gives."""
    said: list[tuple[str, str]] = []
    follower = LogFollower(
        client, tmp_path / "seen", "", FakeClock(), lambda *event: said.append(event)
    )
    assert await follower.load()
    async with recording(client, control_settings, tmp_path, "gw_f") as (recorder, shipper, _):
        for count in (1, 1, 7, 2):
            for number in range(count):
                await recorder.append_durably(an_outcome(f"dec_{number}"))
            assert await shipper.drain(20)
            size = (await signed_log(plane))["size"]
            await follower.ask()
            assert follower.seen is not None
            assert follower.seen.checkpoint.size == size >= recorder.spool.last_seq
    assert (said, follower.describe()) == ([], None)
