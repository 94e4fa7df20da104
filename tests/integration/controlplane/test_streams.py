"""Records as they reach other systems: over real HTTP, to receivers that fail, from a database."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.services.reaching.streaming import StreamSettings
from controlplane.settings import OtlpSettings
from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import Client, running_plane
from tests.support.database import make_database
from tests.support.followed_records import Traffic
from tests.support.reaching import QUICK, TO_LOOPBACK, add_webhook
from tests.support.receivers import Receiver

SOON = replace(QUICK, streams=StreamSettings(poll_seconds=0.03, batch_count_max=4))


@pytest.fixture
async def client(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Client]:
    """A control plane of its own that sends at once, to loopback too."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path, SOON, reaching=TO_LOOPBACK) as found:
        yield found


async def decided(client: Client, count: int, **more: Any) -> list[str]:
    """Ship so many decisions; their ids."""
    traffic = Traffic(client)
    agent = f"agent-{uuid.uuid4().hex}"
    found = [traffic.decided("run", agent=agent, **more) for _ in range(count)]
    await traffic.ship()
    return found


async def streams(client: Client) -> list[dict[str, Any]]:
    return list((await client.call("GET", "/v1/streams")).body["streams"])


async def until_sent(client: Client) -> dict[str, Any]:
    """The one stream, once nothing waits."""
    async with asyncio.timeout(20):
        while True:
            found = await streams(client)
            if found and found[0]["waiting"] == 0:
                return found[0]
            await asyncio.sleep(0.03)


async def hearing(client: Client, receiver: Receiver) -> tuple[str, str]:
    """A channel that hears every record, and its secret; that it was made it has heard already."""
    channel, secret = await add_webhook(client, receiver.url, events=["record.batch"])
    assert (await client.call("GET", "/v1/log/acts")).status == 200
    await receiver.wait(1)
    await until_sent(client)
    receiver.heard.clear()
    return channel, secret


def told(receiver: Receiver) -> list[dict[str, Any]]:
    """Every record of every message, in order."""
    return [one for heard in receiver.heard for one in heard.json["data"]["records"]]


async def test_a_webhook_hears_every_record_once_and_in_order(client: Client, receiver: Receiver):
    """In signed batches, from when the channel was added on; nothing else is sent there."""
    before = await decided(client, 1)
    _, secret = await hearing(client, receiver)
    ids = await decided(client, 9)
    assert (await until_sent(client))["problem"] is None
    assert [one["record"]["decision_id"] for one in told(receiver)] == ids
    assert before[0] not in str(told(receiver))
    for heard in receiver.heard:
        assert heard.json["type"] == "record.batch"
        assert len(heard.json["data"]["records"]) <= 4
        signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode()
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mac = hmac.new(key, signed + heard.body, hashlib.sha256).digest()
        assert heard.headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert len({one["id"] for one in told(receiver)}) == 9


async def test_what_is_not_taken_is_sent_again(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """In smaller and smaller batches; whoever sees one twice knows it by its id."""
    monkeypatch.setattr("controlplane.notify.backoff.PAUSES_SECONDS", (0.01,) * 7)
    await hearing(client, receiver)
    receiver.answers = [(413, {}), (500, {})]
    ids = await decided(client, 4)
    await until_sent(client)
    sizes = [len(heard.json["data"]["records"]) for heard in receiver.heard]
    assert sizes[:3] == [4, 2, 1]
    taken = [one for heard in receiver.heard[2:] for one in heard.json["data"]["records"]]
    assert [one["record"]["decision_id"] for one in taken] == ids


async def test_one_record_that_nobody_takes_stops_nothing(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """An agent must not blind a SIEM by what it writes: its record goes without its words then."""
    monkeypatch.setattr("controlplane.notify.backoff.PAUSES_SECONDS", (0.01,) * 7)
    await hearing(client, receiver)
    receiver.answers = [(400, {})] * 8
    ids = await decided(client, 2)
    await until_sent(client)
    taken = [one for heard in receiver.heard[8:] for one in heard.json["data"]["records"]]
    assert taken[0]["record"] is None
    assert taken[0]["id"] == told(receiver)[0]["id"]
    assert taken[1]["record"]["decision_id"] == ids[1]


async def test_a_receiver_that_is_away_is_shown_and_loses_nothing(
    client: Client, receiver: Receiver
):
    """Its lag, and why; the channel may be paused meanwhile."""
    channel, _ = await hearing(client, receiver)
    receiver.answers = [(503, {})]
    await decided(client, 3)
    await receiver.wait(1)
    async with asyncio.timeout(10):
        while not (shown := (await streams(client))[0])["problem"]:
            await asyncio.sleep(0.03)
    assert (shown["destination"], shown["waiting"]) == (channel, 3)
    assert shown["problem"] == "the receiver answered 503"
    await client.call("PATCH", f"/v1/channels/{channel}", {"enabled": False})
    assert await streams(client) == []


async def test_a_filter_leaves_out_what_is_not_wanted(client: Client, receiver: Receiver):
    """By kind and by effect; the rest is passed over and does not wait."""
    webhook = {
        "url": receiver.url, "records": {"kinds": ["decision"], "effects": ["BLOCK"]}
    }  # fmt: skip
    body = {"name": "siem", "webhook": webhook, "events": ["record.batch"]}
    answer = await client.call("POST", "/v1/channels", body)
    assert answer.body["channel"]["webhook"] == webhook
    await decided(client, 3)
    wanted = await decided(client, 1, effect="BLOCK")
    await decided(client, 1, effect="BLOCK", sends=True)
    await until_sent(client)
    assert [one["record"]["decision_id"] for one in told(receiver)] == wanted


async def test_who_erases_or_changes_the_rule_is_told_to_channels(
    client: Client, receiver: Receiver
):
    """Whoever did it with a stolen key is heard of."""
    wished = ["erasure.made", "retention.changed"]
    await add_webhook(client, receiver.url, events=wished)
    (decision,) = await decided(client, 1)
    await client.call("POST", f"/v1/decisions/{decision}/erase", {"reason": "they asked"})
    await client.call("PUT", "/v1/retention", {"days": 1, "legalHold": False, "reason": "short"})
    heard = {one.json["type"]: one.json["data"] for one in await receiver.wait(2)}
    assert heard["erasure.made"]["erasure"]["decisionId"] == decision
    assert heard["retention.changed"]["retention"]["reason"] == "short"


async def test_only_a_webhook_is_sent_records(client: Client):
    """People read approvals, not batches."""
    slack = {"channel": "C012345", "botToken": "xoxb-1", "signingSecret": "s"}
    body = {"name": "chat", "slack": slack, "events": ["record.batch"]}
    answer = await client.call("POST", "/v1/channels", body)
    assert (answer.status, answer.reason_code) == (422, "INVALID_FIELD")


@pytest.fixture
async def collecting(
    postgres_server: EmbeddedPostgres, tmp_path: Path, receiver: Receiver
) -> AsyncIterator[Client]:
    """A control plane whose operator has a collector."""
    name = await asyncio.to_thread(make_database, postgres_server)
    at = OtlpSettings(receiver.url, (("authorization", "Bearer planted"),))
    async with running_plane(postgres_server, name, tmp_path, SOON, otlp=at) as found:
        yield found


async def test_a_collector_gets_each_record_as_a_log(collecting: Client, receiver: Receiver):
    """With the line itself, by which its hash is checked, and with names that others know."""
    client = collecting
    async with asyncio.timeout(10):
        while not await streams(client):
            await asyncio.sleep(0.03)
    await until_sent(client)
    receiver.heard.clear()
    (allowed,) = await decided(client, 1)
    (blocked,) = await decided(client, 1, effect="BLOCK")
    shown = await until_sent(client)
    assert (shown["destination"], shown["name"]) == ("otlp", None)
    assert {heard.path for heard in receiver.heard} == {"/hook/v1/logs"}
    assert {heard.headers["Authorization"] for heard in receiver.heard} == {"Bearer planted"}
    logs = [
        log
        for heard in receiver.heard
        for resource in heard.json["resourceLogs"]
        for scope in resource["scopeLogs"]
        for log in scope["logRecords"]
    ]
    found = {}
    for log in logs:
        named = {one["key"]: next(iter(one["value"].values())) for one in log["attributes"]}
        line = log["body"]["stringValue"]
        assert hashlib.sha256(line.encode()).hexdigest() == named["checkrein.record.hash"]
        assert json.loads(line)["decision_id"] == named["checkrein.decision.id"]
        assert named["server.address"] == "api.stripe.com"
        assert log["timeUnixNano"].isdecimal()
        found[named["checkrein.decision.id"]] = log["severityText"]
    assert found == {allowed: "INFO", blocked: "WARN"}
