"""The key that signs a gateway's record is told to the control plane, until it took it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.enrolment import KeyEnrolment
from gateway.control_client.settings import ControlSettings
from gateway.record.log.signed_note import VerifierKey, open_note
from gateway.record.recorder import Recorder
from gateway.record.signed_heads import SignedHeads
from gateway.record.spool import SpoolSettings
from tests.support.entries import an_outcome
from tests.support.fake_control_plane import KEY, FakeControlPlane, envelope, fake_control_plane
from tests.support.fakes import FakeClock

PATH = "/v1/gateways/gw_a/key"


class Enrolling:
    def __init__(self, plane: FakeControlPlane, recorder: Recorder) -> None:
        self.plane = plane
        self.recorder = recorder
        self.client = ControlPlaneClient(ControlSettings(api_url=plane.url, api_key=KEY))
        self.heads = SignedHeads.open(recorder, FakeClock())
        self.enrolment = KeyEnrolment(self.client, "gw_a", self.heads)

    async def until(self, word: str | None) -> None:
        """Wait until the enrolment says so; None: until all is well."""
        async with asyncio.timeout(10):
            while (word is None) != (self.enrolment.describe() is None) or (
                word is not None and word not in (self.enrolment.describe() or "")
            ):
                await asyncio.sleep(0.01)

    async def until_keys(self, count: int) -> None:
        """Wait until heads are signed by so many keys."""
        async with asyncio.timeout(10):
            while (self.heads.keys.old is None) != (count == 1):
                await asyncio.sleep(0.01)

    @property
    def asked(self) -> list[dict[str, str]]:
        return [call.body for call in self.plane.calls if call.path == PATH]


@pytest.fixture
async def enrolling(tmp_path: Path) -> AsyncIterator[Enrolling]:
    """A gateway with a key, before its control plane was told."""
    settings = SpoolSettings(gateway_id="gw_a", flush_seconds_max=0.001)
    async with fake_control_plane() as plane:
        recorder = Recorder.open(tmp_path, settings, FakeClock())
        found = Enrolling(plane, recorder)
        await found.heads.start()
        yield found
        await found.enrolment.stop()
        await found.heads.stop()
        await found.client.close()
        await recorder.close()


async def test_a_key_is_enrolled_with_a_proof_once_the_control_plane_takes_it(
    enrolling: Enrolling,
) -> None:
    """An outage delays it and is told; nothing else of the gateway waits for it."""
    enrolling.plane.script += [503, "garbage"]
    assert "not enrolled" in (enrolling.enrolment.describe() or "")
    enrolling.plane.answers[PATH] = {"gatewayId": "gw_a"}
    await enrolling.enrolment.start()
    await enrolling.recorder.append_durably(an_outcome("dec_1"))
    await enrolling.until(None)
    key = enrolling.heads.keys.verifier_key
    assert len(enrolling.asked) == 3
    assert all(each["key"] == key for each in enrolling.asked)
    assert open_note(enrolling.asked[-1]["proof"], [VerifierKey.parse(key)]) == key + "\n"


async def test_another_key_that_is_enrolled_already_is_told_to_people(
    enrolling: Enrolling,
) -> None:
    """The old key's word is needed, or a person."""
    enrolling.plane.script += [envelope(409, "RECORD_KEY_CONFLICT") for _ in range(100)]
    await enrolling.enrolment.start()
    await enrolling.until("another signing key")
    enrolling.plane.answers[PATH] = {"gatewayId": "gw_a"}
    enrolling.plane.script.clear()
    await enrolling.until(None)


async def test_a_rotated_key_is_enrolled_on_the_old_ones_word(enrolling: Enrolling) -> None:
    """After that the old one signs nothing more, and is gone from the disk."""
    spool = enrolling.recorder.spool.directory
    old = enrolling.heads.keys.verifier_key
    (spool / "rotate_signing_key").touch()
    enrolling.heads.rotate()
    await enrolling.until_keys(2)
    enrolling.plane.answers[PATH] = {"gatewayId": "gw_a"}
    await enrolling.enrolment.start()
    await enrolling.until(None)
    await enrolling.until_keys(1)
    new = enrolling.heads.keys.verifier_key
    for key in (old, new):
        assert open_note(enrolling.asked[-1]["proof"], [VerifierKey.parse(key)]) == new + "\n"
    assert not (spool / "signing_key.old").exists()
