"""Carries the spool's lines to the control plane: in order, at least once, as far as it goes.

The position moves only on the control plane's word. A control plane that lacks older records is
sent them again; one that holds *other* records under the same seqs is an incident: shipping
stops, loudly, because one of the two copies was tampered with.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from enum import StrEnum
from typing import Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.retry import pauses
from gateway.control_client.settings import ControlSettings
from gateway.model.errors import ControlPlaneError
from gateway.process.tasks import end_tasks, wait_at_most
from gateway.record.recorder import Recorder
from gateway.record.signed_heads import SignedHeads

log = logging.getLogger(__name__)

_LOG_EVERY: Final = 20
"""One of so many failures in a row is logged: an outage is one event, not a thousand lines."""


class Alarm(StrEnum):
    """Why the control plane's copy can't be completed."""

    GAP = "RECORD_GAP"
    CONFLICT = "RECORD_CONFLICT"
    AHEAD = "RECORD_AHEAD"


class RecordShipper:
    """One task beside the recorder. `start` it, `stop` it."""

    def __init__(
        self,
        client: ControlPlaneClient,
        recorder: Recorder,
        heads: SignedHeads,
        settings: ControlSettings,
    ) -> None:
        self._client = client
        self._settings = settings
        self._recorder = recorder
        self._heads = heads
        self._spool = recorder.spool
        self._task: asyncio.Task[None] | None = None
        self._position = self._spool.acknowledged_seq
        self._caught_up = asyncio.Event()
        self._hurry = asyncio.Event()
        self.alarm: Alarm | None = None
        """What is wrong between both copies; None while they agree."""

    async def start(self) -> None:
        """Begin to ship from the last acknowledged position."""
        self._task = asyncio.create_task(self._run(), name="record-shipper")

    async def drain(self, seconds_max: float) -> bool:
        """Wait until everything durable is shipped, at most `seconds_max`; whether it is. From now
        on nothing is gathered first."""
        self._hurry.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while self._position < self._spool.last_seq and not self._has_stopped:
                    self._caught_up.clear()
                    await self._caught_up.wait()
        return self._position >= self._spool.last_seq

    async def stop(self) -> None:
        """Ship what is there, for a moment; what is left waits in the spool for the next start."""
        if self._task is not None:
            await self.drain(self._settings.ship_drain_seconds_max)
            await end_tasks([self._task])

    @property
    def _backlog(self) -> int:
        """Durable records that the control plane has not."""
        return max(0, self._spool.last_seq - self._position)

    @property
    def _has_stopped(self) -> bool:
        return self.alarm in (Alarm.CONFLICT, Alarm.AHEAD)

    # --- the task ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Ship for ever, until an alarm. Nothing else ends this: a copy that lags must not look
        complete."""
        settings = self._settings
        waits = pauses(settings.retry_seconds_max)
        failures = 0
        while not self._has_stopped:
            self._recorder.grown.clear()
            telemetry.SPOOL_BACKLOG.set(self._backlog)
            if not self._backlog:
                self._caught_up.set()
                await self._recorder.grown.wait()
            if self._backlog < settings.ship_records_max:
                # A batch costs a signature, a request and a sync, however small it is.
                await wait_at_most(self._hurry, settings.ship_gather_seconds)
                if not self._backlog:
                    continue
            try:
                await self._ship_batch()
            except (ControlPlaneError, OSError) as error:
                if failures % _LOG_EVERY == 0:
                    log.warning("records not shipped", extra={"code": _code(error)})
                failures += 1
                await asyncio.sleep(next(waits))
                continue
            except Exception:
                log.exception("shipping records failed")
                telemetry.BUGS.inc()
                await asyncio.sleep(next(waits))
                continue
            failures = 0
            waits = pauses(settings.retry_seconds_max)
        self._caught_up.set()

    async def _ship_batch(self) -> None:
        spool = self._spool
        lines, head = await asyncio.to_thread(self._read_batch)
        try:
            accepted = await self._client.ship_records(spool.gateway_id, lines, head)
        except Rejected as error:
            self._rejected(error)
            return
        if accepted > spool.last_seq:
            self._raise_alarm(Alarm.AHEAD, accepted)
            return
        if accepted <= self._position:
            raise ControlPlaneError("control.unreadable", "the control plane accepted nothing")
        await self._advance(accepted)

    def _read_batch(self) -> tuple[list[bytes], str]:
        """The next lines, and the signed head of the last of them. For a thread."""
        settings, position = self._settings, self._position
        lines = self._spool.read(position, settings.ship_records_max, settings.ship_bytes_max)
        if not lines:
            raise OSError("the spool lacks records that it should have")
        return lines, self._heads.sign_batch(position + len(lines), lines[-1])

    async def _advance(self, accepted: int) -> None:
        self._position = accepted
        if self.alarm is Alarm.GAP:
            self.alarm = None
        await asyncio.to_thread(self._spool.acknowledge, accepted)

    def _rejected(self, error: Rejected) -> None:
        """Act on what the control plane says about its own copy; raise what is only a failure."""
        match error.reason:
            case Alarm.CONFLICT:
                self._raise_alarm(Alarm.CONFLICT, self._position + 1)
            case Alarm.GAP if error.expected_seq is not None:
                self._rewind(error)
            case _:
                raise error

    def _rewind(self, error: Rejected) -> None:
        expected = error.expected_seq
        assert expected is not None
        if self._spool.first_seq <= expected <= self._position:
            log.warning("the control plane lacks records; sending again", extra={"count": expected})
            self._position = expected - 1
            return
        if self.alarm is not Alarm.GAP:
            self._raise_alarm(Alarm.GAP, expected)
        raise error

    def _raise_alarm(self, alarm: Alarm, seq: int) -> None:
        self.alarm = alarm
        telemetry.RECORD_ALARMS.labels(alarm.value).inc()
        log.error(
            "the control plane's record and ours do not agree",
            extra={"code": alarm.value, "count": seq},
        )


def _code(error: ControlPlaneError | OSError) -> str:
    if isinstance(error, ControlPlaneError):
        return error.code
    return os.strerror(error.errno) if error.errno else "spool.unreadable"
