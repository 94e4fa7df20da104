"""What happens reaches its channels: signed, once each, again when it failed, never in the way."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from controlplane.notify import backoff
from controlplane.store.channels import ChannelKind, ChannelPlan, ChannelStore
from controlplane.store.deliveries import DeliveryStore, NewDelivery
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.events import EventCursor
from gateway.model.delivery import DeliveryStatus
from tests.support.control_plane import Client, running_plane
from tests.support.database import everybodys, make_database, open_test_database
from tests.support.reaching import (
    QUICK,
    TO_LOOPBACK,
    WAIT_SECONDS,
    add_webhook,
    deliveries,
    statuses,
    until,
)
from tests.support.receivers import Receiver, serving_receiver
from tests.support.tenants import make_tenant


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts that a test can wait for."""
    monkeypatch.setattr(backoff, "PAUSES_SECONDS", (0.0,) * 7)


async def test_a_question_reaches_a_webhook_signed(apart: Client, receiver: Receiver):
    """The specification's own library takes it; the body is the approval as the API shows it."""
    _, secret = await add_webhook(apart, receiver.url)
    asked = await apart.ask()
    heard = (await receiver.wait(1))[0]
    told = Webhook(secret).verify(heard.body, {k.lower(): v for k, v in heard.headers.items()})
    assert told["type"] == "approval.pending"
    shown = await apart.call("GET", f"/v1/approvals/{asked['approvalId']}")
    assert told["data"]["approval"] == shown.body["approval"]
    await apart.resolve(asked["approvalId"], "REJECT", reason="no")
    answered = (await receiver.wait(2))[1].json
    assert answered["type"] == "approval.answered"
    assert answered["data"]["approval"]["comment"] == "no"
    forged = {k.lower(): v for k, v in heard.headers.items()}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(heard.body + b" ", forged)


async def test_a_rotation_signs_with_both_secrets_for_a_while(apart: Client, receiver: Receiver):
    """Receivers change to the new secret without losing a message."""
    channel, old = await add_webhook(apart, receiver.url)
    rotated = await apart.call("POST", f"/v1/channels/{channel}/rotate", {"keepSeconds": 60})
    await apart.call("POST", f"/v1/channels/{channel}/test", {})
    heard = (await receiver.wait(1))[0]
    headers = {k.lower(): v for k, v in heard.headers.items()}
    for secret in (old, rotated.body["signingSecret"]):
        assert Webhook(secret).verify(heard.body, headers)["type"] == "channel.test"
    await apart.call("POST", f"/v1/channels/{channel}/rotate", {"keepSeconds": 0})
    await apart.call("POST", f"/v1/channels/{channel}/test", {})
    heard = (await receiver.wait(2))[1]
    headers = {k.lower(): v for k, v in heard.headers.items()}
    for secret in (old, rotated.body["signingSecret"]):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(heard.body, headers)


async def test_stops_and_incidents_are_told_too(apart: Client, receiver: Receiver):
    """And an incident below the wanted severity is not."""
    await add_webhook(apart, receiver.url, severity="HIGH")
    made = await apart.call(
        "POST", "/v1/stops", {"scope": "agent", "name": "bot", "reason": "it loops"}
    )
    tenant = str(apart.tenant_id)
    for severity in ("LOW", "CRITICAL"):
        body = {
            "scope": {"scopeType": "ORG", "scopeId": tenant},
            "severity": severity,
            "reasonCode": "SHELL_BLOCKED",
            "title": "an agent tried",
            "summary": "rm -rf",
        }
        assert (await apart.call("POST", "/v1/incidents", body)).status in {200, 201}
    await apart.call("POST", f"/v1/stops/{made.body['stop']['stopId']}/lift", {"reason": "over"})
    # Only what is about one thing is told in order; a stop makes an incident of its own.
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            told = [one.json for one in receiver.heard]
            incidents = [one["data"]["incident"] for one in told if "incident" in one["data"]]
            ours = [one["severity"] for one in incidents if one["title"] == "an agent tried"]
            if ours and "stop.lifted" in {one["type"] for one in told}:
                break
            await receiver.wait(len(told) + 1)
    assert ours == ["CRITICAL"]
    stops = [one["type"] for one in told if "stop" in one["data"]]
    assert stops == ["stop.pulled", "stop.lifted"]


async def test_a_grant_is_told_with_its_answer(apart: Client, receiver: Receiver):
    """Who may do what without asking, and when that is over."""
    await add_webhook(apart, receiver.url, events=["grant.made", "grant.revoked"])
    asked = await apart.ask()
    answered = await apart.resolve(asked["approvalId"], "APPROVE", grant={"uses": 5})
    assert answered.status == 200, answered
    made = (await receiver.wait(1))[0].json
    assert made["type"] == "grant.made"
    grant = made["data"]["grant"]
    assert (grant["approvalId"], grant["usesMax"]) == (asked["approvalId"], 5)
    await apart.call("POST", f"/v1/grants/{grant['grantId']}/revoke", {"reason": "enough"})
    assert (await receiver.wait(2))[1].json["type"] == "grant.revoked"


@pytest.mark.usefixtures("at_once")
async def test_a_failed_delivery_is_tried_again_under_the_same_id(
    apart: Client, receiver: Receiver
):
    """So that a receiver can tell a repeat."""
    receiver.answers = [(500, {}), (302, {"Location": receiver.url}), (429, {"Retry-After": "0"})]
    await add_webhook(apart, receiver.url)
    await apart.ask()
    heard = await receiver.wait(4)
    assert len({one.headers["webhook-id"] for one in heard}) == 1
    (found,) = await until(apart, lambda all_: statuses(all_) == {"DELIVERED"})
    assert found["attempts"] == 4
    assert len(receiver.heard) == 4


@pytest.mark.usefixtures("at_once")
async def test_after_eight_attempts_it_is_dead_until_it_is_sent_again(
    apart: Client, receiver: Receiver
):
    """A person lists what is dead, and sends it once more."""
    receiver.answers = [(503, {})] * 8
    await add_webhook(apart, receiver.url)
    await apart.ask()
    (dead,) = await until(apart, lambda all_: statuses(all_) == {"DEAD"})
    assert (dead["attempts"], dead["problem"]) == (8, "the receiver answered 503")
    assert await deliveries(apart, status="DELIVERED") == []
    again = await apart.call("POST", f"/v1/deliveries/{dead['deliveryId']}/resend", {})
    assert again.body["delivery"]["status"] == "PENDING"
    heard = await receiver.wait(9)
    assert heard[8].headers["webhook-id"] == heard[0].headers["webhook-id"]
    await until(apart, lambda all_: statuses(all_) == {"DELIVERED"})


async def test_a_receiver_that_is_gone_is_not_asked_again(apart: Client, receiver: Receiver):
    """410 says so."""
    receiver.answers = [(410, {})]
    await add_webhook(apart, receiver.url)
    await apart.ask()
    (dead,) = await until(apart, lambda all_: statuses(all_) == {"DEAD"})
    assert dead["attempts"] == 1


@pytest.mark.usefixtures("at_once")
async def test_a_bug_in_one_message_ends_as_a_dead_delivery(
    apart: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """And in the choice of who hears of it, as one event that nobody hears of; others go on."""
    await add_webhook(apart, receiver.url)
    with monkeypatch.context() as broken:
        broken.setattr("controlplane.notify.webhook.webhook_body", lambda notice: 1 // 0)
        await apart.ask()
        (dead,) = await until(apart, lambda all_: statuses(all_) == {"DEAD"})
    assert dead["problem"] == "it could not be made; see the control plane's log"
    with monkeypatch.context() as broken:
        broken.setattr("controlplane.services.reaching.notifications.is_for", lambda *_: 1 // 0)
        bugs = apart.plane.metrics.bugs._value.get()
        await apart.ask()
        async with asyncio.timeout(WAIT_SECONDS):
            while apart.plane.metrics.bugs._value.get() == bugs:
                await asyncio.sleep(0.02)
    later = await apart.ask()
    heard = await receiver.wait(1)
    assert heard[0].json["data"]["approval"]["approvalId"] == later["approvalId"]


async def test_a_hanging_receiver_holds_up_nobody_else(apart: Client, receiver: Receiver):
    """Approvals are asked and answered, and the other channel hears of it."""
    async with serving_receiver() as hanging:
        hanging.hangs = True
        await add_webhook(apart, hanging.url)
        await add_webhook(apart, receiver.url)
        for _ in range(5):
            asked = await apart.ask()
            assert (await apart.resolve(asked["approvalId"], "APPROVE")).status == 200
        assert len(await receiver.wait(10)) == 10


async def test_things_about_one_approval_arrive_in_order(apart: Client, receiver: Receiver):
    """Even when the first one has to be tried again; another approval does not wait for it."""
    receiver.answers = [(500, {})]
    await add_webhook(apart, receiver.url)
    first = await apart.ask()
    await receiver.wait(1)
    await apart.resolve(first["approvalId"], "APPROVE")
    second = await apart.ask()
    await receiver.wait(2)
    told = receiver.heard[1].json
    assert told["data"]["approval"]["approvalId"] == second["approvalId"]
    assert len(receiver.heard) == 2


async def test_a_sender_that_died_loses_nothing(postgres_server: EmbeddedPostgres):
    """What it had claimed is due again after its lease; its own late word counts no more."""
    name = await asyncio.to_thread(make_database, postgres_server)
    tenant = await make_tenant(postgres_server, name)
    database = await open_test_database(postgres_server, name)
    try:
        channels, store = ChannelStore(database), DeliveryStore(database)
        plan = ChannelPlan(
            "ops", ChannelKind.WEBHOOK, {"url": "https://a.test/"}, None, (), (), None, True
        )
        channel = uuid.uuid4()
        await channels.insert(tenant, channel, plan)
        at = datetime.now(UTC)
        new = NewDelivery(tenant, channel, "", 1, "stop.pulled", "stop", str(uuid.uuid4()), at)
        async with store.turn(tenant) as turn:
            assert turn is not None
            await turn.move([new, new], EventCursor(1, 1))
        (late,) = await store.claim((), 5, 5, 0.1)
        assert await store.claim((), 5, 5, 60) == []
        async with asyncio.timeout(WAIT_SECONDS):
            while not (again := await store.claim((), 5, 5, 60)):
                await asyncio.sleep(0.02)
        assert again[0].delivery_id == late.delivery_id
        assert not await store.settle(late, DeliveryStatus.DEAD, "too late")
        assert not await store.put_off(late, 0, "too late")
        assert await store.settle(again[0], DeliveryStatus.DELIVERED)
        assert await store.resend(tenant, late.delivery_id) is not None
        (anew,) = await store.claim((), 5, 5, 60)
        assert anew.attempts == late.attempts == 1
        assert not await store.settle(late, DeliveryStatus.DEAD, "far too late")
    finally:
        await database.close()


async def test_two_replicas_tell_each_thing_once(
    postgres_server: EmbeddedPostgres, tmp_path: Path, receiver: Receiver
):
    """Both follow the same events and the same deliveries."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with (
        running_plane(postgres_server, name, tmp_path, QUICK, reaching=TO_LOOPBACK) as one,
        running_plane(postgres_server, name, tmp_path, QUICK, reaching=TO_LOOPBACK) as other,
    ):
        await add_webhook(one, receiver.url)
        asked = await asyncio.gather(*(who.ask() for who in (one, other) * 10))
        await receiver.wait(20)
        found = await until(one, lambda all_: statuses(all_) == {"DELIVERED"})
        assert {one["subjectId"] for one in found} == {one["approvalId"] for one in asked}
        assert len(receiver.heard) == 20


async def test_events_of_long_ago_are_forgotten(postgres_server: EmbeddedPostgres, tmp_path: Path):
    """And those of this month are kept, for whoever follows them."""
    name = await asyncio.to_thread(make_database, postgres_server)
    often = replace(QUICK, notifications=replace(QUICK.notifications, forget_seconds=0.05))
    async with running_plane(postgres_server, name, tmp_path, often) as plane:
        database = everybodys(plane.plane.database)
        kept = {"seen 0", "seen 29"}
        for days in (0, 29, 31, 400):
            await database.row(
                "insert into events (tenant_id, kind, subject_id, change, at) values "
                "($1, 'test', '', $2, clock_timestamp() - make_interval(days => $3))",
                plane.tenant_id,
                f"seen {days}",
                days,
            )
        async with asyncio.timeout(WAIT_SECONDS):
            left: set[str] = set()
            while left != kept:
                rows = await database.rows("select change from events where kind = 'test'")
                left = {row["change"] for row in rows}
                await asyncio.sleep(0.02)


async def test_a_new_channel_is_not_told_what_is_over(apart: Client, receiver: Receiver):
    """The first channel hears what is to come."""
    await apart.ask()
    await add_webhook(apart, receiver.url)
    later = await apart.ask()
    heard = await receiver.wait(1)
    assert heard[0].json["data"]["approval"]["approvalId"] == later["approvalId"]


async def test_only_questions_for_its_groups_reach_a_channel(apart: Client, receiver: Receiver):
    """A question that is put to everybody reaches every channel."""
    await add_webhook(apart, receiver.url, groups=["finance"])
    terms = {"quorum": 1, "timeoutSeconds": 600, "witnessRequired": False}
    await apart.ask(terms={**terms, "groups": ["security"]})
    wanted = [
        await apart.ask(terms={**terms, "groups": ["finance", "security"]}),
        await apart.ask(),
    ]
    heard = await receiver.wait(2)
    told = [one.json["data"]["approval"]["approvalId"] for one in heard]
    assert sorted(told) == sorted(one["approvalId"] for one in wanted)


async def test_metrics_count_what_was_sent(apart: Client, receiver: Receiver):
    """By kind of channel and result."""
    receiver.answers = [(410, {})]
    await add_webhook(apart, receiver.url)
    await apart.ask()
    await until(apart, lambda all_: statuses(all_) == {"DEAD"})
    async with apart.http.get(apart.url + "/metrics") as answer:
        text = await answer.text()
    line = 'checkrein_controlplane_deliveries_total{channel="webhook",result="dead"} 1.0'
    assert line in text
