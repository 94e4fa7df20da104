"""What tests of channels share: how one is added, what was sent there, who is who."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controlplane.services.reaching.notifications import NotificationSettings
from controlplane.settings import ReachingSettings
from tests.support.control_plane import LIMITS, Client

QUICK = replace(LIMITS, notifications=NotificationSettings(poll_seconds=0.03))
"""Limits with which a test does not wait for its notifications."""

TO_LOOPBACK = ReachingSettings(webhook_allow=("127.0.0.1",))

TERMS = {"groups": ["finance"], "quorum": 1, "timeoutSeconds": 600, "witnessRequired": False}

HOSTILE = "<!channel> <@U0BOSS> <https://evil.test|click> *b* `x` & \u202e https://evil.test\n# x"
"""What an agent could write to be more than words."""

WAIT_SECONDS = 10.0


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


def database_of(client: Client) -> str:
    return str(client.plane._at[1])  # type: ignore[attr-defined]


async def person_key(client: Client, name: str, *groups: str, **more: Any) -> str:
    """The id of a new person's key."""
    body = {
        "name": name,
        "permissions": more.get("permissions", ["ApprovalRead", "ApprovalWrite"]),
        "groups": list(groups),
    }
    answer = await client.call("POST", "/v1/keys", body)
    assert answer.status == 201, answer
    return str(answer.body["keyId"])
