"""What happens reaches its channels: signed, once each, again when it failed, never in the way."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from controlplane.notify import backoff
from controlplane.services.notifications import NotificationSettings
from controlplane.settings import ReachingSettings
from controlplane.store.channels import ChannelKind, ChannelPlan, ChannelStore
from controlplane.store.deliveries import DeliveryStatus, DeliveryStore, NewDelivery
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.events import EventCursor
from tests.support.control_plane import LIMITS, Client, running_plane
from tests.support.database import connect_as, make_database, open_test_database
from tests.support.receivers import Receiver, serving_receiver
from tests.support.tenants import make_key, make_tenant

QUICK = NotificationSettings(poll_seconds=0.03)
TO_LOOPBACK = ReachingSettings(webhook_allow=("127.0.0.1",))
WAIT_SECONDS = 10.0


@pytest.fixture
async def fresh(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Client]:
    """A control plane without a channel, which may send to loopback."""
    name = await asyncio.to_thread(make_database, postgres_server)
    limits = replace(LIMITS, notifications=QUICK)
    async with running_plane(
        postgres_server, name, tmp_path, limits, reaching=TO_LOOPBACK
    ) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serving_receiver() as found:
        yield found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts that a test can wait for."""
    monkeypatch.setattr(backoff, "PAUSES_SECONDS", (0.0,) * 7)


async def add_webhook(client: Client, url: str, **changes: Any) -> tuple[str, str]:
    """Its id, and its signing secret."""
    body = {"name": f"hook-{uuid.uuid4().hex[:8]}", "webhook": {"url": url}, **changes}
    answer = await client.call("POST", "/v1/channels", body)
    assert answer.status == 201, answer
    return answer.body["channel"]["channelId"], answer.body["signingSecret"]


async def deliveries(client: Client, **query: str) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await client.call("GET", f"/v1/deliveries?{text}")
    assert answer.status == 200, answer
    return list(answer.body["deliveries"])


async def until(
    client: Client, wanted: Callable[[list[dict[str, Any]]], bool], **query: str
) -> list[dict[str, Any]]:
    """The deliveries, once they are as wanted."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not wanted(found := await deliveries(client, **query)):
            await asyncio.sleep(0.03)
    return found


def statuses(found: list[dict[str, Any]]) -> set[str]:
    return {one["status"] for one in found}


async def test_a_question_reaches_a_webhook_signed(fresh: Client, receiver: Receiver):
    """The specification's own library takes it; the body is the approval as the API shows it."""
    _, secret = await add_webhook(fresh, receiver.url)
    asked = await fresh.ask()
    heard = (await receiver.wait(1))[0]
    told = Webhook(secret).verify(heard.body, {k.lower(): v for k, v in heard.headers.items()})
    assert told["type"] == "approval.pending"
    shown = await fresh.call("GET", f"/v1/approvals/{asked['approvalId']}")
    assert told["data"]["approval"] == shown.body["approval"]
    await fresh.resolve(asked["approvalId"], "REJECT", reason="no")
    answered = (await receiver.wait(2))[1].json
    assert answered["type"] == "approval.answered"
    assert answered["data"]["approval"]["comment"] == "no"
    forged = {k.lower(): v for k, v in heard.headers.items()}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(heard.body + b" ", forged)


async def test_a_rotation_signs_with_both_secrets_for_a_while(fresh: Client, receiver: Receiver):
    """Receivers change to the new secret without losing a message."""
    channel, old = await add_webhook(fresh, receiver.url)
    rotated = await fresh.call("POST", f"/v1/channels/{channel}/rotate", {"keepSeconds": 60})
    await fresh.call("POST", f"/v1/channels/{channel}/test", {})
    heard = (await receiver.wait(1))[0]
    headers = {k.lower(): v for k, v in heard.headers.items()}
    for secret in (old, rotated.body["signingSecret"]):
        assert Webhook(secret).verify(heard.body, headers)["type"] == "channel.test"
    await fresh.call("POST", f"/v1/channels/{channel}/rotate", {"keepSeconds": 0})
    await fresh.call("POST", f"/v1/channels/{channel}/test", {})
    heard = (await receiver.wait(2))[1]
    headers = {k.lower(): v for k, v in heard.headers.items()}
    for secret in (old, rotated.body["signingSecret"]):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(heard.body, headers)


async def test_stops_and_incidents_are_told_too(fresh: Client, receiver: Receiver):
    """And an incident below the wanted severity is not."""
    await add_webhook(fresh, receiver.url, severity="HIGH")
    made = await fresh.call(
        "POST", "/v1/stops", {"scope": "agent", "name": "bot", "reason": "it loops"}
    )
    heard = (await receiver.wait(1))[0].json
    assert heard["type"] == "stop.pulled"
    assert heard["data"]["stop"] == made.body["stop"]
    tenant = str(fresh.tenant_id)
    for severity in ("LOW", "CRITICAL"):
        body = {
            "scope": {"scopeType": "ORG", "scopeId": tenant},
            "severity": severity,
            "reasonCode": "SHELL_BLOCKED",
            "title": "an agent tried",
            "summary": "rm -rf",
        }
        assert (await fresh.call("POST", "/v1/incidents", body)).status in {200, 201}
    await fresh.call("POST", f"/v1/stops/{made.body['stop']['stopId']}/lift", {"reason": "over"})
    told = await _told_until(receiver, "stop.lifted")
    incidents = [one["data"]["incident"] for one in told if one["type"] == "incident.opened"]
    ours = [one["severity"] for one in incidents if one["title"] == "an agent tried"]
    assert ours == ["CRITICAL"]


async def _told_until(receiver: Receiver, event: str) -> list[dict[str, Any]]:
    """All bodies, once there is one of this event."""
    async with asyncio.timeout(WAIT_SECONDS):
        while event not in {one.json["type"] for one in receiver.heard}:
            await receiver.wait(len(receiver.heard) + 1)
    return [one.json for one in receiver.heard]


@pytest.mark.usefixtures("at_once")
async def test_a_failed_delivery_is_tried_again_under_the_same_id(
    fresh: Client, receiver: Receiver
):
    """So that a receiver can tell a repeat."""
    receiver.answers = [(500, {}), (302, {"Location": receiver.url}), (429, {"Retry-After": "0"})]
    await add_webhook(fresh, receiver.url)
    await fresh.ask()
    heard = await receiver.wait(4)
    assert len({one.headers["webhook-id"] for one in heard}) == 1
    (found,) = await until(fresh, lambda all_: statuses(all_) == {"DELIVERED"})
    assert found["attempts"] == 4
    assert len(receiver.heard) == 4


@pytest.mark.usefixtures("at_once")
async def test_after_eight_attempts_it_is_dead_until_it_is_sent_again(
    fresh: Client, receiver: Receiver
):
    """A person lists what is dead, and sends it once more."""
    receiver.answers = [(503, {})] * 8
    await add_webhook(fresh, receiver.url)
    await fresh.ask()
    (dead,) = await until(fresh, lambda all_: statuses(all_) == {"DEAD"})
    assert (dead["attempts"], dead["problem"]) == (8, "the receiver answered 503")
    assert await deliveries(fresh, status="DELIVERED") == []
    again = await fresh.call("POST", f"/v1/deliveries/{dead['deliveryId']}/resend", {})
    assert again.body["delivery"]["status"] == "PENDING"
    heard = await receiver.wait(9)
    assert heard[8].headers["webhook-id"] == heard[0].headers["webhook-id"]
    await until(fresh, lambda all_: statuses(all_) == {"DELIVERED"})


async def test_a_receiver_that_is_gone_is_not_asked_again(fresh: Client, receiver: Receiver):
    """410 says so."""
    receiver.answers = [(410, {})]
    await add_webhook(fresh, receiver.url)
    await fresh.ask()
    (dead,) = await until(fresh, lambda all_: statuses(all_) == {"DEAD"})
    assert dead["attempts"] == 1


async def test_a_hanging_receiver_holds_up_nobody_else(fresh: Client, receiver: Receiver):
    """Approvals are asked and answered, and the other channel hears of it."""
    async with serving_receiver() as hanging:
        hanging.hangs = True
        await add_webhook(fresh, hanging.url)
        await add_webhook(fresh, receiver.url)
        for _ in range(5):
            asked = await fresh.ask()
            assert (await fresh.resolve(asked["approvalId"], "APPROVE")).status == 200
        assert len(await receiver.wait(10)) == 10


async def test_things_about_one_approval_arrive_in_order(fresh: Client, receiver: Receiver):
    """Even when the first one has to be tried again; another approval does not wait for it."""
    receiver.answers = [(500, {})]
    await add_webhook(fresh, receiver.url)
    first = await fresh.ask()
    await receiver.wait(1)
    await fresh.resolve(first["approvalId"], "APPROVE")
    second = await fresh.ask()
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
    finally:
        await database.close()


def _name_of(client: Client) -> str:
    return str(client.plane._at[1])  # type: ignore[attr-defined]


async def test_two_replicas_tell_each_thing_once(
    postgres_server: EmbeddedPostgres, tmp_path: Path, receiver: Receiver
):
    """Both follow the same events and the same deliveries."""
    name = await asyncio.to_thread(make_database, postgres_server)
    limits = replace(LIMITS, notifications=QUICK)
    async with (
        running_plane(postgres_server, name, tmp_path, limits, reaching=TO_LOOPBACK) as one,
        running_plane(postgres_server, name, tmp_path, limits, reaching=TO_LOOPBACK) as other,
    ):
        await add_webhook(one, receiver.url)
        asked = await asyncio.gather(*(who.ask() for who in (one, other) * 10))
        await receiver.wait(20)
        found = await until(one, lambda all_: statuses(all_) == {"DELIVERED"})
        assert {one["subjectId"] for one in found} == {one["approvalId"] for one in asked}
        assert len(receiver.heard) == 20


async def test_a_new_channel_is_not_told_what_is_over(fresh: Client, receiver: Receiver):
    """The first channel hears what is to come."""
    await fresh.ask()
    await add_webhook(fresh, receiver.url)
    later = await fresh.ask()
    heard = await receiver.wait(1)
    assert heard[0].json["data"]["approval"]["approvalId"] == later["approvalId"]


async def test_only_questions_for_its_groups_reach_a_channel(fresh: Client, receiver: Receiver):
    """A question that is put to everybody reaches every channel."""
    await add_webhook(fresh, receiver.url, groups=["finance"])
    terms = {"quorum": 1, "timeoutSeconds": 600, "witnessRequired": False}
    await fresh.ask(terms={**terms, "groups": ["security"]})
    wanted = [
        await fresh.ask(terms={**terms, "groups": ["finance", "security"]}),
        await fresh.ask(),
    ]
    heard = await receiver.wait(2)
    told = [one.json["data"]["approval"]["approvalId"] for one in heard]
    assert sorted(told) == sorted(one["approvalId"] for one in wanted)


INWARD = {
    "loopback": "https://127.0.0.1/",
    "loopback by name": "https://localhost/",
    "loopback in one number": "https://2130706433/",
    "loopback in hexadecimal": "https://0x7f.1/",
    "loopback in six": "https://[::1]/",
    "loopback mapped": "https://[::ffff:127.0.0.1]/",
    "NAT64": "https://[64:ff9b::7f00:1]/",
    "6to4": "https://[2002:7f00:1::]/",
    "private": "https://10.0.0.1/",
    "link-local": "https://169.254.1.1/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "metadata in six": "https://[fd00:ec2::254]/",
    "unspecified": "https://0.0.0.0/",
    "a cluster's service": "https://vault.default.svc/",
}


@pytest.mark.parametrize("case", INWARD)
async def test_a_webhook_can_not_be_aimed_inward(client: Client, case: str):
    """Whatever way the address is written; the operator allowed nothing here."""
    channel, _ = await add_webhook(client, INWARD[case])
    answer = await client.call("POST", f"/v1/channels/{channel}/test", {})
    (result,) = answer.body["results"]
    assert result["delivered"] is False
    problem = result["problem"]
    assert any(why in problem for why in ("not public", "local use", "read as an address")), problem
    await client.call("POST", f"/v1/channels/{channel}/remove", {})


BAD_URLS = {
    "plain http": "http://example.com/",
    "another scheme": "ftp://example.com/",
    "a password": "https://user:secret@example.com/",
    "a fragment": "https://example.com/#x",
    "no host": "https:///x",
    "a line": "https://example.com/\nX-Y: z",
}


@pytest.mark.parametrize("case", BAD_URLS)
async def test_a_bad_url_is_refused_at_once(client: Client, case: str):
    """Without repeating it: it may hold a secret."""
    body = {"name": "bad", "webhook": {"url": BAD_URLS[case]}}
    answer = await client.call("POST", "/v1/channels", body)
    assert answer.status == 422, answer
    assert "secret" not in json.dumps(answer.body)


async def test_secrets_are_in_no_answer_and_not_in_the_database(
    fresh: Client, postgres_server: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
):
    """They can be used and replaced, and not be read; the key lies outside the database."""
    secrets = {
        "whsec_" + "QUFB" * 12: lambda s: {"webhook": {"url": "https://a.b/", "signingSecret": s}},
        "xoxb-very-secret": lambda s: {
            "slack": {"channel": "C1", "botToken": s, "signingSecret": "x" + s}
        },
        "mail-very-secret": lambda s: {
            "email": {"host": "mail.test", "sender": "a@b.c", "username": "u", "password": s}
        },
    }
    for number, (secret, made) in enumerate(secrets.items()):
        answer = await fresh.call("POST", "/v1/channels", {"name": f"c{number}", **made(secret)})
        assert answer.status == 201, answer
        assert secret not in json.dumps(answer.body)
        channel = answer.body["channel"]["channelId"]
        shown = await fresh.call("GET", f"/v1/channels/{channel}")
        assert secret not in json.dumps(shown.body)
    connection = await connect_as(postgres_server, Role.OWNER, _name_of(fresh))
    try:
        dump = str(await connection.fetch("select row_to_json(c)::text from channels c"))
        sealed = b"".join(
            row["secrets"] for row in await connection.fetch("select secrets from channels")
        )
    finally:
        await connection.close()
    for secret in secrets:
        assert secret not in dump
        assert secret.encode() not in sealed
        assert secret not in caplog.text


async def test_a_password_is_not_sent_to_another_server(fresh: Client):
    """Who may change a channel can't learn its password by pointing it at a server of theirs."""
    email = {"host": "mail.test", "sender": "a@b.c", "username": "u"}
    made = await fresh.call(
        "POST", "/v1/channels", {"name": "post", "email": {**email, "password": "p"}}
    )
    channel = made.body["channel"]["channelId"]
    for change in ({"host": "evil.test"}, {"port": 2525}, {"security": "tls"}):
        answer = await fresh.call(
            "PATCH", f"/v1/channels/{channel}", {"email": {**email, **change}}
        )
        assert answer.status == 422, answer
    answer = await fresh.call("PATCH", f"/v1/channels/{channel}", {"email": email})
    assert answer.status == 200


async def test_channels_belong_to_one_tenant_and_to_its_administrators(
    fresh: Client, postgres_server: EmbeddedPostgres, receiver: Receiver
):
    """Another tenant's administrator finds nothing there; an approver is not let in."""
    channel, _ = await add_webhook(fresh, receiver.url)
    await fresh.ask()
    (delivery,) = await until(fresh, lambda all_: statuses(all_) == {"DELIVERED"})
    name = _name_of(fresh)
    tenant = await make_tenant(postgres_server, name)
    stranger = await make_key(postgres_server, name, ["Admin"], tenant=tenant)
    approver = await make_key(postgres_server, name, ["ApprovalRead", "ApprovalWrite"])
    routes: list[tuple[str, str, Any]] = [
        ("GET", f"/v1/channels/{channel}", None),
        ("PATCH", f"/v1/channels/{channel}", {"enabled": False}),
        ("POST", f"/v1/channels/{channel}/remove", {}),
        ("POST", f"/v1/channels/{channel}/rotate", {}),
        ("POST", f"/v1/channels/{channel}/test", {}),
        ("GET", f"/v1/channels/{channel}/people", None),
        ("POST", f"/v1/channels/{channel}/people", {"people": []}),
        ("POST", f"/v1/deliveries/{delivery['deliveryId']}/resend", {}),
    ]
    for method, path, body in routes:
        assert (await fresh.call(method, path, body, stranger)).status == 404, path
        assert (await fresh.call(method, path, body, approver)).status == 403, path
    for path in ("/v1/channels", "/v1/deliveries"):
        listed = await fresh.call("GET", path, key=stranger)
        assert listed.body[path.removeprefix("/v1/")] == []


async def test_a_removed_channel_hears_no_more(fresh: Client, receiver: Receiver):
    """Its name is free again, and what was to be sent is over."""
    receiver.answers = [(500, {})]
    channel, _ = await add_webhook(fresh, receiver.url, name="ops")
    await fresh.ask()
    await receiver.wait(1)
    await until(fresh, lambda all_: all_[0]["problem"] is not None)
    assert (await fresh.call("POST", f"/v1/channels/{channel}/remove", {})).status == 200
    (dead,) = await deliveries(fresh)
    assert (dead["status"], dead["problem"]) == ("DEAD", "the channel was removed")
    again = await fresh.call("POST", f"/v1/deliveries/{dead['deliveryId']}/resend", {})
    assert again.code == "FAILED_PRECONDITION"
    await add_webhook(fresh, receiver.url, name="ops")
    twice = await fresh.call(
        "POST", "/v1/channels", {"name": "OPS", "webhook": {"url": receiver.url}}
    )
    assert (twice.status, twice.reason_code) == (409, "CHANNEL_EXISTS")


async def test_the_first_channel_comes_from_the_environment(
    postgres_server: EmbeddedPostgres, tmp_path: Path, receiver: Receiver
):
    """Once: a second start finds it there."""
    name = await asyncio.to_thread(make_database, postgres_server)
    first = json.dumps({"name": "ops", "webhook": {"url": receiver.url}})
    reaching = replace(TO_LOOPBACK, first_channel=first)
    limits = replace(LIMITS, notifications=QUICK)
    for count in (1, 2):
        async with running_plane(
            postgres_server, name, tmp_path, limits, reaching=reaching
        ) as client:
            await client.ask()
            await receiver.wait(count)
            listed = await client.call("GET", "/v1/channels")
            assert [one["name"] for one in listed.body["channels"]] == ["ops"]


async def test_metrics_count_what_was_sent(fresh: Client, receiver: Receiver):
    """By kind of channel and result."""
    receiver.answers = [(410, {})]
    await add_webhook(fresh, receiver.url)
    await fresh.ask()
    await until(fresh, lambda all_: statuses(all_) == {"DEAD"})
    async with fresh.http.get(fresh.url + "/metrics") as answer:
        text = await answer.text()
    line = 'checkrein_controlplane_deliveries_total{channel="webhook",result="dead"} 1.0'
    assert line in text
