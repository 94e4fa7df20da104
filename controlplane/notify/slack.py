"""Speaks with Slack's Web API: posts and changes messages, opens dialogs, tells one person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from controlplane.notify.notice import Notice, NotSent, Outcome, Sent
from controlplane.notify.outbound import OutboundError, post
from controlplane.notify.slack_message import message_of
from controlplane.notify.webhook import retry_after_seconds
from gateway.model.codec import JsonValue

DIALOG_SECONDS_MAX: Final = 2.5
"""Slack forgets what a click may open after three seconds."""

_FINAL: Final = frozenset(
    {
        "account_inactive", "channel_not_found", "invalid_auth", "is_archived", "missing_scope",
        "no_permission", "not_allowed_token_type", "not_authed", "not_in_channel", "token_expired",
        "token_revoked", "invalid_blocks", "message_not_found", "cant_update_message",
        "restricted_action", "msg_too_long",
    }
)  # fmt: skip
"""Errors of the API that a person has to mend first."""


@dataclass(frozen=True, slots=True)
class SlackAt:
    """One workspace's bot, and the channel that it posts to."""

    channel: str
    bot_token: str = field(repr=False)


class SlackApi:
    """`url` is the operator's: Slack's own, or a government's instance of it."""

    def __init__(self, url: str) -> None:
        self._url = url if url.endswith("/") else url + "/"

    async def send(
        self, at: SlackAt, notice: Notice, reference: str | None, now: datetime
    ) -> Outcome:
        """Post it, or change the message that `reference` names. The outcome's reference is the
        message's place: its channel and its time there."""
        message = message_of(notice, now)
        channel, _, ts = (reference or "").partition(":")
        if ts:
            outcome, said = await self._call(
                at, "chat.update", {**message, "channel": channel, "ts": ts}, now
            )
        else:
            outcome, said = await self._call(
                at, "chat.postMessage", {**message, "channel": at.channel}, now
            )
        if isinstance(outcome, NotSent):
            return outcome
        return Sent(f"{said.get('channel', at.channel)}:{said.get('ts', ts)}")

    async def open_view(
        self, at: SlackAt, trigger_id: str, view: Mapping[str, JsonValue], now: datetime
    ) -> Outcome:
        """Show a dialog to the person who clicked."""
        body: dict[str, JsonValue] = {"trigger_id": trigger_id, "view": view}
        return (await self._call(at, "views.open", body, now, DIALOG_SECONDS_MAX))[0]

    async def whisper(
        self, at: SlackAt, channel: str, user: str, text: str, now: datetime
    ) -> Outcome:
        """Tell one person something that the others in the channel don't see. `text` is ours or
        escaped."""
        body: dict[str, JsonValue] = {"channel": channel, "user": user, "text": text}
        return (await self._call(at, "chat.postEphemeral", body, now))[0]

    async def _call(
        self,
        at: SlackAt,
        method: str,
        body: Mapping[str, JsonValue],
        now: datetime,
        seconds_max: float = 10.0,
    ) -> tuple[Outcome, Mapping[str, Any]]:
        headers = {
            "authorization": f"Bearer {at.bot_token}",
            "content-type": "application/json; charset=utf-8",
            "user-agent": "checkrein",
        }
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            # No guard: this is the operator's address, never a tenant's.
            reply = await post(None, self._url + method, data, headers, seconds_max)
        except OutboundError as error:
            return NotSent(error.message, error.is_final), {}
        if reply.status != 200:
            problem = f"Slack answered {reply.status}"
            return NotSent(problem, False, retry_after_seconds(reply, now)), {}
        try:
            said = json.loads(reply.body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            return NotSent("Slack answered something else than JSON"), {}
        if said.get("ok") is True:
            return Sent(), said
        error_code = str(said.get("error", "unknown"))[:80]
        return NotSent(f"Slack says `{error_code}`", error_code in _FINAL), said
