"""A range of a tenant's log -> a file that verifies without us, a piece at a time.

It begins with a header: the checkpoint, what stands left and right of the range, and the keys and
signed heads of the gateways in it; then each record's line as its gateway sealed it. The size is
fixed by the checkpoint, so what comes meanwhile is not in it. What the database has lost is said in
its place, never left out: whoever verifies the file then hears which record it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.services.decisions.exports import (
    EXPORT_SECONDS_MAX,
    ExportService,
    StillMay,
    check_may,
)
from controlplane.services.log.proofs import LogProofs, texts
from controlplane.services.log.reading import LogService
from controlplane.store.gateway_keys import GatewayKeyStore
from controlplane.store.log import CheckpointRow, LineRow, LogStore
from controlplane.store.tenancy import acting_for
from gateway.model.codec import JsonValue
from gateway.record.chain import FIRST_SEQ, ZERO_HASH
from gateway.record.log.checkpoint import log_origin

VERSION: Final = "checkrein/1"

PIECE_COUNT: Final = 250
"""Lines that are held at once; one may have a megabyte, and usually has one kilobyte."""

GATEWAYS_MAX: Final = 5_000


class LogExports:
    def __init__(
        self,
        store: LogStore,
        keys: GatewayKeyStore,
        logs: LogService,
        exports: ExportService,
    ) -> None:
        self._store = store
        self._keys = keys
        self._logs = logs
        self._exports = exports
        self._proofs = LogProofs(store)

    async def export(
        self, caller: Caller, first: int, count: int | None, still_may: StillMay
    ) -> AsyncIterator[bytes]:
        """Lines `first` to `first + count` of the log, at most up to its newest checkpoint.

        Raises:
            ControlFault: INVALID_ARGUMENT for a beginning beyond it; LOG_UNSIGNED, LOG_BROKEN;
                UNAVAILABLE where too many exports are made already.
        """
        self._exports.refuse_many(caller)
        newest = await self._logs.freshest(caller)
        if first > newest.size:
            raise ControlFault(
                Fault.INVALID_ARGUMENT,
                f"`first`: the newest checkpoint is of {newest.size} records",
            )
        past = newest.size if count is None else min(first + count, newest.size)
        header = await self._header(caller, newest, first, past)
        return self._lines(caller, header, first, past, still_may)

    async def _header(
        self, caller: Caller, newest: CheckpointRow, first: int, past: int
    ) -> dict[str, JsonValue]:
        tenant_id = caller.tenant_id
        left, right = await self._proofs.around(tenant_id, first, past, newest.size)
        gateways: list[JsonValue] = []
        for gateway_id, last_seq in await self._store.gateways_in(tenant_id, past, GATEWAYS_MAX):
            keys = await self._keys.keys_of(tenant_id, gateway_id)
            heads = await self._keys.heads_of(tenant_id, gateway_id, last_seq) if keys else ()
            gateways.append(
                {"id": gateway_id, "keys": [each.key for each in keys], "heads": list(heads)}
            )
        return {
            "export": VERSION,
            "tenant": str(tenant_id),
            "origin": log_origin(str(tenant_id)),
            "first": first,
            "count": past - first,
            "size": newest.size,
            "checkpoint": newest.note,
            "log_key": self._logs.verifier_key(caller),
            "left": [*texts(left)],
            "right": [*texts(right)],
            "gateways": gateways,
        }

    async def _lines(
        self,
        caller: Caller,
        header: dict[str, JsonValue],
        first: int,
        past: int,
        still_may: StillMay,
    ) -> AsyncIterator[bytes]:
        tenant_id, ends_at = caller.tenant_id, time.monotonic() + EXPORT_SECONDS_MAX
        with self._exports.counted(caller):
            yield _json(header)
            for begin in range(first, past, PIECE_COUNT):
                await check_may(still_may, ends_at)
                end = min(begin + PIECE_COUNT, past)
                with acting_for(tenant_id):
                    rows = await self._store.lines(tenant_id, begin, end)
                    prevs = {
                        (row.gateway_id, row.seq): await self._prev(caller, row)
                        for row in rows
                        if row.line is None and row.is_there
                    }
                yield b"".join(_piece(rows, begin, end, prevs))

    async def _prev(self, caller: Caller, row: LineRow) -> str:
        """What an erased line said of the one before it."""
        if row.seq == FIRST_SEQ:
            return ZERO_HASH
        found = await self._store.hash_of(caller.tenant_id, row.gateway_id, row.seq - 1)
        return found or ZERO_HASH


def _piece(
    rows: Sequence[LineRow], begin: int, end: int, prevs: dict[tuple[str, int], str]
) -> list[bytes]:
    """The lines from `begin` up to, and without, `end`: what is not there is said."""
    by_index = {row.index: row for row in rows}
    lines: list[bytes] = []
    for index in range(begin, end):
        row = by_index.get(index)
        if row is None:
            lines.append(_json({"missing": {"index": index}}))
        elif row.line is not None:
            lines.append(row.line.encode() + b"\n")
        elif row.is_there:
            erased: dict[str, JsonValue] = {
                "gateway": row.gateway_id,
                "hash": row.line_hash,
                "prev": prevs[row.gateway_id, row.seq],
                "seq": row.seq,
            }
            lines.append(_json({"erased": erased}))
        else:
            missing: dict[str, JsonValue] = {
                "index": index,
                "gateway": row.gateway_id,
                "hash": row.line_hash,
                "seq": row.seq,
            }
            lines.append(_json({"missing": missing}))
    return lines


def _json(value: JsonValue) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"
