"""What the control plane's own records say, and what is said of tables that somebody rewrote."""

from __future__ import annotations

import io
import json
from typing import Any

from gateway.record.log.checkpoint import CONTROL_PLANE
from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report
from gateway.record.verifying.trust import Trust
from tests.support.control_plane import Client
from tests.support.signed_gateway import exported


async def report_on(client: Client, log: str) -> Report:
    """The verdict of an auditor who has the log's key."""
    key = VerifierKey.parse((await client.call("GET", "/v1/log")).body["key"])
    return verify_stream(io.BytesIO(log.encode()), Trust((key,)))


def acts_in(log: str) -> list[dict[str, Any]]:
    """The control plane's own records in an export, without the one that names its key."""
    lines = [json.loads(line) for line in log.splitlines()[1:]]
    return [one for one in lines if one.get("gateway") == CONTROL_PLANE and "act" in one]


async def differences(client: Client) -> list[dict[str, Any]]:
    """Where tables say otherwise than records."""
    answer = await client.call("GET", "/v1/log/acts")
    assert answer.status == 200, answer
    return list(answer.body["differences"])


async def acts_of(client: Client, subject: str) -> list[dict[str, Any]]:
    """What was done with one row, in its order."""
    acts = acts_in(await exported(client))
    return [one for one in acts if str(one["act"]["id"]).partition("/")[0] == subject]
