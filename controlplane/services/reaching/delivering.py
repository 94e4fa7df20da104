"""Sends deliveries: claims what is due, sends it, writes down what became of it.

At least once: a sender that dies between sending and writing leaves a delivery that is sent again,
under the same id. Failures are tried again with longer and longer pauses; then the delivery is dead
until a person sends it again. Nothing here is waited for by anybody who asks or answers.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections import Counter
from contextlib import suppress

from controlplane.faults import ControlFault
from controlplane.notify.audience import is_news_for_people
from controlplane.notify.backoff import pause_after
from controlplane.notify.notice import ASKING, Notice, NotSent, Outcome, Sent
from controlplane.services.reaching.notifications import NotificationSettings, ReadSubject
from controlplane.services.reaching.sending import ChannelSender, Outside
from controlplane.store.channels import ChannelKind, ChannelRow, ChannelStore, PersonRow
from controlplane.store.deliveries import DeliveryRow, DeliveryStore
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics
from gateway.model.delivery import DeliveryStatus
from gateway.process.tasks import end_tasks, wait_at_most

log = logging.getLogger(__name__)

LEASE_MARGIN_SECONDS = 5.0
"""A sending is given up so long before its lease ends, so that two never send at once."""


class DeliveryWorker:
    """`made` wakes it before its next look."""

    def __init__(
        self,
        channels: ChannelStore,
        deliveries: DeliveryStore,
        sender: ChannelSender,
        outside: Outside,
        read_subject: ReadSubject,
        made: asyncio.Event,
        metrics: Metrics,
        settings: NotificationSettings,
    ) -> None:
        self._channels = channels
        self._deliveries = deliveries
        self._sender = sender
        self._outside = outside
        self._read_subject = read_subject
        self._made = made
        self._metrics = metrics
        self._settings = settings
        self._busy: Counter[uuid.UUID] = Counter()
        self._running: set[asyncio.Task[None]] = set()

    async def run_forever(self) -> None:
        """Send what is due, for as long as the control plane runs."""
        try:
            while True:
                self._made.clear()
                took = await self._take()
                if not took:
                    await wait_at_most(self._made, self._settings.poll_seconds)
        finally:
            await end_tasks(self._running)

    async def _take(self) -> bool:
        """Claim what there is room for, and begin to send it; whether there was something."""
        settings = self._settings
        room = settings.in_flight_max - len(self._running)
        if room <= 0:
            return False
        full = settings.in_flight_max_per_channel
        busy = [channel_id for channel_id, count in self._busy.items() if count >= full]
        try:
            with acting_for_everybody():
                claimed = await self._deliveries.claim(busy, full, room, settings.lease_seconds)
        except ControlFault as fault:
            log.warning("deliveries can't be read", extra={"code": fault.code})
            return False
        except Exception:
            log.exception("claiming deliveries failed")
            self._metrics.bugs.inc()
            return False
        for delivery in claimed:
            self._busy[delivery.new.channel_id] += 1
            task = asyncio.create_task(self._handle(delivery), name="delivery")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return bool(claimed)

    async def _handle(self, delivery: DeliveryRow) -> None:
        try:
            with acting_for(delivery.new.tenant_id):
                try:
                    await self._deliver(delivery)
                except ControlFault:
                    raise
                except Exception:
                    # Tried again like any other failure, and dead in the end.
                    log.exception("a delivery failed")
                    self._metrics.bugs.inc()
                    problem = NotSent("it could not be made; see the control plane's log")
                    await self._fail(delivery, problem, "(unknown)")
        except ControlFault as fault:
            # The lease ends by itself, and it is tried again.
            log.warning("a delivery was not written down", extra={"code": fault.code})
        finally:
            self._busy[delivery.new.channel_id] -= 1
            if not self._busy[delivery.new.channel_id]:
                del self._busy[delivery.new.channel_id]
            self._made.set()

    async def _deliver(self, delivery: DeliveryRow) -> None:
        new = delivery.new
        channel = await self._channels.get(new.tenant_id, new.channel_id)
        if channel is None:
            await self._deliveries.settle(delivery, DeliveryStatus.DEAD, "the channel was removed")
            return
        subject = await self._read_subject(new.tenant_id, new.kind, new.subject_id)
        if subject is None:
            await self._skip(channel, delivery, "it is not there any more")
            return
        is_for_people = channel.plan.kind is not ChannelKind.WEBHOOK
        if is_for_people and not is_news_for_people(new.event, subject):
            await self._skip(channel, delivery, "it was answered before")
            return
        notice = Notice(
            delivery.delivery_id,
            new.event,
            new.happened_at,
            new.kind,
            new.subject_id,
            subject,
            self._open_url(new.kind, new.subject_id),
        )
        person: PersonRow | None = None
        if channel.plan.kind is ChannelKind.EMAIL:
            person = await self._person(channel, new.recipient)
            if person is None:
                await self._skip(channel, delivery, "this person is not reached here any more")
                return
        references = await self._references(channel, delivery)
        if references is None:
            await self._skip(channel, delivery, "there is no message to change")
            return
        outcome: Outcome = NotSent("it took too long")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.lease_seconds - LEASE_MARGIN_SECONDS):
                outcome = await self._sender.send(channel, notice, person, references)
        await self._write_down(channel, delivery, outcome, is_change=bool(references))

    async def _write_down(
        self, channel: ChannelRow, delivery: DeliveryRow, outcome: Outcome, *, is_change: bool
    ) -> None:
        kind = channel.plan.kind
        if isinstance(outcome, Sent):
            # A message that was changed is known by the delivery that posted it.
            reference = None if is_change else outcome.reference
            await self._deliveries.settle(delivery, DeliveryStatus.DELIVERED, reference=reference)
            self._metrics.deliveries.labels(kind, "delivered").inc()
            return
        await self._fail(delivery, outcome, kind)

    async def _fail(self, delivery: DeliveryRow, outcome: NotSent, kind: str) -> None:
        """Try again later, or give up."""
        pause = pause_after(
            delivery.attempts,
            random.random(),  # noqa: S311 - jitter, no secret
            outcome.retry_after_seconds,
        )
        if outcome.is_final or pause is None:
            await self._deliveries.settle(delivery, DeliveryStatus.DEAD, outcome.problem)
            self._metrics.deliveries.labels(kind, "dead").inc()
            log.warning("a delivery is dead", extra={"detail": f"{kind}: {outcome.problem}"})
            return
        await self._deliveries.put_off(delivery, pause, outcome.problem)
        self._metrics.deliveries.labels(kind, "failed").inc()

    async def _skip(self, channel: ChannelRow, delivery: DeliveryRow, why: str) -> None:
        await self._deliveries.settle(delivery, DeliveryStatus.SKIPPED, why)
        self._metrics.deliveries.labels(channel.plan.kind, "skipped").inc()

    async def _person(self, channel: ChannelRow, key_id: str) -> PersonRow | None:
        people = await self._channels.people(channel.tenant_id, channel.channel_id)
        return next((person for person in people if str(person.key_id) == key_id), None)

    async def _references(
        self, channel: ChannelRow, delivery: DeliveryRow
    ) -> tuple[str, ...] | None:
        """The messages that are to be changed; none where a new one is to be posted; None where
        there is neither to do."""
        new = delivery.new
        if channel.plan.kind is not ChannelKind.SLACK or new.kind != "approval":
            return ()
        if new.event in ASKING:
            return ()
        found = await self._deliveries.references_of(new.tenant_id, new.channel_id, new.subject_id)
        if not found and new.event not in channel.plan.events:
            return None
        return tuple(found)

    def _open_url(self, kind: str, subject_id: str) -> str:
        folder = {"approval": "approvals", "incident": "incidents"}.get(kind)
        base = self._outside.public_url()
        return f"{base}/dashboard/{folder}/{subject_id}" if folder and base else ""
