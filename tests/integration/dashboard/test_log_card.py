"""What the audit page says of the log that proves itself, and the files that it hands out."""

from __future__ import annotations

import io

import pytest

from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.trust import Trust
from tests.support.control_plane import Client
from tests.support.dashboard import Browser
from tests.support.signed_gateway import SignedGateway

pytestmark = pytest.mark.timeout(60)


async def test_the_audit_hands_out_a_log_that_verifies(client: Client, signed_in: Browser) -> None:
    """The key that the page shows and the checkpoint that it gives prove the export."""
    gateway, unsigned = SignedGateway(client), SignedGateway(client)
    assert (await gateway.enrol()).status == 200
    await gateway.ship([{}] * 3)
    await unsigned.ship([{}])
    note = (await signed_in.get("/dashboard/audit/log/checkpoint")).text
    shown = (await signed_in.get("/dashboard/audit")).text
    key = str((await client.call("GET", "/v1/log")).body["key"])
    assert key in shown
    assert unsigned.id in shown
    assert gateway.id not in shown
    assert "nowhere yet" in shown
    file = await signed_in.get("/dashboard/audit/log/export")
    assert 'filename="log.jsonl"' in file.headers["Content-Disposition"]
    trust = Trust((VerifierKey.parse(key),), (), (note,))
    report = verify_stream(io.BytesIO(file.text.encode()), trust)
    counts = {part.gateway: part.last_seq for part in report.gateways}
    assert (counts[gateway.id], counts[unsigned.id]) == (3, 1)
    assert report.breaks == []
    assert unsigned.id in report.lacks[0]
