"""Adds, changes, tries and removes the channels on which people are reached.

A channel's secrets come in and never go out again; a webhook's signing secret is told once, when it
is made. Only administrators change channels: whoever says which Slack user is which person could
answer as them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.mail_message import parse_mailbox
from controlplane.notify.notice import TEST_EVENT, Notice, Outcome, Sent
from controlplane.notify.outbound import OutboundGuard
from controlplane.notify.smtp import SmtpSecurity
from controlplane.notify.standard_webhooks import make_secret
from controlplane.notify.webhook import url_problem
from controlplane.services.reaching.sending import ChannelSender, rotated, utc_now
from controlplane.services.secret_box import SecretBox
from controlplane.store.channels import (
    ChannelKind,
    ChannelPlan,
    ChannelRow,
    ChannelStore,
    PersonRow,
)
from controlplane.store.deliveries import DeliveryRow, DeliveryStore
from controlplane.telemetry import Metrics
from gateway.model.codec import JsonValue
from gateway.model.delivery import DeliveryStatus

CHANNEL_COUNT_MAX = 50
"""Of one tenant. Every event is looked at for each of them."""

PEOPLE_COUNT_MAX = 500

SECRET_LENGTH_MAX = 500
URL_LENGTH_MAX = 2048

CHANNEL_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
SLACK_CHANNEL = re.compile(r"^[A-Z0-9]{2,32}$")
HOST = re.compile(r"^[A-Za-z0-9.:_-]{1,253}$")

TEST_RECIPIENTS_MAX = 10
"""Of a test of e-mail: they are tried one after the other while the caller waits."""


@dataclass(frozen=True, slots=True)
class ChannelDraft:
    """What somebody wants a channel to be. `secrets` None: as they are, or none. Checked by
    whoever made it of a request."""

    name: str
    kind: ChannelKind
    settings: Mapping[str, JsonValue]
    secrets: Mapping[str, str] | None = field(repr=False)
    events: tuple[str, ...]
    groups: tuple[str, ...] = ()
    severity: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a test, for each recipient; `recipient` is empty where there is only one."""

    recipient: str
    outcome: Outcome


class ChannelService:
    def __init__(
        self,
        store: ChannelStore,
        deliveries: DeliveryStore,
        box: SecretBox,
        sender: ChannelSender,
        guard: OutboundGuard,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._box = box
        self._sender = sender
        self._guard = guard
        self._metrics = metrics

    async def add(self, tenant_id: uuid.UUID, draft: ChannelDraft) -> tuple[ChannelRow, str | None]:
        """Add it; the channel, and the signing secret that was made for a webhook without one.

        Raises:
            ControlFault: INVALID_ARGUMENT, CHANNELS_FULL, CHANNEL_EXISTS, CHANNEL_NO_KEY.
        """
        self._check(draft)
        if await self._store.count(tenant_id) >= CHANNEL_COUNT_MAX:
            raise ControlFault(
                Fault.CHANNELS_FULL, f"there are {CHANNEL_COUNT_MAX} channels; remove one"
            )
        channel_id = uuid.uuid4()
        made: str | None = None
        secrets: Mapping[str, JsonValue] = dict(draft.secrets or {})
        if draft.kind is ChannelKind.WEBHOOK:
            given = (draft.secrets or {}).get("signingSecret")
            made = None if given else make_secret()
            secrets = rotated({}, given or made or "", utc_now(), 0)
        sealed = self._box.seal(channel_id, secrets) if secrets else None
        row = await self._store.insert(tenant_id, channel_id, _plan(draft, sealed))
        if row is None:
            raise _exists()
        return row, made

    async def change(
        self, caller: Caller, channel_id: uuid.UUID, draft: ChannelDraft
    ) -> ChannelRow:
        """Make it what the draft says; the kind stays.

        Raises:
            ControlFault: NOT_FOUND, INVALID_ARGUMENT, CHANNEL_EXISTS, CHANNEL_NO_KEY.
        """
        self._check(draft)
        present = await self.get(caller, channel_id)
        sealed = present.plan.secrets
        if sealed and not draft.secrets and _goes_elsewhere(present.plan.settings, draft.settings):
            # Else whoever may change a channel could read its password, on a server of their own.
            raise ControlFault(
                Fault.INVALID_ARGUMENT, "`email.password`: give it again for another server"
            )
        if draft.secrets:
            secrets: Mapping[str, JsonValue] = dict(draft.secrets)
            if draft.kind is ChannelKind.WEBHOOK:
                secrets = rotated({}, draft.secrets["signingSecret"], utc_now(), 0)
            sealed = self._box.seal(channel_id, secrets)
        row = await self._store.update(caller.tenant_id, channel_id, _plan(draft, sealed))
        if row is None:
            await self.get(caller, channel_id)
            raise _exists()
        return row

    async def rotate(self, caller: Caller, channel_id: uuid.UUID, keep_seconds: int) -> str:
        """Make a webhook a new signing secret; for `keep_seconds` the old one signs as well.

        Raises:
            ControlFault: NOT_FOUND, CHANNEL_UNFIT where it is no webhook, CHANNEL_SEALED.
        """
        row = await self.get(caller, channel_id)
        if row.plan.kind is not ChannelKind.WEBHOOK:
            raise ControlFault(Fault.CHANNEL_UNFIT, "only a webhook has a signing secret")
        secret = make_secret()
        opened = self._box.open(channel_id, row.plan.secrets)
        sealed = self._box.seal(channel_id, rotated(opened, secret, utc_now(), keep_seconds))
        plan = replace(row.plan, secrets=sealed)
        if await self._store.update(caller.tenant_id, channel_id, plan) is None:
            raise _not_found()
        return secret

    async def remove(self, caller: Caller, channel_id: uuid.UUID) -> ChannelRow:
        """Send nothing there any more, and forget its secrets.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = await self._store.remove(caller.tenant_id, channel_id)
        if row is None:
            raise _not_found()
        await self._deliveries.give_up(caller.tenant_id, channel_id)
        return row

    async def get(self, caller: Caller, channel_id: uuid.UUID) -> ChannelRow:
        """Read it.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = await self._store.get(caller.tenant_id, channel_id)
        if row is None:
            raise _not_found()
        return row

    async def list(self, caller: Caller) -> Sequence[ChannelRow]:
        """By name."""
        return await self._store.list(caller.tenant_id)

    async def people(self, caller: Caller, channel_id: uuid.UUID) -> Sequence[PersonRow]:
        """Who is reached there, and may answer from there.

        Raises:
            ControlFault: NOT_FOUND.
        """
        await self.get(caller, channel_id)
        return await self._store.people(caller.tenant_id, channel_id)

    async def set_people(
        self, caller: Caller, channel_id: uuid.UUID, people: Mapping[str, uuid.UUID]
    ) -> Sequence[PersonRow]:
        """Say anew which address is which person.

        Raises:
            ControlFault: NOT_FOUND, CHANNEL_UNFIT for a webhook, INVALID_ARGUMENT for a key that is
                no person's, and for what is no mailbox where mails are sent.
        """
        row = await self.get(caller, channel_id)
        if row.plan.kind is ChannelKind.WEBHOOK:
            raise ControlFault(Fault.CHANNEL_UNFIT, "a webhook reaches programs, not people")
        if row.plan.kind is ChannelKind.EMAIL:
            for address in people:
                try:
                    parse_mailbox(address)
                except ValueError as error:
                    raise ControlFault(Fault.INVALID_ARGUMENT, f"`people`: {error}") from None
        if not await self._store.set_people(caller.tenant_id, channel_id, people):
            raise ControlFault(
                Fault.INVALID_ARGUMENT, "`people`: each needs the id of a person's valid key"
            )
        return await self._store.people(caller.tenant_id, channel_id)

    async def test(self, caller: Caller, channel_id: uuid.UUID) -> Sequence[Tried]:
        """Send a test now, and say what became of it. Nothing is tried again.

        Raises:
            ControlFault: NOT_FOUND, CHANNEL_UNFIT for e-mail without people.
        """
        row = await self.get(caller, channel_id)
        people: Sequence[PersonRow | None] = [None]
        if row.plan.kind is ChannelKind.EMAIL:
            people = await self._store.people(caller.tenant_id, channel_id)
            if not people:
                raise ControlFault(
                    Fault.CHANNEL_UNFIT, "nobody is reached by this channel; name its people first"
                )
        notice = Notice(
            uuid.uuid4(),
            TEST_EVENT,
            utc_now(),
            "channel",
            str(channel_id),
            {"channelId": str(channel_id), "name": row.plan.name},
        )
        tried = []
        for person in people[:TEST_RECIPIENTS_MAX]:
            outcome = await self._sender.send(row, notice, person)
            result = "tested" if isinstance(outcome, Sent) else "test_failed"
            self._metrics.deliveries.labels(row.plan.kind, result).inc()
            tried.append(Tried("" if person is None else person.name, outcome))
        return tried

    async def deliveries(
        self,
        caller: Caller,
        channel_id: uuid.UUID | None,
        status: DeliveryStatus | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[DeliveryRow]:
        """What was sent, or not; newest first."""
        return await self._deliveries.list(caller.tenant_id, channel_id, status, before, count_max)

    async def resend(self, caller: Caller, delivery_id: uuid.UUID) -> DeliveryRow:
        """Send once more what has ended, under the same id.

        Raises:
            ControlFault: NOT_FOUND, DELIVERY_PENDING.
        """
        row = await self._deliveries.resend(caller.tenant_id, delivery_id)
        if row is not None:
            return row
        present = await self._deliveries.get(caller.tenant_id, delivery_id)
        if present is None:
            raise not_found("delivery")
        if present.status is DeliveryStatus.PENDING:
            raise ControlFault(Fault.DELIVERY_PENDING, "this delivery is still being tried")
        raise ControlFault(Fault.CHANNEL_UNFIT, "the channel of this delivery was removed")

    def _check(self, draft: ChannelDraft) -> None:
        """Refuse early what would never be sent; every sending looks again at where it leads."""
        settings = draft.settings
        problem: str | None = None
        if draft.kind is ChannelKind.WEBHOOK:
            problem = url_problem(str(settings["url"]), self._guard)
            problem = None if problem is None else f"`webhook.url`: {problem}"
        elif (
            draft.kind is ChannelKind.EMAIL
            and settings["security"] == SmtpSecurity.NONE
            and not self._guard.allows_plain(str(settings["host"]))
        ):
            problem = "`email.security`: without TLS only to hosts in CHECKREIN_WEBHOOK_ALLOW"
        if problem is not None:
            raise ControlFault(Fault.INVALID_ARGUMENT, problem)


def _plan(draft: ChannelDraft, sealed: bytes | None) -> ChannelPlan:
    return ChannelPlan(
        draft.name,
        draft.kind,
        draft.settings,
        sealed,
        draft.events,
        draft.groups,
        draft.severity,
        draft.enabled,
    )


def _goes_elsewhere(present: Mapping[str, JsonValue], wanted: Mapping[str, JsonValue]) -> bool:
    """Whether a password that is kept would be shown to another server, or by another way."""
    return any(present.get(name) != wanted.get(name) for name in ("host", "port", "security"))


def _not_found() -> ControlFault:
    return not_found("channel")


def _exists() -> ControlFault:
    return ControlFault(Fault.CHANNEL_EXISTS, "there is a channel of this name")
