"""Those who are told: a webhook receiver, Slack's API and a mail server, each on a real socket.

Slack's fake refuses what its documentation forbids, so that a message it takes is one that Slack
would take.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import time
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP
from slack_sdk.signature import SignatureVerifier

WAIT_SECONDS = 10.0


@dataclass
class Heard:
    """One request, as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Takes POSTs; `answers` are the statuses (with headers) of the next ones, then 204."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.hangs = False
        self.url = ""
        self._came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.hangs:
            await asyncio.sleep(3600)
        async with self._came:
            self.heard.append(Heard(request.path, dict(request.headers), body))
            self._came.notify_all()
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return web.Response(status=status, headers=headers)

    async def wait(self, count: int) -> list[Heard]:
        """All that was heard, once there are so many."""
        async with asyncio.timeout(WAIT_SECONDS), self._came:
            await self._came.wait_for(lambda: len(self.heard) >= count)
        return self.heard


class FakeSlack:
    """The Web API as far as it is used: `calls` are method and body, in order."""

    TOKEN = "xoxb-test-token-1234567890"
    SECRET = "8f742231b10e8888abcd99yyyzzz85a5"

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[str] = []
        self.url = ""
        self._came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if request.headers.get("Authorization") != f"Bearer {self.TOKEN}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        body = await request.json()
        problem = self.errors.pop(0) if self.errors else _slack_problem(method, body)
        if problem:
            return web.json_response({"ok": False, "error": problem})
        async with self._came:
            self.calls.append((method, body))
            self._came.notify_all()
        number = len(self.calls)
        return web.json_response(
            {"ok": True, "channel": body.get("channel"), "ts": body.get("ts", f"17.{number:06}")}
        )

    async def wait(self, method: str, count: int = 1) -> list[dict[str, Any]]:
        """The bodies of a method's calls, once there are so many."""
        async with asyncio.timeout(WAIT_SECONDS), self._came:
            await self._came.wait_for(lambda: len(self.bodies(method)) >= count)
        return self.bodies(method)

    def bodies(self, method: str) -> list[dict[str, Any]]:
        return [body for name, body in self.calls if name == method]

    def signed(
        self, payload: Mapping[str, Any], secret: str = SECRET, seconds_ago: float = 0
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a callback, signed by Slack's own library."""
        body = urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()
        timestamp = str(int(time.time() - seconds_ago))
        signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
        return body, {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": str(signature),
        }

    def click(self, user: str, action: str, approval_id: str) -> dict[str, Any]:
        """The payload of a button."""
        return {
            "type": "block_actions",
            "user": {"id": user},
            "channel": {"id": "C0FINANCE"},
            "trigger_id": f"13345224609.738474920.{uuid.uuid4().hex}",
            "actions": [{"action_id": action, "value": approval_id, "type": "button"}],
        }

    def submit(self, user: str, view: Mapping[str, Any], **words: Any) -> dict[str, Any]:
        """The payload of a dialog that was opened, with its fields filled in."""
        values: dict[str, Any] = {"reason": {"text": {"value": words.get("reason")}}}
        if "preset" in words:
            values["preset"] = {"text": {"selected_option": {"value": words["preset"]}}}
        return {
            "type": "view_submission",
            "user": {"id": user},
            "view": {**view, "state": {"values": values}},
        }


def _slack_problem(method: str, body: Mapping[str, Any]) -> str:
    """What Slack would say against it; empty when nothing."""
    match method:
        case "chat.postMessage":
            wanted = {"channel", "text", "blocks"}
        case "chat.update":
            wanted = {"channel", "ts", "text", "blocks"}
        case "chat.postEphemeral":
            wanted = {"channel", "user", "text"}
        case "views.open":
            wanted = {"trigger_id", "view"}
        case _:
            return "unknown_method"
    if not wanted <= body.keys():
        return "invalid_arguments"
    blocks = body.get("blocks") or body.get("view", {}).get("blocks") or []
    if len(blocks) > 50 or not all(_is_block(block) for block in blocks):
        return "invalid_blocks"
    view = body.get("view")
    if view is not None:
        titles = (view["title"], view["submit"], view["close"])
        if any(len(one["text"]) > 24 for one in titles) or len(view["private_metadata"]) > 3000:
            return "invalid_arguments"
    return ""


def _is_block(block: Mapping[str, Any]) -> bool:
    match block["type"]:
        case "header":
            text = block["text"]
            return text["type"] == "plain_text" and 1 <= len(text["text"]) <= 150
        case "section":
            texts = [*block.get("fields", ()), *([block["text"]] if "text" in block else [])]
            short = all(1 <= len(one["text"]) <= 2000 for one in texts)
            return short and len(texts) >= 1 and len(block.get("fields", ())) <= 10
        case "actions":
            return 1 <= len(block["elements"]) <= 25 and all(
                len(one["text"]["text"]) <= 75 and len(one.get("value", "")) <= 2000
                for one in block["elements"]
            )
        case "input":
            return block["element"]["type"] in {"plain_text_input", "radio_buttons"}
        case _:
            return False


@dataclass
class MailServer:
    """A real SMTP server; `refuses` are the answers to the next messages."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuses: list[str] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuses:
            return self.refuses.pop(0)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        async with self.came:
            self.mails.append(parsed)
            self.recipients.append(envelope.rcpt_tos)
            self.came.notify_all()
        return "250 taken"

    async def wait(self, count: int = 1) -> list[EmailMessage]:
        """All mails, once there are so many."""
        async with asyncio.timeout(WAIT_SECONDS), self.came:
            await self.came.wait_for(lambda: len(self.mails) >= count)
        return self.mails

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]


@asynccontextmanager
async def serving_receiver() -> AsyncIterator[Receiver]:
    """A webhook receiver at its `url`."""
    receiver = Receiver()
    async with _serving("/{path:.*}", receiver.take) as url:
        receiver.url = url + "/hook"
        yield receiver


@asynccontextmanager
async def serving_slack() -> AsyncIterator[FakeSlack]:
    """Slack's API at its `url`."""
    slack = FakeSlack()
    async with _serving("/api/{method}", slack.take) as url:
        slack.url = url + "/api"
        yield slack


@asynccontextmanager
async def serving_mail(**more: Any) -> AsyncIterator[MailServer]:
    """A mail server at 127.0.0.1 and its `port`; `more` are aiosmtpd's own options."""
    mail = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mail, enable_SMTPUTF8=True, **more), "127.0.0.1", 0
    )
    mail.port = server.sockets[0].getsockname()[1]
    try:
        yield mail
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def _serving(path: str, take: Any) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post(path, take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
