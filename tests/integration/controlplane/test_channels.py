"""Channels: whose they are, where they may lead, and that their secrets come out nowhere."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Client, running_plane
from tests.support.database import connect_as, make_database
from tests.support.reaching import (
    QUICK,
    TO_LOOPBACK,
    add_webhook,
    database_of,
    deliveries,
    statuses,
    until,
)
from tests.support.receivers import Receiver
from tests.support.tenants import make_key, make_tenant

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


async def test_a_webhook_can_not_be_aimed_inward(client: Client):
    """Whatever way the address is written; the operator allowed nothing here."""
    for case, url in INWARD.items():
        channel, _ = await add_webhook(client, url)
        answer = await client.call("POST", f"/v1/channels/{channel}/test", {})
        (result,) = answer.body["results"]
        assert result["delivered"] is False, case
        why = ("not public", "local use", "read as an address")
        assert any(words in result["problem"] for words in why), (case, result)
        await client.call("POST", f"/v1/channels/{channel}/remove", {})


BAD_URLS = {
    "plain http": "http://example.com/",
    "another scheme": "ftp://example.com/",
    "a password": "https://user:secret@example.com/",
    "a fragment": "https://example.com/#x",
    "no host": "https:///x",
    "a line": "https://example.com/\nX-Y: z",
}


async def test_a_bad_url_is_refused_at_once(client: Client):
    """Without repeating it: it may hold a secret."""
    for case, url in BAD_URLS.items():
        answer = await client.call("POST", "/v1/channels", {"name": "bad", "webhook": {"url": url}})
        assert answer.status == 422, case
        assert "secret" not in json.dumps(answer.body), case


async def test_secrets_are_in_no_answer_and_not_in_the_database(
    apart: Client, postgres_server: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
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
        answer = await apart.call("POST", "/v1/channels", {"name": f"c{number}", **made(secret)})
        assert answer.status == 201, answer
        assert secret not in json.dumps(answer.body)
        channel = answer.body["channel"]["channelId"]
        shown = await apart.call("GET", f"/v1/channels/{channel}")
        assert secret not in json.dumps(shown.body)
    connection = await connect_as(postgres_server, Role.OWNER, database_of(apart))
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


async def test_a_password_is_not_sent_to_another_server(apart: Client):
    """Who may change a channel can't learn its password by pointing it at a server of theirs."""
    email = {"host": "mail.test", "sender": "a@b.c", "username": "u"}
    made = await apart.call(
        "POST", "/v1/channels", {"name": "post", "email": {**email, "password": "p"}}
    )
    channel = made.body["channel"]["channelId"]
    for change in ({"host": "evil.test"}, {"port": 2525}, {"security": "tls"}):
        answer = await apart.call(
            "PATCH", f"/v1/channels/{channel}", {"email": {**email, **change}}
        )
        assert answer.status == 422, answer
    answer = await apart.call("PATCH", f"/v1/channels/{channel}", {"email": email})
    assert answer.status == 200


async def test_channels_belong_to_one_tenant_and_to_its_administrators(
    apart: Client, postgres_server: EmbeddedPostgres, receiver: Receiver
):
    """Another tenant's administrator finds nothing there; an approver is not let in."""
    channel, _ = await add_webhook(apart, receiver.url)
    await apart.ask()
    (delivery,) = await until(apart, lambda all_: statuses(all_) == {"DELIVERED"})
    name = database_of(apart)
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
        assert (await apart.call(method, path, body, stranger)).status == 404, path
        assert (await apart.call(method, path, body, approver)).status == 403, path
    for path in ("/v1/channels", "/v1/deliveries"):
        listed = await apart.call("GET", path, key=stranger)
        assert listed.body[path.removeprefix("/v1/")] == []


async def test_a_removed_channel_hears_no_more(apart: Client, receiver: Receiver):
    """Its name is free again, and what was to be sent is over."""
    receiver.answers = [(500, {})]
    channel, _ = await add_webhook(apart, receiver.url, name="ops")
    await apart.ask()
    await receiver.wait(1)
    await until(apart, lambda all_: all_[0]["problem"] is not None)
    assert (await apart.call("POST", f"/v1/channels/{channel}/remove", {})).status == 200
    (dead,) = await deliveries(apart)
    assert (dead["status"], dead["problem"]) == ("DEAD", "the channel was removed")
    again = await apart.call("POST", f"/v1/deliveries/{dead['deliveryId']}/resend", {})
    assert again.code == "FAILED_PRECONDITION"
    await add_webhook(apart, receiver.url, name="ops")
    twice = await apart.call(
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
    for count in (1, 2):
        async with running_plane(
            postgres_server, name, tmp_path, QUICK, reaching=reaching
        ) as client:
            await client.ask()
            await receiver.wait(count)
            listed = await client.call("GET", "/v1/channels")
            assert [one["name"] for one in listed.body["channels"]] == ["ops"]


async def test_of_two_that_take_a_name_at_once_one_has_it(client: Client):
    """The other one is told that it is taken, however close they were."""
    url = "https://hooks.example.com/"
    channels = [(await add_webhook(client, url, enabled=False))[0] for _ in range(4)]
    for number in range(10):
        answers = await asyncio.gather(
            *(
                client.call("PATCH", f"/v1/channels/{channel}", {"name": f"wanted-{number}"})
                for channel in channels
            )
        )
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
