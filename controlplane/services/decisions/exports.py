"""Decisions and records -> files, a piece at a time: a million rows take no more memory than some
hundreds.

Each piece is read by itself, on behalf of its tenant, and only while whoever asked still may.
"""

from __future__ import annotations

import csv
import io
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.services.decisions.as_json import decision_json
from controlplane.services.decisions.explorer import ExplorerService
from controlplane.services.decisions.from_records import DecisionView
from controlplane.store.explorer import DecisionFilter, ExplorerStore
from controlplane.store.records import RecordFilter
from controlplane.store.tenancy import acting_for
from controlplane.store.texts import storable
from gateway.model.codec import JsonValue

PIECE_COUNT: Final = 200
"""Decisions that are held at once, of some kilobytes each."""

PIECE_RECORDS: Final = 100
"""A line may have a megabyte."""

EXPORTS_MAX: Final = 8
EXPORTS_PER_KEY_MAX: Final = 2
"""Each reads without a pause; the others' requests come first."""

EXPORT_SECONDS_MAX: Final = 3_600.0

CELL_LENGTH_MAX: Final = 32_000
"""Spreadsheets refuse longer ones."""

FORMULA_STARTS: Final = (*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for a formula, full-width too. An apostrophe before it makes it text."""

COLUMNS: Final = (
    "at", "decisionId", "agent", "runId", "provider", "operation", "action", "kind", "targetType",
    "targetId", "params", "effect", "mode", "policy", "rule", "reasonCode", "message", "riskScore",
    "approvalId", "approvalStatus", "outcome", "status", "requestId", "gatewayId", "erased",
)  # fmt: skip

StillMay = Callable[[], Awaitable[bool]]


class ExportFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


CONTENT_TYPES: Final[Mapping[ExportFormat, str]] = {
    ExportFormat.JSONL: "application/x-ndjson",
    ExportFormat.CSV: "text/csv",
}


class ExportService:
    def __init__(self, store: ExplorerStore, explorer: ExplorerService) -> None:
        self._store = store
        self._explorer = explorer
        self._open: Counter[uuid.UUID] = Counter()

    def decisions(
        self, caller: Caller, wanted: DecisionFilter, form: ExportFormat, still_may: StillMay
    ) -> AsyncIterator[bytes]:
        """Decisions that fit, newest first, as they are when each is written.

        Raises:
            ControlFault: UNAVAILABLE where too many are made already.
        """
        self.refuse_many(caller)
        return self._decisions(caller, wanted, form, still_may)

    def records(
        self, caller: Caller, wanted: RecordFilter, still_may: StillMay
    ) -> AsyncIterator[bytes]:
        """Exact record lines, oldest first, up to what was there at the beginning.

        Raises:
            ControlFault: UNAVAILABLE where too many are made already.
        """
        self.refuse_many(caller)
        return self._records(caller, wanted, still_may)

    async def _decisions(
        self, caller: Caller, wanted: DecisionFilter, form: ExportFormat, still_may: StillMay
    ) -> AsyncIterator[bytes]:
        with self.counted(caller):
            if form is ExportFormat.CSV:
                yield _csv_line(COLUMNS)
            write = _csv_of if form is ExportFormat.CSV else _json_of
            ends_at, cursor = time.monotonic() + EXPORT_SECONDS_MAX, None
            while True:
                await check_may(still_may, ends_at)
                with acting_for(caller.tenant_id):
                    page = await self._explorer.search(caller, wanted, cursor, PIECE_COUNT)
                if page.decisions:
                    yield b"".join(write(view) for view in page.decisions)
                if page.cursor is None:
                    return
                cursor = page.cursor

    async def _records(
        self, caller: Caller, wanted: RecordFilter, still_may: StillMay
    ) -> AsyncIterator[bytes]:
        with self.counted(caller):
            ends_at, after = time.monotonic() + EXPORT_SECONDS_MAX, 0
            with acting_for(caller.tenant_id):
                last, _ = await self._store.read_so_far(caller.tenant_id)
            while True:
                await check_may(still_may, ends_at)
                with acting_for(caller.tenant_id):
                    rows = await self._store.records_after(
                        caller.tenant_id, after, last, wanted, PIECE_RECORDS
                    )
                if rows:
                    yield "".join(f"{line}\n" for _, line in rows).encode()
                if len(rows) < PIECE_RECORDS:
                    return
                after = rows[-1][0]

    def refuse_many(self, caller: Caller) -> None:
        """Let a caller begin another export.

        Raises:
            ControlFault: UNAVAILABLE where too many are made already.
        """
        if self._open[caller.key_id] >= EXPORTS_PER_KEY_MAX or self._open.total() >= EXPORTS_MAX:
            raise ControlFault(Fault.UNAVAILABLE, "other exports are being made; try again later")

    @contextmanager
    def counted(self, caller: Caller) -> Iterator[None]:
        """Count an export for as long as it is made."""
        self.refuse_many(caller)
        self._open[caller.key_id] += 1
        try:
            yield
        finally:
            self._open[caller.key_id] -= 1
            if not self._open[caller.key_id]:
                del self._open[caller.key_id]


async def check_may(still_may: StillMay, ends_at: float) -> None:
    """End the file in its midst, which its reader notices, rather than go on without leave."""
    if time.monotonic() > ends_at:
        raise ControlFault(Fault.UNAVAILABLE, "the export took too long; narrow its filter")
    if not await still_may():
        raise ControlFault(Fault.UNAUTHENTICATED, "the key of this export is over")


def _json_of(view: DecisionView) -> bytes:
    return (
        json.dumps(decision_json(view), ensure_ascii=False, separators=(",", ":")).encode(
            errors="replace"
        )
        + b"\n"
    )


def _csv_of(view: DecisionView) -> bytes:
    fields = decision_json(view)
    target = view.target if isinstance(view.target, dict) else {}
    risk = view.risk if isinstance(view.risk, dict) else {}
    fields |= {
        "targetType": target.get("type"),
        "targetId": target.get("id"),
        "riskScore": risk.get("score"),
    }
    return _csv_line(tuple(cell(fields[name]) for name in COLUMNS))


def cell(value: JsonValue) -> str:
    """A value as a spreadsheet may hold it: bounded text that is never a formula."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = storable(text[:CELL_LENGTH_MAX])
    # Space before it does not stop every spreadsheet.
    is_formula = text.startswith(FORMULA_STARTS) or text.lstrip().startswith(FORMULA_STARTS)
    return f"'{text}" if is_formula else text


def _csv_line(cells: tuple[str, ...]) -> bytes:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(cells)
    return written.getvalue().encode(errors="replace")
