"""Makes deliveries of events: reads what happened, and writes down who is to hear of it.

INVARIANT(once-per-channel): the cursor moves in the transaction that stores the deliveries, and the
table takes each event once for each channel and recipient; so a replica that is killed here loses
nothing, and two of them say nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.faults import ControlFault
from controlplane.notify.audience import (
    Wish,
    is_for,
    is_news_for_people,
    may_be_answered_by,
)
from controlplane.notify.notice import ASKING, EVENT_OF
from controlplane.services.sweeping import sweep_forever
from controlplane.store.callbacks import CallbackStore
from controlplane.store.channels import ChannelKind, ChannelRow, ChannelStore
from controlplane.store.deliveries import DeliveryStore, NewDelivery
from controlplane.store.events import EventRow, EventStore
from controlplane.store.tenancy import acting_for
from controlplane.telemetry import Metrics

log = logging.getLogger(__name__)

ReadSubject = Callable[[uuid.UUID, str, str], Awaitable[Mapping[str, Any] | None]]
"""Tenant, kind and id -> the thing as the API shows it; None when it is not there."""


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """`poll_seconds`: how late a person may hear of something. A wake-up would save half of it and
    has to be missed safely anyway. `lease_seconds` is longer than any sending takes.

    `in_flight_max_per_channel` of `in_flight_max`: a receiver that hangs holds up only itself, and
    all channels of one tenant together leave room for the others'.
    """

    poll_seconds: float = 0.5
    event_count_max: int = 200
    tenant_count_max: int = 100
    lease_seconds: float = 60.0
    in_flight_max: int = 128
    in_flight_max_per_channel: int = 2
    keep_days: int = 30
    callback_seconds: float = 900.0
    forget_count_max: int = 1_000
    forget_seconds: float = 60.0


class NotificationService:
    """`made` is set whenever there are new deliveries."""

    def __init__(
        self,
        channels: ChannelStore,
        events: EventStore,
        deliveries: DeliveryStore,
        callbacks: CallbackStore,
        read_subject: ReadSubject,
        metrics: Metrics,
        settings: NotificationSettings,
    ) -> None:
        self._channels = channels
        self._events = events
        self._deliveries = deliveries
        self._callbacks = callbacks
        self._read_subject = read_subject
        self._metrics = metrics
        self._settings = settings
        self.made = asyncio.Event()

    async def run_forever(self) -> None:
        """Look for news again and again."""
        pause_seconds = self._settings.poll_seconds

        async def look() -> float:
            is_full = await self.make_deliveries()
            return 0.0 if is_full else pause_seconds

        await sweep_forever(look, pause_seconds, self._metrics)

    async def forget_forever(self) -> None:
        """Delete what nobody needs any more."""
        settings = self._settings

        async def forget() -> float:
            days, count_max = settings.keep_days, settings.forget_count_max
            await self._deliveries.forget(days, count_max)
            await self._callbacks.forget(settings.callback_seconds, days, count_max)
            is_full = await self._events.forget(days, count_max) >= count_max
            # A full hand means that more is waiting.
            return 0.1 if is_full else settings.forget_seconds

        await sweep_forever(forget, settings.forget_seconds, self._metrics)

    async def make_deliveries(self) -> bool:
        """Take one turn for every tenant with news; whether one of them has more."""
        has_more = False
        for tenant_id in await self._deliveries.tenants_with_news(self._settings.tenant_count_max):
            with acting_for(tenant_id):
                has_more |= await self._turn(tenant_id)
        return has_more

    async def _turn(self, tenant_id: uuid.UUID) -> bool:
        async with self._deliveries.turn(tenant_id) as turn:
            if turn is None:
                return False
            count_max = self._settings.event_count_max
            events = await self._events.after(tenant_id, turn.cursor, count_max)
            if not events:
                return False
            channels = [one for one in await self._channels.list(tenant_id) if one.plan.enabled]
            made: list[NewDelivery] = []
            for event in events:
                made += await self._safely_of(tenant_id, channels, event)
            await turn.move(made, events[-1].cursor)
        if made:
            self.made.set()
        return len(events) == count_max

    async def _safely_of(
        self, tenant_id: uuid.UUID, channels: Sequence[ChannelRow], event: EventRow
    ) -> list[NewDelivery]:
        """A bug in showing one thing must not end the news of all others."""
        try:
            return await self._deliveries_of(tenant_id, channels, event)
        except ControlFault:
            raise
        except Exception:
            log.exception("an event can't be told", extra={"detail": event.kind})
            self._metrics.bugs.inc()
            return []

    async def _deliveries_of(
        self, tenant_id: uuid.UUID, channels: Sequence[ChannelRow], event: EventRow
    ) -> list[NewDelivery]:
        name = EVENT_OF.get((event.kind, event.change))
        if name is None or not channels:
            return []
        subject = await self._read_subject(tenant_id, event.kind, event.subject_id)
        if subject is None:
            return []
        return [
            NewDelivery(
                tenant_id,
                channel.channel_id,
                recipient,
                event.cursor.event_seq,
                name,
                event.kind,
                event.subject_id,
                event.at,
            )
            for channel in channels
            if is_for(wish_of(channel), name, subject)
            for recipient in await self._recipients(channel, name, subject)
        ]

    async def _recipients(
        self, channel: ChannelRow, name: str, subject: Mapping[str, Any]
    ) -> Sequence[str]:
        """The keys of those who get a mail; one nameless recipient elsewhere."""
        if channel.plan.kind is ChannelKind.WEBHOOK:
            return ("",)
        if not is_news_for_people(name, subject):
            return ()
        if channel.plan.kind is ChannelKind.SLACK:
            return ("",)
        people = await self._channels.people(channel.tenant_id, channel.channel_id)
        keys = (
            str(person.key_id)
            for person in people
            if name not in ASKING or may_be_answered_by(subject, person.name, person.groups)
        )
        return tuple(dict.fromkeys(keys))


def wish_of(channel: ChannelRow) -> Wish:
    """What a channel wants to hear. Slack's messages are changed when things change."""
    plan = channel.plan
    return Wish(plan.events, plan.groups, plan.severity, plan.kind is ChannelKind.SLACK)
