"""Hands one notice to one channel: opens its secrets, and speaks its kind's language."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from controlplane.faults import ControlFault
from controlplane.notify.mail_message import MailTo, mail_of
from controlplane.notify.notice import Notice, NotSent, Outcome, Sent
from controlplane.notify.outbound import OutboundGuard
from controlplane.notify.slack import SlackApi, SlackAt
from controlplane.notify.smtp import SmtpAt, SmtpSecurity, send_mail
from controlplane.notify.webhook import WebhookAt, send_webhook
from controlplane.services.secret_box import SecretBox
from controlplane.store.callbacks import CallbackStore, MailLink
from controlplane.store.channels import ChannelKind, ChannelRow, PersonRow

LINK_BYTES = 32


def hash_link(link: str) -> bytes:
    """The only form of a mailed link that is stored."""
    return hashlib.sha256(link.encode()).digest()


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Outside:
    """The ways out. `public_url` says where people reach this control plane, without a slash at the
    end; it is known once the port is open."""

    guard: OutboundGuard
    slack: SlackApi
    public_url: Callable[[], str]
    now: Callable[[], datetime] = utc_now


class ChannelSender:
    def __init__(self, box: SecretBox, links: CallbackStore, outside: Outside) -> None:
        self._box = box
        self._links = links
        self._outside = outside

    def slack_at(self, channel: ChannelRow) -> tuple[SlackAt, str]:
        """A Slack channel's bot, and the secret that signs its callbacks.

        Raises:
            ControlFault: its secrets can't be opened.
        """
        opened = self._box.open(channel.channel_id, channel.plan.secrets)
        at = SlackAt(str(channel.plan.settings["channel"]), str(opened["botToken"]))
        return at, str(opened["signingSecret"])

    def webhook_at(self, channel: ChannelRow, now: datetime) -> WebhookAt:
        """A webhook's receiver, and what is signed with now.

        Raises:
            ControlFault: its secrets can't be opened.
        """
        opened = self._box.open(channel.channel_id, channel.plan.secrets)
        return WebhookAt(str(channel.plan.settings["url"]), signing_secrets(opened, now))

    async def send(
        self,
        channel: ChannelRow,
        notice: Notice,
        person: PersonRow | None = None,
        references: tuple[str, ...] = (),
    ) -> Outcome:
        """Send it once. `person` is the recipient of a mail; `references` are Slack messages about
        the same thing that are changed instead of posting one more."""
        try:
            match channel.plan.kind:
                case ChannelKind.WEBHOOK:
                    return await self._webhook(channel, notice)
                case ChannelKind.SLACK:
                    return await self._slack(channel, notice, references)
                case ChannelKind.EMAIL:
                    assert person is not None, "mails go to people"
                    return await self._mail(channel, notice, person)
                case _:
                    assert_never(channel.plan.kind)
        except ControlFault as fault:
            return NotSent(fault.message)

    async def _webhook(self, channel: ChannelRow, notice: Notice) -> Outcome:
        now = self._outside.now()
        at = self.webhook_at(channel, now)
        return await send_webhook(at, notice, self._outside.guard, now)

    async def _slack(
        self, channel: ChannelRow, notice: Notice, references: tuple[str, ...]
    ) -> Outcome:
        at, _ = self.slack_at(channel)
        outcome: Outcome = Sent()
        for reference in references or (None,):
            outcome = await self._outside.slack.send(at, notice, reference, self._outside.now())
            if isinstance(outcome, NotSent):
                break
        return outcome

    async def _mail(self, channel: ChannelRow, notice: Notice, person: PersonRow) -> Outcome:
        settings = channel.plan.settings
        opened = self._box.open(channel.channel_id, channel.plan.secrets)
        user = settings.get("username")
        at = SmtpAt(
            str(settings["host"]),
            int(str(settings["port"])),
            SmtpSecurity(str(settings["security"])),
            str(settings["from"]),
            None if user is None else str(user),
            opened.get("password"),
        )
        answer_url = ""
        if notice.wants_answer:
            answer_url = await self._make_link(channel, notice, person)
        message = mail_of(
            notice, MailTo(at.sender, person.address, answer_url), self._outside.now()
        )
        return await send_mail(at, message, person.address, self._outside.guard)

    async def _make_link(self, channel: ChannelRow, notice: Notice, person: PersonRow) -> str:
        """One more each time that the mail is sent; each is this person's, and works once."""
        link = secrets.token_urlsafe(LINK_BYTES)
        may = MailLink(
            channel.tenant_id,
            channel.channel_id,
            uuid.UUID(notice.subject_id),
            person.key_id,
            is_open=True,
        )
        expires_at = datetime.fromisoformat(str(notice.subject["expiresAt"]))
        await self._links.insert_link(hash_link(link), may, expires_at)
        return f"{self._outside.public_url()}/answer/{link}"


def signing_secrets(opened: Any, now: datetime) -> list[str]:
    """Those of a webhook that sign now: the newest, and one that is rotated out and not over."""
    return [
        str(one["secret"])
        for one in opened.get("signing", ())
        if one.get("until") is None or datetime.fromisoformat(one["until"]) > now
    ]


def rotated(opened: Any, secret: str, now: datetime, keep_seconds: int) -> dict[str, Any]:
    """The secrets of a webhook with a new one in front; the old one signs for a while longer."""
    until = (now + timedelta(seconds=keep_seconds)).isoformat()
    old = signing_secrets(opened, now)[:1]
    return {
        "signing": [
            {"secret": secret, "until": None},
            *({"secret": one, "until": until} for one in old if keep_seconds),
        ]
    }
