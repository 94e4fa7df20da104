"""Bodies and answers of `/v1/channels`. Secrets come in here, and no answer has a place for one but
the signing secret that was just made."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from controlplane.api.contract import At, Body, Id, Query, View
from controlplane.api.keys import Group
from controlplane.api.pages import Count, NumberCursor
from controlplane.api.parsing import Line
from controlplane.notify.mail_message import parse_mailbox
from controlplane.notify.notice import EVENTS, PROGRAM_EVENTS, RECORDS_EVENT, USUAL_EVENTS
from controlplane.notify.smtp import SmtpSecurity
from controlplane.notify.standard_webhooks import is_secret
from controlplane.services.reaching.channels import (
    CHANNEL_NAME,
    HOST,
    PEOPLE_COUNT_MAX,
    SECRET_LENGTH_MAX,
    SLACK_CHANNEL,
    URL_LENGTH_MAX,
    ChannelDraft,
)
from controlplane.store.channels import ChannelKind
from gateway.model.codec import JsonValue
from gateway.model.delivery import DeliveryStatus
from gateway.model.effect import Effect
from gateway.model.incident import Severity
from gateway.model.record import EntryKind

KEEP_SECONDS_MAX = 30 * 86_400


def _event(name: str) -> str:
    if name not in EVENTS:
        raise ValueError(f"is none of {', '.join(EVENTS)}")
    return name


def _mailbox(text: str) -> str:
    parse_mailbox(text)
    return text


def _signing_secret(text: str) -> str:
    if not is_secret(text):
        raise ValueError("is not `whsec_` and the base64 of 24 to 64 bytes")
    return text


def _plain(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("must be printable ASCII")
    return text


Secret = Annotated[
    str,
    StringConstraints(min_length=1, max_length=SECRET_LENGTH_MAX),
    AfterValidator(_plain),
]
Event = Annotated[str, AfterValidator(_event)]
Mailbox = Annotated[str, StringConstraints(max_length=320), AfterValidator(_mailbox)]
ChannelName = Annotated[str, StringConstraints(pattern=CHANNEL_NAME.pattern)]


class RecordsBody(Body):
    """Which records a channel that asks for `record.batch` wants; an empty list: all of them."""

    kinds: Annotated[list[EntryKind], Field(default_factory=list, max_length=len(EntryKind))]
    effects: Annotated[list[Effect], Field(default_factory=list, max_length=len(Effect))]


class WebhookBody(Body):
    """`signingSecret` left out: one is made, and told once."""

    url: Annotated[str, StringConstraints(max_length=URL_LENGTH_MAX), AfterValidator(_plain)]
    signingSecret: (
        Annotated[
            str, StringConstraints(max_length=SECRET_LENGTH_MAX), AfterValidator(_signing_secret)
        ]
        | None
    ) = None
    records: RecordsBody | None = None

    def parts(self) -> tuple[ChannelKind, dict[str, JsonValue], dict[str, str]]:
        secrets = {} if self.signingSecret is None else {"signingSecret": self.signingSecret}
        settings: dict[str, JsonValue] = {"url": self.url}
        if self.records is not None:
            kinds = sorted({kind.value for kind in self.records.kinds})
            effects = sorted({effect.value for effect in self.records.effects})
            settings["records"] = {"kinds": [*kinds], "effects": [*effects]}
        return ChannelKind.WEBHOOK, settings, secrets


class SlackBody(Body):
    """`channel` is Slack's id of it. The two secrets are those of the Slack app."""

    channel: Annotated[str, StringConstraints(pattern=SLACK_CHANNEL.pattern)]
    botToken: Secret | None = None
    signingSecret: Secret | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.botToken is None) != (self.signingSecret is None):
            raise ValueError("`botToken` and `signingSecret` are given together")
        return self

    def parts(self) -> tuple[ChannelKind, dict[str, JsonValue], dict[str, str]]:
        secrets = {}
        if self.botToken is not None and self.signingSecret is not None:
            secrets = {"botToken": self.botToken, "signingSecret": self.signingSecret}
        return ChannelKind.SLACK, {"channel": self.channel}, secrets


class EmailBody(Body):
    """A mail server. `security` `none` is for a relay that the operator allowed, without a
    password."""

    host: Annotated[str, StringConstraints(pattern=HOST.pattern)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["tls", "starttls", "none"] = "starttls"
    sender: Mailbox
    username: Secret | None = None
    password: Secret | None = None

    @model_validator(mode="after")
    def _no_plain_password(self) -> Self:
        if self.security == "none" and (self.username or self.password):
            raise ValueError("a user or password is never sent without TLS")
        return self

    def parts(self) -> tuple[ChannelKind, dict[str, JsonValue], dict[str, str]]:
        settings: dict[str, JsonValue] = {
            "host": self.host,
            "port": self.port,
            "security": SmtpSecurity(self.security).value,
            "from": self.sender,
        }
        if self.username is not None:
            settings["username"] = self.username
        return (
            ChannelKind.EMAIL,
            settings,
            {} if self.password is None else {"password": self.password},
        )


class _Settings(Body):
    webhook: WebhookBody | None = None
    slack: SlackBody | None = None
    email: EmailBody | None = None

    def given(self) -> list[WebhookBody | SlackBody | EmailBody]:
        return [one for one in (self.webhook, self.slack, self.email) if one is not None]


class ChannelBody(_Settings):
    """A channel: exactly one of `webhook`, `slack`, `email` says of which kind. `groups`: only
    questions that are put to one of them; `severity`: only incidents that are at least so bad."""

    name: ChannelName
    events: Annotated[list[Event], Field(min_length=1, max_length=len(EVENTS))] | None = None
    groups: Annotated[list[Group], Field(default_factory=list, max_length=50)]
    severity: Severity | None = None
    enabled: bool = True

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if len(self.given()) != 1:
            raise ValueError("give exactly one of `webhook`, `slack` and `email`")
        if self.slack is not None and self.slack.botToken is None:
            raise ValueError("`slack` needs `botToken` and `signingSecret`")
        if self.webhook is None and RECORDS_EVENT in (self.events or ()):
            raise ValueError(f"`events`: only a webhook hears `{RECORDS_EVENT}`")
        return self

    def draft(self) -> ChannelDraft:
        """The same in the words of the service."""
        kind, settings, secrets = self.given()[0].parts()
        events = PROGRAM_EVENTS if kind is ChannelKind.WEBHOOK else USUAL_EVENTS
        return ChannelDraft(
            self.name,
            kind,
            settings,
            secrets or None,
            tuple(dict.fromkeys(self.events or events)),
            tuple(dict.fromkeys(self.groups)),
            self.severity,
            self.enabled,
        )


class ChangeBody(_Settings):
    """What is to be different; the rest stays. Settings of the kind come whole; their secrets stay
    when they are left out."""

    name: ChannelName | None = None
    events: Annotated[list[Event], Field(min_length=1, max_length=len(EVENTS))] | None = None
    groups: Annotated[list[Group], Field(max_length=50)] | None = None
    severity: Severity | None = None
    enabled: bool | None = None


class RotateBody(Body):
    """For `keepSeconds` messages are signed with the old secret too."""

    keepSeconds: Annotated[int, Field(ge=0, le=KEEP_SECONDS_MAX)] = 86_400


class PersonBody(Body):
    """`address`: a Slack user's id, or a mailbox."""

    address: Line
    keyId: uuid.UUID


class PeopleBody(Body):
    people: Annotated[list[PersonBody], Field(max_length=PEOPLE_COUNT_MAX)]


class DeliveriesQuery(Query):
    status: DeliveryStatus | None = None
    channelId: uuid.UUID | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class RecordsView(View):
    kinds: list[str]
    effects: list[str]


class WebhookView(View):
    """`records`: which ones it wants of them, null for all."""

    url: str
    records: RecordsView | None


class SlackView(View):
    channel: str
    callbackPath: str


class EmailView(View):
    host: str
    port: int
    security: str
    sender: str
    username: str | None


class ChannelView(View):
    channelId: Id
    name: str
    kind: Literal["webhook", "slack", "email"]
    webhook: WebhookView | None
    slack: SlackView | None
    email: EmailView | None
    events: list[str]
    groups: list[str]
    severity: str | None
    enabled: bool
    createdAt: At
    changedAt: At


class ChannelAnswer(View):
    channel: ChannelView


class MadeChannelAnswer(View):
    """`signingSecret` is told this once, where it was made."""

    channel: ChannelView
    signingSecret: str | None


class ChannelsAnswer(View):
    channels: list[ChannelView]


class RotatedAnswer(View):
    signingSecret: str


class PersonView(View):
    address: str
    keyId: Id
    name: str
    groups: list[str]


class PeopleAnswer(View):
    people: list[PersonView]


class TestedView(View):
    recipient: str | None
    delivered: bool
    problem: str | None


class TestedAnswer(View):
    results: list[TestedView]


class DeliveryView(View):
    """`recipientKeyId`: by e-mail, whose mail it is."""

    deliveryId: Id
    channelId: Id
    recipientKeyId: Id | None
    event: str
    kind: str
    subjectId: str
    status: DeliveryStatus
    attempts: int
    dueAt: At
    problem: str | None
    happenedAt: At
    createdAt: At
    endedAt: At | None


class DeliveryAnswer(View):
    delivery: DeliveryView


class DeliveriesAnswer(View):
    deliveries: list[DeliveryView]
    nextCursor: str | None
