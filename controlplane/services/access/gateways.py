"""Keeps what each gateway says that it runs, with few writes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.auth import Caller
from controlplane.faults import ControlFault
from controlplane.store.bundles import BundleRow, BundleStore
from controlplane.store.gateways import GatewayRow, GatewayStore

NOTE_SECONDS = 10.0
"""How exact `last_seen_at` is; a change of what runs is written at once."""

GATEWAYS_MAX = 5_000
"""Of one tenant; beyond it a new one is not noted, because its id is a caller's word."""

SILENT_SECONDS_MIN = 7 * 86_400
"""A gateway that was silent for a week is forgotten: containers come and go."""

NOTED_COUNT_MAX = 10_000

CONTROL, FILES = "control", "files"
"""Where a gateway's rules come from: the bundle, or files beside it."""


@dataclass(frozen=True, slots=True)
class _Noted:
    sequence: int
    revision: str | None
    source: str
    at: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """All gateways, and the bundle that they should run; None before the first."""

    gateways: Sequence[GatewayRow]
    newest: BundleRow | None

    def is_up_to_date(self, gateway: GatewayRow) -> bool:
        """Whether it runs the current bundle. One that refused it runs the one before; one that
        takes its rules from files runs none."""
        newest = self.newest
        return newest is not None and (gateway.sequence, gateway.revision) == (
            newest.sequence,
            newest.revision,
        )


class GatewayService:
    def __init__(self, store: GatewayStore, bundles: BundleStore) -> None:
        self._store = store
        self._bundles = bundles
        self._noted: dict[tuple[uuid.UUID, str], _Noted] = {}

    async def note(
        self,
        caller: Caller,
        gateway_id: str,
        sequence: int,
        revision: str | None,
        source: str = CONTROL,
    ) -> None:
        """Write down what a gateway runs, if that is new or the last note is old. Never fails for
        a database that can't write: the gateway still gets its bundle."""
        place, now = (caller.tenant_id, gateway_id), time.monotonic()
        before = self._noted.get(place)
        if (
            before is not None
            and (before.sequence, before.revision, before.source) == (sequence, revision, source)
            and now - before.at < NOTE_SECONDS
        ):
            return
        if len(self._noted) >= NOTED_COUNT_MAX:
            self._noted.clear()
        self._noted[place] = _Noted(sequence, revision, source, now)
        try:
            if before is None:
                await self._store.forget(caller.tenant_id, SILENT_SECONDS_MIN)
            await self._store.note(
                caller.tenant_id, gateway_id, sequence, revision, source, GATEWAYS_MAX
            )
        except ControlFault:
            self._noted.pop(place, None)

    async def list(
        self, caller: Caller, after: str | None = None, count_max: int = GATEWAYS_MAX
    ) -> Fleet:
        """By id; `after` is the last id of the page before."""
        newest = await self._bundles.newest(caller.tenant_id)
        return Fleet(await self._store.list(caller.tenant_id, after, count_max), newest)
