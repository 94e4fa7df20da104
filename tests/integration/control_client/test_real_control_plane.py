"""The gateway's client against the real control plane: records arrive, agents get in."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from gateway.control_client.agents import Directory
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.record_shipper import Alarm, RecordShipper
from gateway.control_client.settings import ControlSettings
from gateway.process.system import SystemClock
from gateway.record.recorder import Recorder
from gateway.record.signed_heads import SignedHeads
from gateway.record.spool import SpoolSettings
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report
from gateway.record.verifying.trust import Trust
from tests.support.control_plane import Client
from tests.support.entries import an_action, an_intent, an_outcome
from tests.support.fakes import FakeClock

ODD = {
    "text": 'NUL \0, ESC \x1b, quote ", backslash \\, newline \n, ünïcödé 漢字 \U0001f512 \u2028'
}


async def stored(plane: Client, gateway_id: str) -> list[bytes]:
    answer = await plane.call("GET", f"/v1/records?limit=1000&gatewayId={gateway_id}")
    return [record["line"].encode() for record in answer.body["records"]]


def verdict(lines: list[bytes]) -> Report:
    """What the offline verifier says of these lines."""
    data = b"".join(line + b"\n" for line in lines)
    return verify_stream(io.BytesIO(data), Trust())


async def test_records_arrive_byte_for_byte(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings, tmp_path: Path
) -> None:
    """Whatever text is in them; the download verifies and names what is still open."""
    recorder = Recorder.open(tmp_path, SpoolSettings(), FakeClock())
    heads = SignedHeads.open(recorder, FakeClock())
    shipper = RecordShipper(client, recorder, heads, control_settings)
    await shipper.start()
    await recorder.append_durably(an_intent("dec_1", action=an_action(ODD)))
    recorder.append(an_outcome("dec_1"))
    for number in range(700):
        recorder.append(an_intent(f"dec_x{number}", sends=False))
    await recorder.append_durably(an_intent("dec_2"))
    assert await shipper.drain(30)
    await shipper.stop()
    lines = await stored(plane, recorder.gateway_id)
    assert lines == recorder.spool.read(0, 1_000, 10**9)
    report = verdict(lines)
    assert report.breaks == []
    assert [chain.count for chain in report.gateways] == [703]
    assert [intent.decision_id for intent in report.open_intents] == ["dec_2"]
    assert shipper.alarm is None
    await recorder.close()


async def test_a_batch_sent_twice_is_stored_once(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings, tmp_path: Path
) -> None:
    """As after a crash between the answer and its note."""
    for _ in range(3):
        (tmp_path / "acknowledged.json").unlink(missing_ok=True)
        recorder = Recorder.open(tmp_path, SpoolSettings(), FakeClock())
        await recorder.append_durably(an_outcome("dec_1"))
        heads = SignedHeads.open(recorder, FakeClock())
        shipper = RecordShipper(client, recorder, heads, control_settings)
        await shipper.start()
        assert await shipper.drain(30)
        await shipper.stop()
        await recorder.close()
    assert verdict(await stored(plane, recorder.gateway_id)).gateways[0].count == 3


async def test_a_spool_that_began_anew_is_a_conflict(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings, tmp_path: Path
) -> None:
    """The same gateway id with another chain: it stops, and nothing stored is changed."""
    alarms = []
    for name in ("first", "second"):
        settings = SpoolSettings(gateway_id="gw_fixed")
        recorder = Recorder.open(tmp_path / name, settings, FakeClock())
        await recorder.append_durably(an_outcome(f"dec_{name}"))
        heads = SignedHeads.open(recorder, FakeClock())
        shipper = RecordShipper(client, recorder, heads, control_settings)
        await shipper.start()
        await shipper.drain(30)
        alarms.append(shipper.alarm)
        await shipper.stop()
        await recorder.close()
    assert alarms == [None, Alarm.CONFLICT]
    lines = await stored(plane, "gw_fixed")
    assert len(lines) == 1
    assert b"dec_first" in lines[0]


async def test_agents_get_in_and_new_ones_too(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings, tmp_path: Path
) -> None:
    """The bootstrapped agent at once; one made later at its first call; a disabled one no more."""
    directory = Directory(client, control_settings, tmp_path / "agents.json", SystemClock())
    await directory.start()
    assert directory.is_ready
    principal = await directory.authenticate("agent", plane.keys["agent"])
    assert principal is not None
    assert principal.agent == "agent"
    assert await directory.authenticate("agent", plane.keys["admin"]) is None
    body = {"name": "billing-bot", "labels": {"team": "billing"}}
    made = await plane.call("POST", "/v1/agents", body)
    key, agent_id = made.body["key"], made.body["agent"]["agentId"]
    async with asyncio.timeout(20):
        while (found := await directory.authenticate("billing-bot", key)) is None:
            await asyncio.sleep(0.05)
    assert found.labels == {"team": "billing"}
    await plane.call("PATCH", f"/v1/agents/{agent_id}", {"enabled": False})
    async with asyncio.timeout(20):
        while await directory.authenticate("billing-bot", key) is not None:
            await asyncio.sleep(0.05)
    await directory.stop()
