"""What the control plane's own records say, and what is said of tables that somebody rewrote."""

from __future__ import annotations

import io
import json
from typing import Any, Final

from controlplane.services.access.keys import KeyService
from controlplane.services.access.sessions import SessionService
from controlplane.store.keys import KeyStore
from controlplane.store.migrations import load_migrations
from controlplane.store.sessions import SessionStore
from controlplane.telemetry import Metrics
from gateway.record.log.checkpoint import CONTROL_PLANE
from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report
from gateway.record.verifying.trust import Trust
from tests.support.control_plane import Client
from tests.support.database import everybodys
from tests.support.signed_gateway import exported
from tests.support.silent_bus import SilentBus

SECRET: Final = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


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


async def made(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a POST that makes something answers."""
    answer = await client.call("POST", path, body)
    assert answer.status in {200, 201}, answer
    return dict(answer.body)


async def changed(client: Client, method: str, path: str, body: dict[str, Any]) -> None:
    answer = await client.call(method, path, body)
    assert answer.status == 200, answer


async def key_of(client: Client, name: str = "carol") -> str:
    """A person's key; its id."""
    body = {"name": name, "permissions": ["ApprovalRead"], "groups": ["finance"]}
    return str((await made(client, "/v1/keys", body))["keyId"])


async def agent_of(client: Client, name: str = "billing") -> str:
    """An agent; its id."""
    answer = await made(client, "/v1/agents", {"name": name, "labels": {"team": SECRET}})
    return str(answer["agent"]["agentId"])


async def channel_of(client: Client, name: str = "hook") -> str:
    """A webhook; its id."""
    body = {"name": name, "webhook": {"url": f"https://example.com/{SECRET}"}}
    return str((await made(client, "/v1/channels", body))["channel"]["channelId"])


async def signed_in(client: Client) -> None:
    """A session of the admin."""
    database = everybodys(client.plane.database)
    keys = KeyService(KeyStore(database), SilentBus())
    sessions = SessionService(SessionStore(database), keys, Metrics())
    await sessions.sign_in(client.keys["admin"])


async def events_of(client: Client, subject: str) -> list[tuple[str, str]]:
    """What was done with a row, and by whom."""
    return [(one["event"], one["act"]["by"]) for one in await acts_of(client, subject)]


async def admin_id(client: Client) -> str:
    keys = (await client.call("GET", "/v1/keys?name=admin")).body["keys"]
    return str(keys[0]["keyId"])


def backfill_of(version: int) -> str:
    """The statements by which a migration gives what was there before it its acts."""
    (migration,) = (one for one in load_migrations() if one.version == version)
    return migration.sql[
        migration.sql.index("insert into acts (tenant_id, event, row_id, act, at)") :
    ]
