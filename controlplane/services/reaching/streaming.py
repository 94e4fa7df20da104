"""Sends records on as they come: to webhook channels that ask for them, and to a collector.

At least once, in order, each destination by itself: its place in the database moves when the other
side has said that it took a batch, so a crash sends some again under the same ids and loses none.
What waits is the records table itself, so nothing piles up anywhere else; a destination that is
away is tried again for as long as it is wanted, and how far it is behind is shown.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from controlplane.auth import Caller
from controlplane.faults import ControlFault
from controlplane.notify.backoff import ATTEMPTS_MAX, pause_after
from controlplane.notify.notice import RECORDS_EVENT, NotSent, Outcome, Sent
from controlplane.notify.otlp import OtlpAt, send_logs
from controlplane.notify.record_batch import SentRecord, batch_body, batch_id
from controlplane.notify.webhook import post_signed
from controlplane.services.reaching.sending import ChannelSender, Outside
from controlplane.store.channels import ChannelStore
from controlplane.store.streams import OTLP, StreamClaim, StreamRecord, StreamState, StreamStore
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics
from gateway.process.tasks import end_tasks, wait_at_most

log = logging.getLogger(__name__)

COUNTED_MAX: Final = 10_000
"""Of what waits: beyond it, it is so many or more."""

WEBHOOK: Final = "webhook"


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """`poll_seconds`: how long a record waits for others at the most. `batch_bytes_max` of lines:
    receivers take a megabyte; a single longer line is a batch. `lease_seconds` is longer than any
    sending takes. `in_flight_max`: destinations that hang hold up only themselves."""

    poll_seconds: float = 1.0
    batch_count_max: int = 200
    batch_bytes_max: int = 512 * 1024
    lease_seconds: float = 60.0
    in_flight_max: int = 16
    measure_seconds: float = 15.0


class StreamService:
    """`otlp` None: there is no collector."""

    def __init__(
        self,
        store: StreamStore,
        channels: ChannelStore,
        sender: ChannelSender,
        outside: Outside,
        otlp: OtlpAt | None,
        metrics: Metrics,
        settings: StreamSettings,
    ) -> None:
        self._store = store
        self._channels = channels
        self._sender = sender
        self._outside = outside
        self._otlp = otlp
        self._metrics = metrics
        self._settings = settings
        self._running: set[asyncio.Task[None]] = set()
        self._done = asyncio.Event()
        self._measured_at = 0.0

    async def states(self, caller: Caller) -> Sequence[StreamState]:
        """Each destination of the caller's records, and how far behind it is."""
        return await self._store.behind(caller.tenant_id, COUNTED_MAX, RECORDS_EVENT)

    async def run_forever(self) -> None:
        """Send what there is, for as long as the control plane runs."""
        try:
            while True:
                self._done.clear()
                await self._take()
                await wait_at_most(self._done, self._settings.poll_seconds)
        finally:
            await end_tasks(self._running)

    async def _take(self) -> None:
        settings = self._settings
        everywhere = None if self._otlp is None else OTLP
        room = settings.in_flight_max - len(self._running)
        if room <= 0:
            return
        try:
            with acting_for_everybody():
                await self._store.begin(RECORDS_EVENT, everywhere)
                claims = await self._store.claim(
                    RECORDS_EVENT, everywhere, room, settings.lease_seconds
                )
                await self._measure()
        except ControlFault as fault:
            log.warning("streams can't be read", extra={"code": fault.code})
            return
        except Exception:
            log.exception("claiming streams failed")
            self._metrics.bugs.inc()
            return
        for claim in claims:
            task = asyncio.create_task(self._handle(claim), name="stream")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured_at < self._settings.measure_seconds:
            return
        self._measured_at = now
        oldest = await self._store.oldest(RECORDS_EVENT)
        for sort in (OTLP, WEBHOOK):
            self._metrics.stream_lag.labels(sort).set(oldest.get(sort, 0.0))

    async def _handle(self, claim: StreamClaim) -> None:
        sort = OTLP if claim.destination == OTLP else WEBHOOK
        try:
            with acting_for(claim.tenant_id):
                outcome, through, count = await self._send(claim)
                if isinstance(outcome, NotSent):
                    await self._put_off(claim, sort, outcome)
                    return
                await self._store.settle(claim, through)
            self._metrics.streamed.labels(sort, "sent").inc(count)
            self._done.set()
        except ControlFault as fault:
            # The lease ends by itself, and it is tried again.
            log.warning("a stream was not moved", extra={"code": fault.code})
        except Exception:
            log.exception("a stream failed")
            self._metrics.bugs.inc()

    async def _send(self, claim: StreamClaim) -> tuple[Outcome, int, int]:
        """Send the next batch: what became of it, through which record, and how many."""
        settings = self._settings
        # A batch that was refused is halved each time: its size, or one of them, may be why.
        count_max = max(1, settings.batch_count_max >> (claim.attempts - 1))
        rows = await self._store.batch(claim, count_max, settings.batch_bytes_max)
        if not rows:
            return Sent(), claim.record_id, 0
        # One that nobody takes is in the end sent without its words, so that it stops nothing.
        is_bare = claim.attempts > ATTEMPTS_MAX
        if claim.destination == OTLP:
            outcome = await self._to_collector(claim, [_sent(row, is_bare) for row in rows])
            return outcome, rows[-1].record_id, len(rows)
        channel = await self._channels.get(claim.tenant_id, uuid.UUID(claim.destination))
        if channel is None:
            return NotSent("the channel was removed"), claim.record_id, 0
        wanted = [row for row in rows if _is_wanted(row, channel.plan.settings)]
        if not wanted:
            return Sent(), rows[-1].record_id, 0
        now = self._outside.now()
        try:
            at = self._sender.webhook_at(channel, now)
        except ControlFault as fault:
            return NotSent(fault.message), claim.record_id, 0
        records = [_sent(row, is_bare) for row in wanted]
        body = batch_body(claim.tenant_id, records)
        message_id = batch_id(claim.destination, records)
        outcome = NotSent("it took too long")
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.lease_seconds / 2):
                outcome = await post_signed(at, message_id, body, self._outside.guard, now)
        return outcome, rows[-1].record_id, len(wanted)

    async def _to_collector(self, claim: StreamClaim, records: Sequence[SentRecord]) -> Outcome:
        assert self._otlp is not None, "it is claimed only where there is one"
        outcome = await send_logs(self._otlp, claim.tenant_id, records)
        if isinstance(outcome, Sent) and outcome.reference is not None:
            log.warning("the collector dropped records", extra={"count": outcome.reference})
            self._metrics.streamed.labels(OTLP, "dropped").inc(int(outcome.reference))
        return outcome

    async def _put_off(self, claim: StreamClaim, sort: str, outcome: NotSent) -> None:
        pause = pause_after(
            min(claim.attempts, ATTEMPTS_MAX - 1),
            random.random(),  # noqa: S311 - jitter, no secret
            outcome.retry_after_seconds,
        )
        assert pause is not None, "a stream is never given up"
        self._metrics.streamed.labels(sort, "failed").inc()
        if claim.attempts == 1:
            log.warning("records are not taken", extra={"detail": f"{sort}: {outcome.problem}"})
        await self._store.put_off(claim, pause, outcome.problem)


def _is_wanted(row: StreamRecord, settings: Mapping[str, Any]) -> bool:
    """Whether a channel asked for it; without a filter it asks for all."""
    wanted = settings.get("records") or {}
    kinds, effects = wanted.get("kinds"), wanted.get("effects")
    if kinds and row.kind not in kinds:
        return False
    # What has no effect of its own, such as an outcome, is not left out by one.
    return not effects or row.effect is None or row.effect in effects


def _sent(row: StreamRecord, is_bare: bool) -> SentRecord:
    """A line was accepted without a look at its fields, so each may be anything."""
    line = None if is_bare else row.line
    try:
        fields = json.loads(line) if line is not None else None
    except (ValueError, RecursionError):
        fields = None
    return SentRecord(
        row.record_id,
        row.gateway_id,
        row.seq,
        row.hash,
        row.kind,
        row.effect,
        line,
        fields if isinstance(fields, dict) else None,
        row.received_at.astimezone(UTC),
        row.line is None,
    )


def lag_seconds(state: StreamState, now: datetime) -> float:
    """For how long the oldest record that was not sent waits."""
    return 0.0 if state.oldest_at is None else max(0.0, (now - state.oldest_at).total_seconds())
