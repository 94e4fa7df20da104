"""Slack: a question with buttons, answers of known people alone, and one message that follows."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.signature import SignatureVerifier

from controlplane.notify.slack_message import APPROVE, DENY, OPEN
from controlplane.settings import ReachingSettings
from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import Answer, Client, ask_body, running_plane
from tests.support.reaching import HOSTILE, QUICK, TERMS, person_key
from tests.support.receivers import FakeSlack, serving_slack
from tests.support.tenants import make_key, make_tenant

ALICE, BOB, STRANGER = "U0ALICE", "U0BOB", "U0STRANGER"


@dataclass
class Workspace:
    """A control plane with a Slack channel in which Alice (finance) and Bob (nothing) are known."""

    client: Client
    slack: FakeSlack
    channel_id: str

    async def call_back(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        return await self.call_back_at(self.channel_id, body, headers)

    async def call_back_at(
        self, channel_id: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        url = f"{self.client.url}/v1/callbacks/slack/{channel_id}"
        async with self.client.http.post(url, data=body, headers=headers) as response:
            text = await response.text()
            return Answer(response.status, json.loads(text) if text else {}, response.headers)

    async def click(self, user: str, action: str, approval: Mapping[str, Any]) -> Answer:
        payload = self.slack.click(user, action, str(approval["approvalId"]))
        return await self.call_back(*self.slack.signed(payload))

    async def approval(self, approval: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self.client.call("GET", f"/v1/approvals/{approval['approvalId']}")
        return dict(answer.body["approval"])


@pytest.fixture
async def work(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Workspace]:
    """For each test anew; the channel of the one before is removed."""
    async with serving_slack() as slack:
        reaching = ReachingSettings(
            slack_api_url=slack.url, public_url="https://checkrein.example.test"
        )
        async with running_plane(
            postgres_server, database_name, data_dir, QUICK, reaching=reaching
        ) as client:
            body = {
                "name": "approvals",
                "slack": {
                    "channel": "C0FINANCE",
                    "botToken": slack.TOKEN,
                    "signingSecret": slack.SECRET,
                },
            }
            made = await client.call("POST", "/v1/channels", body)
            assert made.status == 201, made
            channel_id = made.body["channel"]["channelId"]
            people = [
                {"address": ALICE, "keyId": await person_key(client, "alice", "finance")},
                {"address": BOB, "keyId": await person_key(client, "bob")},
            ]
            path = f"/v1/channels/{channel_id}/people"
            assert (await client.call("POST", path, {"people": people})).status == 200
            yield Workspace(client, slack, channel_id)
            await client.call("POST", f"/v1/channels/{channel_id}/remove", {})


def buttons(message: Mapping[str, Any]) -> dict[str, Any]:
    """The buttons of a message by action."""
    return {
        element["action_id"]: element
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    }


async def test_a_click_approves_and_the_message_follows(work: Workspace):
    """Recorded with who and where; the buttons are gone afterwards."""
    asked = await work.client.ask(terms=TERMS)
    (message,) = await work.slack.wait("chat.postMessage")
    assert message["channel"] == "C0FINANCE"
    assert message["blocks"][0]["text"]["text"] == "Refund 90.00 USD of charge ch_1"
    assert set(buttons(message)) == {APPROVE, DENY, OPEN}
    opens = buttons(message)[OPEN]["url"]
    assert opens == f"https://checkrein.example.test/dashboard/approvals/{asked['approvalId']}"
    answer = await work.click(ALICE, APPROVE, asked)
    assert answer.status == 200
    approval = await work.approval(asked)
    assert (approval["status"], approval["resolvedBy"]) == ("APPROVED", "alice")
    (given,) = approval["answers"]
    assert (given["answeredBy"], given["through"]) == ("alice", "slack")
    (change,) = await work.slack.wait("chat.update")
    assert (change["channel"], change["ts"]) == ("C0FINANCE", "17.000001")
    assert set(buttons(change)) == {OPEN}
    assert "Approved by alice" in json.dumps(change)
    assert work.slack.bodies("chat.postEphemeral") == []


async def test_the_message_follows_an_answer_from_elsewhere(work: Workspace):
    """Anybody's, anywhere."""
    asked = await work.client.ask()
    await work.slack.wait("chat.postMessage")
    await work.client.resolve(asked["approvalId"], "REJECT", reason="not today")
    (change,) = await work.slack.wait("chat.update")
    assert "Denied by admin: not today" in json.dumps(change)


async def test_an_escalated_question_is_posted_anew(work: Workspace):
    """A change rings no bell; the answer then closes both messages."""
    asked = await work.client.ask(terms={**TERMS, "escalateTo": ["leads"]})
    await work.slack.wait("chat.postMessage")
    eve = {"name": "eve", "permissions": ["ApprovalWrite"], "groups": ["finance"]}
    key = (await work.client.call("POST", "/v1/keys", eve)).body["key"]
    path = f"/v1/approvals/{asked['approvalId']}/resolve"
    escalated = await work.client.call("POST", path, {"resolution": "ESCALATE"}, key)
    assert escalated.status == 200, escalated
    first, second = await work.slack.wait("chat.postMessage", 2)
    assert "Escalated" not in json.dumps(first)
    assert "Escalated" in json.dumps(second)
    assert set(buttons(second)) == {APPROVE, DENY, OPEN}
    await work.click(ALICE, APPROVE, asked)
    changes = await work.slack.wait("chat.update", 2)
    assert {change["ts"] for change in changes} == {"17.000001", "17.000002"}


async def test_a_wanted_comment_is_asked_for_first(work: Workspace):
    """The button opens a dialog; an empty one does not count."""
    asked = await work.client.ask(terms={**TERMS, "commentRequired": True})
    await work.click(ALICE, APPROVE, asked)
    (opened,) = await work.slack.wait("views.open")
    (reason,) = [block for block in opened["view"]["blocks"] if block["type"] == "input"]
    assert reason["optional"] is False
    empty = work.slack.submit(ALICE, opened["view"], reason=" ")
    refused = await work.call_back(*work.slack.signed(empty))
    assert refused.body["response_action"] == "errors"
    assert set(refused.body["errors"]) == {reason["block_id"]}
    written = work.slack.submit(ALICE, opened["view"], reason="ticket 4711")
    assert (await work.call_back(*work.slack.signed(written))).body == {}
    approval = await work.approval(asked)
    assert (approval["status"], approval["comment"]) == ("APPROVED", "ticket 4711")


async def test_a_denial_asks_for_a_reason_first(work: Workspace):
    """The button alone denies nothing; the person's own words win over a preset."""
    asked = await work.client.ask()
    await work.click(BOB, DENY, asked)
    (opened,) = await work.slack.wait("views.open")
    assert (await work.approval(asked))["status"] == "PENDING"
    payload = work.slack.submit(
        BOB, opened["view"], preset="Wrong target or amount", reason="ch_1 is disputed"
    )
    answer = await work.call_back(*work.slack.signed(payload))
    assert (answer.status, answer.body) == (200, {})
    approval = await work.approval(asked)
    assert (approval["status"], approval["comment"]) == ("DENIED", "ch_1 is disputed")
    assert approval["answers"][0]["through"] == "slack"


async def test_a_preset_is_enough(work: Workspace):
    """One click for the common reasons."""
    asked = await work.client.ask()
    await work.click(BOB, DENY, asked)
    (opened,) = await work.slack.wait("views.open")
    payload = work.slack.submit(BOB, opened["view"], preset="Wrong target or amount")
    await work.call_back(*work.slack.signed(payload))
    assert (await work.approval(asked))["comment"] == "Wrong target or amount"


REFUSED = {
    "somebody unknown": (STRANGER, "not known here"),
    "somebody of another group": (BOB, "only `finance` can"),
}


async def test_only_known_people_of_the_group_approve(work: Workspace):
    """The others are told so, alone."""
    asked = await work.client.ask(terms=TERMS)
    for count, (user, why) in enumerate(REFUSED.values(), 1):
        assert (await work.click(user, APPROVE, asked)).status == 200
        told = (await work.slack.wait("chat.postEphemeral", count))[-1]
        assert (told["user"], told["channel"]) == (user, "C0FINANCE")
        assert why in told["text"]
    assert (await work.approval(asked))["status"] == "PENDING"


async def test_a_quorum_wants_different_people(work: Workspace):
    """Two clicks of one person count once."""
    asked = await work.client.ask(terms={**TERMS, "groups": [], "quorum": 2})
    await work.click(ALICE, APPROVE, asked)
    await work.click(ALICE, APPROVE, asked)
    counted, refused = await work.slack.wait("chat.postEphemeral", 2)
    assert counted["text"].startswith("Your approval counts; another person")
    assert refused["text"].startswith("That did not count: ")
    assert (await work.approval(asked))["status"] == "PENDING"
    await work.click(BOB, APPROVE, asked)
    assert (await work.approval(asked))["status"] == "APPROVED"


async def test_a_revoked_key_answers_no_more(work: Workspace):
    """Nor does one that may only read, and an agent's or a gateway's is never taken as a person."""
    asked = await work.client.ask()
    key = await person_key(work.client, "carol")
    reader = await person_key(work.client, "dora", permissions=["ApprovalRead"])
    path = f"/v1/channels/{work.channel_id}/people"
    people = [{"address": "U0CAROL", "keyId": key}, {"address": "U0DORA", "keyId": reader}]
    await work.client.call("POST", path, {"people": people})
    await work.client.call("POST", f"/v1/keys/{key}/revoke", {})
    for user in ("U0CAROL", "U0DORA"):
        await work.click(user, APPROVE, asked)
    assert len(await work.slack.wait("chat.postEphemeral", 2)) == 2
    assert (await work.approval(asked))["status"] == "PENDING"
    listed = (await work.client.call("GET", "/v1/keys")).body["keys"]
    machines = [one["keyId"] for one in listed if one["name"] in {"gateway", "agent"}]
    assert machines
    for machine in machines:
        bad = {"people": [{"address": "U0BOT", "keyId": machine}]}
        assert (await work.client.call("POST", path, bad)).status == 422


async def test_a_callback_counts_once(work: Workspace):
    """The same bytes again are refused, however early."""
    asked = await work.client.ask(terms={**TERMS, "groups": [], "quorum": 2})
    body, headers = work.slack.signed(work.slack.click(ALICE, APPROVE, asked["approvalId"]))
    assert (await work.call_back(body, headers)).status == 200
    again = await asyncio.gather(*(work.call_back(body, headers) for _ in range(5)))
    assert {answer.status for answer in again} == {401}
    assert len((await work.approval(asked))["answers"]) == 1


async def test_forged_and_late_callbacks_are_refused(work: Workspace):
    """All with one answer, which tells nothing."""
    asked = await work.client.ask()
    payload = work.slack.click(ALICE, APPROVE, asked["approvalId"])
    body, headers = work.slack.signed(payload)
    other, _ = work.slack.signed(work.slack.click(BOB, APPROVE, asked["approvalId"]))
    signature = headers["X-Slack-Signature"]
    cases = {
        "another secret": work.slack.signed(payload, secret="x" * 32),
        "six minutes ago": work.slack.signed(payload, seconds_ago=360),
        "in six minutes": work.slack.signed(payload, seconds_ago=-360),
        "another body": (other, headers),
        "another time": (body, {**headers, "X-Slack-Request-Timestamp": "1"}),
        "no signature": (body, {**headers, "X-Slack-Signature": ""}),
        "another version": (body, {**headers, "X-Slack-Signature": "v1" + signature[2:]}),
        "no ASCII": (body, {**headers, "X-Slack-Signature": "v0=é"}),
        "a time that is none": (body, {**headers, "X-Slack-Request-Timestamp": "٣"}),
        "nothing": (b"", {}),
    }
    for case, (sent, given) in cases.items():
        answer = await work.call_back(sent, given)
        assert (answer.status, answer.code) == (401, "AUTH_INVALID_CREDENTIALS"), case
    await work.client.call("PATCH", f"/v1/channels/{work.channel_id}", {"enabled": False})
    assert (await work.click(ALICE, APPROVE, asked)).status == 401
    unknown = await work.call_back_at(str(uuid.uuid4()), body, headers)
    assert unknown.status == 401
    assert (await work.approval(asked))["status"] == "PENDING"


async def test_a_long_callback_is_not_read(work: Workspace):
    """Before anything is reckoned over it."""
    assert (await work.call_back(b"x" * 300_000, {})).status == 413


JUNK = (b"payload=%7B", b"payload=[]", b"payload=%7B%7D", b"x=1", b"payload=1&payload=2", b"")


async def test_signed_junk_does_nothing(work: Workspace):
    """Slack's own mistake would be no reason to fall over."""
    for body in JUNK:
        timestamp = str(int(time.time()))
        signature = SignatureVerifier(work.slack.SECRET).generate_signature(
            timestamp=timestamp, body=body
        )
        headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": str(signature)}
        assert (await work.call_back(body, headers)).status in {200, 400}, body


async def test_another_tenants_approval_is_not_there(
    work: Workspace, postgres_server: EmbeddedPostgres, database_name: str
):
    """Its id in a signed click names nothing here."""
    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Gateway"], tenant=tenant)
    theirs = await work.client.call("POST", "/v1/approvals", ask_body(), key)
    assert theirs.status == 201, theirs
    await work.click(ALICE, APPROVE, theirs.body["approval"])
    (told,) = await work.slack.wait("chat.postEphemeral")
    assert "no such approval" in told["text"]


async def test_an_agents_words_are_no_markup(work: Workspace):
    """No mention, no link, no formatting, in every field that an agent writes."""
    await work.client.ask(
        summary=HOSTILE,
        target={"type": "charge", "id": HOSTILE},
        params={"amount": 1, "memo": HOSTILE},
        runId=HOSTILE[:200],
        message=HOSTILE,
        witness={"hash": "0" * 64, "state": {HOSTILE: HOSTILE}},
    )
    (message,) = await work.slack.wait("chat.postMessage")
    assert message["unfurl_links"] is False
    assert message["unfurl_media"] is False
    assert "<" not in message["text"]
    for block in message["blocks"]:
        texts = [*block.get("fields", ()), *([block["text"]] if "text" in block else [])]
        for text in texts:
            assert "\u202e" not in text["text"]
            if text["type"] == "mrkdwn":
                assert text["verbatim"] is True
                assert "<" not in text["text"]
                label, _, code = text["text"].partition("\n")
                assert code.count("`") == 2
                assert "evil.test" not in label


async def test_a_message_that_failed_is_posted_later(work: Workspace, monkeypatch: Any):
    """Slack was full for a moment; what needs a person first is dead at once."""
    monkeypatch.setattr("controlplane.notify.backoff.PAUSES_SECONDS", (0.0,) * 7)
    work.slack.errors = ["ratelimited", "internal_error"]
    await work.client.ask()
    assert len(await work.slack.wait("chat.postMessage")) == 1
    work.slack.errors = ["channel_not_found"]
    await work.client.ask()
    async with asyncio.timeout(10):
        while True:
            answer = await work.client.call(
                "GET", f"/v1/deliveries?status=DEAD&channelId={work.channel_id}"
            )
            if dead := answer.body["deliveries"]:
                break
            await asyncio.sleep(0.03)
    assert (dead[0]["attempts"], dead[0]["problem"]) == (1, "Slack says `channel_not_found`")
