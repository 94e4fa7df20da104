"""Pages of channels: added, tried, changed and removed; a secret goes in and never comes out."""

from __future__ import annotations

import re
import uuid

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.integration.dashboard.test_approvals import PROBES, assert_inert
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, Shown, browsing, person_key
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)

LIST = "/dashboard/channels"
TOLD = {"event.approval.pending": "1"}
WEBHOOK = {"kind": "webhook", "url": "https://receiver.test/hook", **TOLD}
SLACK = {
    "kind": "slack",
    "channel": "C0123",
    "bot_token": "xoxb-never-shown",
    "slack_secret": "slack-never-shown",
    **TOLD,
}
EMAIL = {
    "kind": "email",
    "host": "mail.test",
    "sender": "a@b.test",
    "security": "tls",
    "username": "checkrein",
    "password": "mail-never-shown",
    **TOLD,
}
SECRETS = ("xoxb-never-shown", "slack-never-shown", "mail-never-shown")


def a_name() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


async def added(browser: Browser, fields: dict[str, str]) -> str:
    """The path of a new channel."""
    shown = await browser.submit(LIST, LIST, {"name": a_name(), **fields})
    if shown.status == 303:
        return shown.location
    assert shown.status == 200, shown.text
    return re.findall(r'href="(/dashboard/channels/[0-9a-f-]{36})"', shown.text)[-1]


def assert_no_secret(shown: Shown) -> None:
    for secret in SECRETS:
        assert secret not in shown.text, secret


async def test_a_channel_of_each_kind_is_added_and_keeps_its_secrets(
    client: Client, signed_in: Browser
) -> None:
    """What went in is used and shown nowhere; what was not given again stays."""
    for fields in (SLACK, EMAIL):
        path = await added(signed_in, fields)
        assert_no_secret(await signed_in.get(path))
        name = a_name()
        kept = {key: value for key, value in fields.items() if value not in SECRETS}
        changed = await signed_in.submit(path, path, {**kept, "name": name, "groups": "finance"})
        shown = await signed_in.follow(changed)
        assert_no_secret(shown)
        assert name in shown.text
        channel = (await client.call("GET", f"/v1/channels/{path.rpartition('/')[2]}")).body
        assert channel["channel"]["groups"] == ["finance"]
        assert channel["channel"]["enabled"] is False
    assert_no_secret(await signed_in.get(LIST))


async def test_a_webhooks_secret_is_shown_once(signed_in: Browser) -> None:
    """Where it is made, and where it is made anew."""
    made = await signed_in.submit(LIST, LIST, {"name": a_name(), **WEBHOOK})
    secret = made.text.partition('value="whsec_')[2].partition('"')[0]
    assert secret
    path = re.findall(r'href="(/dashboard/channels/[0-9a-f-]{36})"', made.text)[-1]
    again = await signed_in.submit(path, f"{path}/rotate", {})
    other = again.text.partition('value="whsec_')[2].partition('"')[0]
    assert other not in ("", secret)
    for page in (LIST, path, "/dashboard/deliveries"):
        shown = (await signed_in.get(page)).text
        assert secret not in shown
        assert other not in shown


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({**WEBHOOK, "name": "a b"}, "letters"),
        ({**WEBHOOK, "url": "http://plain.test/"}, "https"),
        ({**WEBHOOK, "signing_secret": "short"}, "whsec_"),
        ({**WEBHOOK, "event.approval.pending": ""}, "at least one"),
        ({**WEBHOOK, "severity": "WORST"}, "severity"),
        ({**WEBHOOK, "groups": "A!"}, "groups"),
        ({**SLACK, "channel": "#general"}, "C0123456789"),
        ({**SLACK, "bot_token": ""}, "together"),
        ({**SLACK, "bot_token": "", "slack_secret": ""}, "needed"),
        ({**EMAIL, "sender": "nobody"}, ""),
        ({**EMAIL, "security": "none"}, "without TLS"),
        ({**EMAIL, "port": "70000"}, "between"),
        ({**EMAIL, "host": "a b"}, "mail server"),
        ({"kind": "pigeon"}, "choices"),
    ],
)
async def test_a_bad_channel_is_explained_and_the_form_kept(
    signed_in: Browser, fields: dict[str, str], why: str
) -> None:
    """All but its secrets, which have to be given again."""
    shown = await signed_in.submit(LIST, LIST, {"name": "fine", **fields})
    assert shown.status == 422
    assert why in shown.text
    assert_no_secret(shown)
    for name in ("url", "channel", "host"):
        if fields.get(name):
            assert f'value="{fields[name]}"' in shown.text


async def test_a_test_says_what_became_of_it(signed_in: Browser) -> None:
    """Nobody listens at that address, and the page says so."""
    path = await added(signed_in, {**WEBHOOK, "url": "https://127.0.0.1:9/"})
    shown = await signed_in.submit(path, f"{path}/test", {})
    assert shown.status == 200
    assert "did not arrive" in shown.text
    path = await added(signed_in, EMAIL)
    went = await signed_in.submit(path, f"{path}/test", {})
    assert "name its people first" in (await signed_in.follow(went)).text


async def test_people_are_named_and_forgotten(client: Client, signed_in: Browser) -> None:
    """Only people's keys; a machine's answers nothing from anywhere."""
    path = await added(signed_in, EMAIL)
    name = f"alice-{uuid.uuid4().hex[:6]}"
    await person_key(client, name, "ApprovalWrite")
    (key,) = (await client.call("GET", f"/v1/keys?name={name}")).body["keys"]
    fields = {"address": "alice@b.test", "key": key["keyId"]}
    went = await signed_in.submit(path, f"{path}/people", fields)
    assert "alice@b.test" in (await signed_in.follow(went)).text
    keys = (await client.call("GET", "/v1/keys")).body["keys"]
    machine = next(one for one in keys if "Gateway" in one["permissions"])
    for bad in ({**fields, "key": machine["keyId"]}, {**fields, "address": "nobody"}):
        went = await signed_in.submit(path, f"{path}/people", bad)
        assert 'class="notice problem"' in (await signed_in.follow(went)).text
    people = f"/v1/channels/{path.rpartition('/')[2]}/people"
    assert len((await client.call("GET", people)).body["people"]) == 1
    await signed_in.submit(path, f"{path}/people", {"address": "alice@b.test", "forget": "1"})
    assert (await client.call("GET", people)).body["people"] == []


async def test_a_removed_channel_is_gone(signed_in: Browser) -> None:
    """From the list, and its page too."""
    path = await added(signed_in, WEBHOOK)
    await signed_in.submit(path, f"{path}/remove", {})
    assert (await signed_in.get(path)).status == 404
    assert path not in (await signed_in.get(LIST)).text


async def test_a_channels_fields_are_text(signed_in: Browser) -> None:
    """What an administrator wrote is shown as text, too; what no address breaks."""
    for probe in PROBES:
        shown = await signed_in.submit(
            LIST, LIST, {**WEBHOOK, "name": probe, "url": probe, "groups": probe}
        )
        assert shown.status == 422
        assert_inert(shown.text, probe)
        assert (await signed_in.get(f"{LIST}/{uuid.uuid4()}")).status == 404
    for page, status in (
        ("/dashboard/deliveries?status=x&cursor=x", 200),
        ("/dashboard/deliveries?channel=x", 404),
        (f"{LIST}/x", 404),
    ):
        assert (await signed_in.get(page)).status == status


async def test_channels_are_for_administrators_of_their_own_tenant(
    client: Client, signed_in: Browser, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """Another tenant's is not there; who is no administrator may not even look."""
    path = await added(signed_in, WEBHOOK)
    tenant = await make_tenant(postgres_server, database_name)
    foreign = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    own = await person_key(client, f"all-{uuid.uuid4().hex[:6]}", "PolicyWrite", "ApprovalWrite")
    for key, status in ((foreign, 404), (own, 403)):
        async with browsing(client) as browser:
            await browser.sign_in(key)
            token = (await browser.get("/dashboard/account")).token
            assert (await browser.get(path)).status == status
            fields = {"csrf": token, "name": "x", "address": "x", **WEBHOOK}
            for action in ("", "/test", "/rotate", "/remove", "/people"):
                assert (await browser.post(path + action, fields)).status == status, action
    assert (await signed_in.get(path)).status == 200
