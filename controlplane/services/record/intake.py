"""Takes records in, once each and in order, and reads them out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.notify.bus import Bus, Topic
from controlplane.services.log.gateway_keys import GatewayKeyService
from controlplane.services.log.growth import TAKEN_AT_ONCE, LogGrowth
from controlplane.services.record.lines import Line, parse_lines
from controlplane.services.runs.incidents import IncidentService
from controlplane.services.waiting import WaitingRoom
from controlplane.store.records import Head, RecordFilter, RecordRow, RecordStore
from controlplane.telemetry import Metrics
from gateway.record.chain import ZERO_HASH
from gateway.record.log.checkpoint import CONTROL_PLANE

APART_MIN = 50
"""A batch from so many lines on is parsed in a thread: a turn of the loop stays below some
milliseconds."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """`through` is the last stored sequence number of the gateway."""

    through: int
    new_count: int


class RecordService:
    def __init__(
        self,
        store: RecordStore,
        growth: LogGrowth,
        keys: GatewayKeyService,
        incidents: IncidentService,
        bus: Bus,
        room: WaitingRoom,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._growth = growth
        self._keys = keys
        self._incidents = incidents
        self._bus = bus
        self._room = room
        self._metrics = metrics

    async def ingest(
        self, caller: Caller, gateway_id: str, texts: Sequence[str], head: str | None = None
    ) -> Accepted:
        """Store a batch, and its leaves in the tenant's log. What is stored already is compared
        and skipped, so that a batch whose answer was lost can be sent again. `head` is the signed
        note of the batch's last line, which a gateway with a key has to send.

        Raises:
            ControlFault: RECORD_INVALID, RECORD_UNSIGNED, RECORD_GAP (`expectedSeq`),
                RECORD_CONFLICT.
        """
        try:
            accepted = await self._ingest(caller, gateway_id, texts, head)
        except ControlFault as fault:
            if fault.fault is not Fault.UNAVAILABLE:
                self._metrics.records.labels("refused").inc(len(texts))
                await self._incidents.note_refused_records(caller, gateway_id, fault)
            raise
        self._metrics.records.labels("stored").inc(accepted.new_count)
        self._metrics.records.labels("repeated").inc(len(texts) - accepted.new_count)
        if accepted.new_count:
            await self._bus.publish(Topic.RECORDS, str(caller.tenant_id))
        return accepted

    async def _ingest(
        self, caller: Caller, gateway_id: str, texts: Sequence[str], signed: str | None
    ) -> Accepted:
        if gateway_id == CONTROL_PLANE:
            raise ControlFault(
                Fault.RECORD_INVALID, f"`{CONTROL_PLANE}` is the control plane's own id"
            )
        if len(texts) >= APART_MIN:
            lines = await asyncio.to_thread(parse_lines, gateway_id, texts)
        else:
            lines = parse_lines(gateway_id, texts)
        store, tenant_id = self._store, caller.tenant_id
        async with store.writing(tenant_id) as connection:
            head = await store.head(connection, tenant_id, gateway_id) or Head(0, ZERO_HASH)
            if not lines:
                return Accepted(head.seq, 0)
            known = [line for line in lines if line.record.seq <= head.seq]
            new = lines[len(known) :]
            if known:
                first, last = known[0].record.seq, known[-1].record.seq
                stored = await store.stored_hashes(connection, tenant_id, gateway_id, first, last)
                for line in known:
                    if stored.get(line.record.seq) != line.record.hash:
                        raise _conflict(line, "other bytes are stored under this number")
            newest = lines[-1].record
            kept = await self._keys.verify_head(connection, caller, gateway_id, newest, signed)
            if not new:
                return Accepted(head.seq, 0)
            _check_joint(new[0], head)
            records = [line.record for line in new]
            await store.append(connection, tenant_id, gateway_id, records)
            await self._growth.take_in(connection, tenant_id, len(records) + TAKEN_AT_ONCE)
            if kept is not None:
                await self._keys.keep_head(connection, caller, gateway_id, kept)
            return Accepted(records[-1].seq, len(records))

    async def read(
        self,
        caller: Caller,
        after: int,
        wanted: RecordFilter,
        count_max: int,
        wait_seconds: float,
        is_gone: Callable[[], bool],
    ) -> Sequence[RecordRow]:
        """Records after a cursor, ascending; with `wait_seconds`, once there are some."""
        return await self._room.read_until(
            (Topic.RECORDS, str(caller.tenant_id)),
            lambda: self._store.after(caller.tenant_id, after, wanted, count_max),
            lambda rows: len(rows) > 0,
            wait_seconds,
            is_gone,
        )

    async def newest(
        self, caller: Caller, wanted: RecordFilter, count_max: int
    ) -> Sequence[RecordRow]:
        """The newest records, ascending."""
        return await self._store.newest(caller.tenant_id, wanted, count_max)


def _check_joint(line: Line, head: Head) -> None:
    """The first new line must follow the head."""
    expected = head.seq + 1
    if line.record.seq != expected:
        raise ControlFault(
            Fault.RECORD_GAP,
            f"record {expected} is expected, {line.record.seq} came",
            {"expectedSeq": expected},
        )
    if line.prev != head.hash:
        raise _conflict(line, "it does not follow the stored one")


def _conflict(line: Line, why: str) -> ControlFault:
    return ControlFault(
        Fault.RECORD_CONFLICT, f"record {line.record.seq}: {why}", {"seq": line.record.seq}
    )
