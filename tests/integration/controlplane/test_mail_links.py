"""E-mail: a link that shows, a page that acts, once, as the person whose mail it was."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from controlplane.notify import outbound
from controlplane.services.reaching.sending import hash_link
from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Client, running_plane
from tests.support.database import connect_as
from tests.support.pki import TestAuthority
from tests.support.reaching import HOSTILE, QUICK, TERMS, TO_LOOPBACK, person_key
from tests.support.receivers import MailServer, serving_mail

ALICE, BOB = "alice@example.test", "bob@example.test"


@dataclass
class Post:
    """A control plane with an e-mail channel for Alice (finance) and Bob (nothing)."""

    client: Client
    server: MailServer
    channel_id: str
    keys: dict[str, str]

    async def link_for(self, address: str, count: int = 1) -> str:
        """The path of the link in the newest of so many mails to somebody."""
        async with asyncio.timeout(10):
            while len(found := self.server.to(address)) < count:
                await self.server.wait(len(self.server.mails) + 1)
        return path_in(found[-1], self.client.url)

    async def fetch(self, method: str, path: str, **more: Any) -> tuple[int, str, Any]:
        async with self.client.http.request(
            method, self.client.url + path, allow_redirects=False, **more
        ) as response:
            return response.status, await response.text(), response.headers

    async def send(self, path: str, answer: str, page: str, reason: str = "") -> tuple[int, str]:
        form = {"answer": answer, "page": page, "reason": reason}
        status, text, _ = await self.fetch("POST", path, data=form)
        return status, text

    async def approval(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.call("GET", f"/v1/approvals/{asked['approvalId']}")
        return dict(answer.body["approval"])


def path_in(mail: EmailMessage, url: str) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(re.escape(url) + r"(/answer/\S+)", body.get_content())
    assert found, body.get_content()
    return found[1]


def page_token(page: str) -> str:
    found = re.search(r'name="page" value="([0-9a-f]+)"', page)
    assert found, page
    return found[1]


@pytest.fixture
async def post(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Post]:
    """For each test anew; the channel of the one before is removed."""
    async with (
        serving_mail() as server,
        running_plane(
            postgres_server, database_name, data_dir, QUICK, reaching=TO_LOOPBACK
        ) as client,
    ):
        body = {
            "name": "post",
            "email": {
                "host": "127.0.0.1",
                "port": server.port,
                "security": "none",
                "sender": "checkrein@example.test",
            },
        }
        made = await client.call("POST", "/v1/channels", body)
        assert made.status == 201, made
        channel_id = made.body["channel"]["channelId"]
        keys = {
            ALICE: await person_key(client, "alice", "finance"),
            BOB: await person_key(client, "bob"),
        }
        people = [{"address": address, "keyId": key} for address, key in keys.items()]
        path = f"/v1/channels/{channel_id}/people"
        assert (await client.call("POST", path, {"people": people})).status == 200
        yield Post(client, server, channel_id, keys)
        await client.call("POST", f"/v1/channels/{channel_id}/remove", {})


async def test_only_the_page_acts(post: Post):
    """Looking, however often, and whatever else a scanner tries, changes nothing."""
    asked = await post.client.ask()
    path = await post.link_for(ALICE)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "GET"):
        status, _, _ = await post.fetch(method, path)
        assert status == (200 if method == "GET" else 405), method
    bare, _, _ = await post.fetch("POST", path)
    assert bare == 400
    assert (await post.approval(asked))["status"] == "PENDING"
    _, page, headers = await post.fetch("GET", path)
    assert "Refund 90.00 USD of charge ch_1" in page
    assert "<strong>alice</strong>" in page
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
    status, text = await post.send(path, "APPROVE", page_token(page), "ticket 4711")
    assert (status, "Approved" in text) == (200, True)
    approval = await post.approval(asked)
    assert (approval["status"], approval["comment"]) == ("APPROVED", "ticket 4711")
    (given,) = approval["answers"]
    assert (given["answeredBy"], given["through"]) == ("alice", "email")


async def test_a_link_is_used_once(post: Post):
    """Of many at the same moment one counts; afterwards the page says what became of it."""
    asked = await post.client.ask()
    path = await post.link_for(ALICE)
    page = page_token((await post.fetch("GET", path))[1])
    sent = await asyncio.gather(*(post.send(path, "REJECT", page, "no") for _ in range(6)))
    assert sorted(status for status, _ in sent) == [200, 409, 409, 409, 409, 409]
    approval = await post.approval(asked)
    assert (approval["status"], len(approval["answers"])) == ("DENIED", 1)
    status, text, _ = await post.fetch("GET", path)
    assert status == 200
    assert "Denied by alice" in text
    assert "<form" not in text


async def test_a_forged_page_or_link_does_nothing(post: Post):
    """One that was made up, another's page, another site's form."""
    asked = await post.client.ask()
    path, other = await post.link_for(ALICE), await post.link_for(BOB)
    page = page_token((await post.fetch("GET", path))[1])
    assert (await post.send(other, "APPROVE", page))[0] == 403
    assert (await post.send(path, "APPROVE", ""))[0] == 403
    assert (await post.send(path, "APPROVE", "é" * 64))[0] == 403
    assert (await post.send(path, "MAYBE", page))[0] == 422
    assert (await post.send(path[:-1] + "é", "APPROVE", page))[0] == 404
    for made_up in ("x", "A" * 43, "a" * 5000, "%00"):
        assert (await post.fetch("GET", f"/answer/{made_up}"))[0] == 404
    form = {"answer": "APPROVE", "page": page}
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert (await post.fetch("POST", path, data=form, headers=cross))[0] == 403
    twice = f"answer=REJECT&answer=APPROVE&page={page}"
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await post.fetch("POST", path, data=twice, headers=urlencoded))[0] == 400
    assert (await post.fetch("POST", path, data="x" * 20_000, headers=urlencoded))[0] == 413
    assert (await post.approval(asked))["status"] == "PENDING"


async def test_a_link_answers_as_its_person(post: Post):
    """Only those who are asked get a mail; a revoked key makes its links useless."""
    asked = await post.client.ask(terms=TERMS)
    path = await post.link_for(ALICE)
    page = page_token((await post.fetch("GET", path))[1])
    await post.client.call("POST", f"/v1/keys/{post.keys[ALICE]}/revoke", {})
    assert (await post.fetch("GET", path))[0] == 403
    assert (await post.send(path, "APPROVE", page))[0] == 403
    assert (await post.approval(asked))["status"] == "PENDING"
    assert post.server.to(BOB) == []


async def test_whoever_is_taken_off_a_channel_answers_no_more_from_it(post: Post):
    """Nor anybody, once it is switched off: links that were mailed are useless then."""
    await post.client.ask()
    path, other = await post.link_for(ALICE), await post.link_for(BOB)
    page = page_token((await post.fetch("GET", other))[1])
    channel = f"/v1/channels/{post.channel_id}"
    people = {"people": [{"address": BOB, "keyId": post.keys[BOB]}]}
    await post.client.call("POST", f"{channel}/people", people)
    assert (await post.fetch("GET", path))[0] == 403
    assert (await post.fetch("GET", other))[0] == 200
    await post.client.call("PATCH", channel, {"enabled": False})
    assert (await post.send(other, "APPROVE", page))[0] == 403


async def test_a_link_ends_with_its_approval(post: Post):
    """Answered elsewhere, the link only tells how."""
    asked = await post.client.ask()
    path = await post.link_for(ALICE)
    page = page_token((await post.fetch("GET", path))[1])
    await post.client.resolve(asked["approvalId"], "REJECT", reason="no")
    status, text = await post.send(path, "APPROVE", page)
    assert status == 409
    assert "this approval is denied" in text.lower()
    _, shown, _ = await post.fetch("GET", path)
    assert "Denied by admin" in shown


async def test_a_refused_answer_leaves_the_link_usable(post: Post):
    """A comment was wanted: the person writes one and sends again."""
    asked = await post.client.ask(terms={**TERMS, "groups": [], "commentRequired": True})
    path = await post.link_for(ALICE)
    page = page_token((await post.fetch("GET", path))[1])
    status, _ = await post.send(path, "APPROVE", page)
    assert status in {409, 422}
    assert (await post.send(path, "APPROVE", page, "ticket 4711"))[0] == 200
    assert (await post.approval(asked))["status"] == "APPROVED"


async def test_links_lie_hashed(post: Post, postgres_server: EmbeddedPostgres, database_name: str):
    """Who reads the database can't answer."""
    await post.client.ask()
    path = await post.link_for(ALICE)
    link = path.removeprefix("/answer/")
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        rows = await connection.fetch("select row_to_json(l)::text as line from mail_links l")
    finally:
        await connection.close()
    text = " ".join(row["line"] for row in rows)
    assert hash_link(link).hex() in text
    assert link not in text


async def test_an_agents_words_begin_no_header_and_no_markup(post: Post):
    """In the mail and on the page."""
    summary = f"refund\r\nBcc: evil@evil.test\r\n\r\n<script>alert(1)</script> {HOSTILE}"
    await post.client.ask(summary=summary, message="<img src=x onerror=alert(1)>")
    path = await post.link_for(ALICE)
    mail = post.server.to(ALICE)[-1]
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Approve? Refund Bcc: evil@evil.test")
    assert "\n" not in mail["Subject"]
    html = mail.get_body(("html",))
    assert html is not None
    for text in (html.get_content(), (await post.fetch("GET", path))[1]):
        assert "<script>" not in text
        assert "<img" not in text
        assert "\u202e" not in text
        assert "&lt;script&gt;" in text
    assert {str(one) for many in post.server.recipients for one in many} <= {ALICE, BOB}


async def test_a_busy_mail_server_is_tried_again_and_a_no_is_final(
    post: Post, monkeypatch: pytest.MonkeyPatch
):
    """4xx and 5xx, as SMTP means them."""
    monkeypatch.setattr("controlplane.notify.backoff.PAUSES_SECONDS", (0.0,) * 7)
    post.server.refuses = ["451 later", "451 later"]
    await post.client.ask()
    await post.link_for(ALICE)
    await post.link_for(BOB)
    post.server.refuses = ["550 never"] * 2
    asked = await post.client.ask()
    query = f"/v1/deliveries?status=DEAD&channelId={post.channel_id}"
    async with asyncio.timeout(10):
        while len(dead := (await post.client.call("GET", query)).body["deliveries"]) < 2:
            await asyncio.sleep(0.03)
    assert {one["subjectId"] for one in dead} == {asked["approvalId"]}
    assert {one["problem"] for one in dead} == {"the mail server answered 550 never"}
    assert {one["recipientKeyId"] for one in dead} == set(post.keys.values())


async def test_a_password_travels_only_in_tls(
    post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """STARTTLS with a certificate that is checked; a server that lacks it gets nothing."""
    authority = TestAuthority(tmp_path)
    context = authority.server_context(["127.0.0.1"])
    seen: list[tuple[str, str]] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        from aiosmtpd.smtp import AuthResult

        seen.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)

    async with serving_mail(
        tls_context=context, require_starttls=True, auth_required=True, authenticator=check
    ) as secure:
        email = {
            "host": "127.0.0.1",
            "port": secure.port,
            "sender": "checkrein@example.test",
            "username": "robot",
            "password": "hunter2-hunter2",
        }
        made = await post.client.call("POST", "/v1/channels", {"name": "tls", "email": email})
        channel_id = made.body["channel"]["channelId"]
        people = {"people": [{"address": ALICE, "keyId": post.keys[ALICE]}]}
        await post.client.call("POST", f"/v1/channels/{channel_id}/people", people)
        test = f"/v1/channels/{channel_id}/test"
        untrusted = (await post.client.call("POST", test, {})).body["results"][0]
        assert untrusted["problem"] == "the mail server's certificate is not trusted"
        trusting: ssl.SSLContext = authority.client_context()
        monkeypatch.setattr("controlplane.notify.smtp.tls_context", lambda: trusting)
        tested = (await post.client.call("POST", test, {})).body["results"]
        assert tested == [{"recipient": "alice", "delivered": True, "problem": None}]
        assert seen == [("robot", "hunter2-hunter2")]
        plain = {**email, "port": post.server.port}
        await post.client.call("PATCH", f"/v1/channels/{channel_id}", {"email": plain})
        refused = (await post.client.call("POST", test, {})).body["results"][0]
        assert "does not offer STARTTLS" in refused["problem"]
        await post.client.call("POST", f"/v1/channels/{channel_id}/remove", {})
    assert outbound.tls_context().verify_mode is ssl.CERT_REQUIRED
