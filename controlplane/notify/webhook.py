"""A notice -> a signed POST to a receiver of the team's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from controlplane.notify.notice import Notice, NotSent, Outcome, Sent
from controlplane.notify.outbound import OutboundError, OutboundGuard, Reply, post
from controlplane.notify.standard_webhooks import sign
from gateway.model.moment import rfc3339

GONE: Final = 410
"""The receiver wants no more of this (Standard Webhooks)."""


@dataclass(frozen=True, slots=True)
class WebhookAt:
    """Where to, and what to sign with: one secret, or two during a rotation."""

    url: str
    secrets: Sequence[str] = field(repr=False)


def webhook_body(notice: Notice) -> bytes:
    """The JSON that is sent: type, time, and the thing as the API shows it."""
    body = {
        "type": notice.event,
        "timestamp": rfc3339(notice.happened_at),
        "data": {notice.kind: notice.subject},
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def url_problem(url: str, guard: OutboundGuard) -> str | None:
    """What is wrong with a receiver's URL before anything is resolved; None when nothing is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        return "is not an https URL"
    if parts.scheme == "http" and not guard.allows_plain(host):
        return "must be https; http goes only to hosts in CHECKREIN_WEBHOOK_ALLOW"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "must hold no user, password or fragment"
    return None


async def send_webhook(
    at: WebhookAt, notice: Notice, guard: OutboundGuard, now: datetime
) -> Outcome:
    """Send it once."""
    message_id = f"msg_{notice.delivery_id.hex}"
    return await post_signed(at, message_id, webhook_body(notice), guard, now)


async def post_signed(
    at: WebhookAt, message_id: str, body: bytes, guard: OutboundGuard, now: datetime
) -> Outcome:
    """Sign a body and POST it once."""
    if (problem := url_problem(at.url, guard)) is not None:
        return NotSent(f"the URL {problem}", is_final=True)
    headers = {
        "content-type": "application/json",
        "user-agent": "checkrein",
        **sign(at.secrets, message_id, int(now.timestamp()), body),
    }
    try:
        reply = await post(guard, at.url, body, headers)
    except OutboundError as error:
        return NotSent(error.message, error.is_final)
    if 200 <= reply.status < 300:
        return Sent()
    return NotSent(
        f"the receiver answered {reply.status}",
        reply.status == GONE,
        retry_after_seconds(reply, now),
    )


def retry_after_seconds(reply: Reply, now: datetime) -> float | None:
    """What `Retry-After` asks for (RFC 9110 section 10.2.3); None when it says nothing readable."""
    text = str(reply.headers.get("Retry-After", "")).strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
