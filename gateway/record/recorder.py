"""The durable record: entries from the event loop, one writer thread, one chain (`RecordSink`).

Entries are turned into fields at once and queue in the order of the calls. A batch is sealed only
when the thread is free to write it, from the head of what is durable; so what could not be written
is sealed again later, and the chain never has a gap nor a seq twice.

INVARIANT(acknowledged): `append_durably` returns only after the sync of its line; it raises only
when its line is not in the queue any more, so a refused act can't be recorded as intended later
(except when the disk, and not we, lost track: then the record says more than happened, never less).
INVARIANT(order): lines that nobody waits for go back to the front of the queue when a write
fails, in their order.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway import telemetry
from gateway.model.dataclass import dataclass
from gateway.model.errors import RecordError
from gateway.model.record import Entry, GatewayEntry, OutcomeEntry, TunnelEntry
from gateway.ports import Clock
from gateway.record.chain import seal
from gateway.record.line import Fields, fields_of
from gateway.record.segments import RECOVERED_EVENT
from gateway.record.spool import Spool, SpoolSettings, unwritable

log = logging.getLogger(__name__)

_BATCH_RECORDS_MAX: Final = 1_000
"""Lines of one write. More would hold the event loop while they are sealed."""

Waiter = asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Pending:
    """An entry that is not durable yet, and who waits for it. `is_probe`: made by a retry."""

    fields: Fields
    waiter: Waiter | None
    is_probe: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    pending: list[_Pending]
    data: bytes
    head: str


class Recorder:
    """The real `RecordSink`. `start` it in the event loop that appends; `close` it to flush."""

    def __init__(self, spool: Spool, clock: Clock, settings: SpoolSettings) -> None:
        self._spool = spool
        self._clock = clock
        self._settings = settings
        self._queue: deque[_Pending] = deque()
        self._in_flight: _Batch | None = None
        self._fault: RecordError | None = None
        self._refused = 0
        # Timers are armed once and looked at when they ring: to make and cancel one for every batch
        # costs more than the batch itself when few requests share it.
        self._flush_timer: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._handed_over_at = 0.0
        self._is_urgent = False
        self._is_closing = False
        self._jobs: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run_writer, name="record-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = asyncio.Event()
        self.grown = asyncio.Event()
        """Set whenever lines became durable; the shipper clears it."""
        self.on_flushed: Callable[[], None] | None = None
        """Called in a thread when the last line is durable, while the spool is still ours."""

    @property
    def spool(self) -> Spool:
        return self._spool

    @property
    def gateway_id(self) -> str:
        return self._spool.gateway_id

    @property
    def is_writable(self) -> bool:
        """Whether the last write succeeded; readiness depends on it."""
        return self._fault is None

    @classmethod
    def open(cls, directory: Path, settings: SpoolSettings, clock: Clock) -> Recorder:
        """Open the spool and start, in the running loop.

        Raises:
            RecordError: see `Spool.open`.
        """
        recorder = cls(Spool.open(directory, settings), clock, settings)
        recorder.start()
        return recorder

    def start(self) -> None:
        """Start the writer, and record what a run before this one left open."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        found = self._spool.recovered
        if found.torn_bytes:
            log.warning("cut a torn line off the record", extra={"count": found.torn_bytes})
        if found.open_intents:
            count = len(found.open_intents)
            log.warning("acts of the run before have no outcome", extra={"count": count})
            detail = f"{count} intents have no outcome; what became of them is unknown"
            self.append(GatewayEntry(self._clock.now(), RECOVERED_EVENT, detail))

    def append(self, entry: Entry) -> None:
        """See `RecordSink.append`. While the disk fails, what already happened (an outcome) is
        still taken into memory; what is only about to happen is refused."""
        self._admit(entry)
        self._queue.append(_Pending(fields_of(entry), None))
        if self._flush_timer is None and self._fault is None:
            self._arm_flush()

    async def append_durably(self, entry: Entry) -> None:
        """See `RecordSink.append_durably`."""
        if self._fault is not None:
            raise self._refusal(self._fault)
        self._admit(entry)
        assert self._loop is not None
        waiter = self._loop.create_future()
        self._queue.append(_Pending(fields_of(entry), waiter))
        if not self._is_urgent:
            self._is_urgent = True
            if self._in_flight is None:
                # Not at once: entries of the same turn of the loop share one sync.
                self._loop.call_soon(self._flush)
        await waiter

    async def close(self, seconds_max: float = 5.0) -> None:
        """Write what is queued, for at most `seconds_max`, and give the spool back."""
        self._is_closing = True
        if self._loop is None:
            self._spool.close()
            return
        if self._queue or self._in_flight is not None:
            self._idle.clear()
            if self._in_flight is None:
                self._loop.call_soon(self._flush)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds_max):
                    await self._idle.wait()
        if self._queue:
            log.error("entries lost at shutdown", extra={"count": len(self._queue)})
        for handle in (self._flush_timer, self._deadline):
            if handle is not None:
                handle.cancel()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, seconds_max)
        if not self._thread.is_alive():
            if self.on_flushed is not None:
                await asyncio.to_thread(self.on_flushed)
            self._spool.close()

    # --- admitting --------------------------------------------------------------------------------

    def _admit(self, entry: Entry) -> None:
        settings = self._settings
        if self._is_closing:
            raise RecordError("record.closed", "the gateway is stopping")
        if len(self._queue) >= settings.backlog_records_max:
            raise RecordError("record.spool_full", "too many records wait for the disk")
        if self._fault is None and self._spool.size_bytes < settings.spool_bytes_max:
            return
        if isinstance(entry, OutcomeEntry) or (isinstance(entry, TunnelEntry) and entry.closed):
            return
        if self._fault is not None:
            raise self._refusal(self._fault)
        raise RecordError(
            "record.spool_full", "the spool is full and the control plane takes no records"
        )

    def _refusal(self, fault: RecordError) -> RecordError:
        self._refused += 1
        return RecordError(fault.code, fault.message)

    # --- writing ----------------------------------------------------------------------------------

    def _arm_flush(self) -> None:
        """See that what nobody waits for is written in time, or sooner."""
        assert self._loop is not None
        seconds = self._settings.flush_seconds_max
        self._flush_timer = self._loop.call_later(seconds, self._flush_in_time)

    def _flush_in_time(self) -> None:
        self._flush_timer = None
        if self._in_flight is None and self._fault is None and self._queue:
            self._flush()

    def _flush(self) -> None:
        """Hand the queue to the writer, sealed; nothing if the writer is busy."""
        if self._in_flight is not None:
            return
        batch = self._seal_batch()
        if batch is None:
            self._is_urgent = False
            self._idle.set()
            return
        assert self._loop is not None
        self._in_flight = batch
        self._is_urgent = False
        self._handed_over_at = self._loop.time()
        if self._deadline is None:
            seconds = self._settings.durable_seconds_max
            self._deadline = self._loop.call_later(seconds, self._look_at_writer)
        self._jobs.put(batch)

    def _seal_batch(self) -> _Batch | None:
        seq, head = self._spool.last_seq, self._spool.head
        gateway = self._spool.gateway_id
        pending: list[_Pending] = []
        lines: list[bytes] = []
        while self._queue and len(pending) < _BATCH_RECORDS_MAX:
            each = self._queue.popleft()
            if each.waiter is not None and each.waiter.done():
                continue  # its caller was cancelled: it sends nothing, so nothing is intended
            try:
                sealed = seal(each.fields, gateway, seq + 1, head)
            except (TypeError, ValueError):
                self._drop_unsealable(each)
                continue
            seq += 1
            head = sealed.hash
            lines.append(sealed.line)
            pending.append(each)
        if not pending:
            return None
        lines.append(b"")
        return _Batch(pending, b"\n".join(lines), head)

    def _drop_unsealable(self, pending: _Pending) -> None:
        """A bug of ours made fields that have no canonical form; only this entry suffers."""
        log.exception("an entry has no canonical form")
        telemetry.BUGS.inc()
        if pending.waiter is not None:
            fault = RecordError("record.unsealable", "the record of this action can't be written")
            pending.waiter.set_exception(fault)

    def _run_writer(self) -> None:
        """The writer thread: one batch at a time, every failure reported."""
        assert self._loop is not None
        while (batch := self._jobs.get()) is not None:
            fault: RecordError | None = None
            try:
                self._spool.write(batch.data, len(batch.pending), batch.head)
            except OSError as error:
                fault = unwritable(error)
            except Exception:
                log.exception("the record writer failed")
                fault = RecordError("record.unwritable", "the record can't be written")
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._written, batch, fault)

    def _written(self, batch: _Batch, fault: RecordError | None) -> None:
        self._in_flight = None
        if fault is not None:
            self._fail(fault, batch)
            return
        if self._fault is not None:
            self._fault = None
            self._refused = 0
            log.warning("the record can be written again")
        for each in batch.pending:
            if each.waiter is not None and not each.waiter.done():
                each.waiter.set_result(None)
        self.grown.set()
        if self._is_urgent or self._is_closing or len(self._queue) >= _BATCH_RECORDS_MAX:
            self._flush()
        elif self._queue and self._flush_timer is None:
            self._arm_flush()

    # --- failing and recovering -------------------------------------------------------------------

    def _fail(self, fault: RecordError, batch: _Batch) -> None:
        """Tell everybody who waits, keep what nobody waits for, and try again soon."""
        assert self._loop is not None
        if self._fault is None:
            log.error("the record can't be written", extra={"code": fault.code})
        self._fault = fault
        self._fail_waiters(batch.pending, fault)
        self._fail_waiters(self._queue, fault)
        kept = [each for each in batch.pending if each.waiter is None and not each.is_probe]
        kept += [each for each in self._queue if each.waiter is None and not each.is_probe]
        self._queue = deque(kept)
        self._is_urgent = False
        if self._is_closing:
            self._idle.set()
            return
        self._loop.call_later(self._settings.retry_seconds, self._retry)

    def _retry(self) -> None:
        """Try the disk with what is queued and an entry that says what was refused meanwhile."""
        detail = f"records could not be written; {self._refused} were refused"
        if self._is_closing:
            return
        entry = GatewayEntry(self._clock.now(), "record_restored", detail)
        self._queue.append(_Pending(fields_of(entry), None, is_probe=True))
        self._flush()

    def _look_at_writer(self) -> None:
        """See whether the batch that the writer has now has taken too long."""
        self._deadline = None
        if self._in_flight is None:
            return
        assert self._loop is not None
        left = self._handed_over_at + self._settings.durable_seconds_max - self._loop.time()
        if left > 0:
            self._deadline = self._loop.call_later(left, self._look_at_writer)
        else:
            self._give_up_waiting()

    def _give_up_waiting(self) -> None:
        """The disk takes too long. Whoever waits is told; the batch itself may still arrive."""
        fault = RecordError("record.unwritable", "the disk did not answer in time")
        log.error("the record writer hangs", extra={"code": fault.code})
        self._fault = fault
        if self._in_flight is not None:
            self._fail_waiters(self._in_flight.pending, fault)
        self._fail_waiters(self._queue, fault)
        self._queue = deque(each for each in self._queue if each.waiter is None)
        self._is_urgent = False

    def _fail_waiters(self, pending: list[_Pending] | deque[_Pending], fault: RecordError) -> None:
        for each in pending:
            if each.waiter is not None and not each.waiter.done():
                each.waiter.set_exception(self._refusal(fault))
