"""Erases bodies: by their age, and one decision's for a reason that a person gives.

INVARIANT(leaves-stay): what proves a record (its number, hash and leaf) is never erased, so what
verified before verifies after. INVARIANT(erasure-is-told): each erasure is written down by the
function that did it, and told as an event.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controlplane.auth import Caller, require_person
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.services.sweeping import sweep_forever
from controlplane.store.retention import Erased, ErasureRow, RetentionStore
from controlplane.telemetry import Metrics

ERASED_AT_ONCE: Final = 500
"""Of each sort, in one transaction: some tens of milliseconds, and as few locks."""

BATCHES_MAX: Final = 200
"""Of one sweep and tenant, after which the next tenant has its turn."""

PAUSE_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class RetentionInForce:
    """`days` is the tenant's own wish, None without one; 0 is for ever. `set_by` None: nobody ever
    said anything."""

    days: int | None
    default_days: int
    legal_hold: bool
    reason: str | None
    set_by: str | None
    set_at: datetime | None


class RetentionService:
    def __init__(self, store: RetentionStore, default_days: int, metrics: Metrics) -> None:
        self._store = store
        self._default_days = default_days
        self._metrics = metrics

    async def rule(self, caller: Caller) -> RetentionInForce:
        """For how long the caller's bodies are kept."""
        row = await self._store.rule(caller.tenant_id)
        if row is None:
            return RetentionInForce(None, self._default_days, False, None, None, None)
        return RetentionInForce(
            row.days, self._default_days, row.legal_hold, row.reason, row.set_by, row.set_at
        )

    async def set_rule(
        self, caller: Caller, days: int | None, legal_hold: bool, reason: str, said: str | None
    ) -> RetentionInForce:
        """Say for how long, and whether a legal hold stops all erasure.

        Raises:
            ControlFault: FORBIDDEN for machines.
        """
        require_person(caller, "say how long records are kept")
        await self._store.set_rule(
            caller.tenant_id, days, legal_hold, reason, caller.person(said), caller.key_id
        )
        return await self.rule(caller)

    async def erase_decision(
        self, caller: Caller, decision_id: str, reason: str, said: str | None
    ) -> ErasureRow:
        """Erase every line that names a decision, and what repeats them. What a person wrote in
        answer to it stays, and so does every hash.

        Raises:
            ControlFault: FORBIDDEN for machines; NOT_FOUND; ERASURE_HELD under a legal hold;
                ERASURE_TOO_SOON while its approval or an incident about it is open, or its records
                are not in the log; ERASED_BEFORE.
        """
        require_person(caller, "erase records")
        done = await self._store.erase_decision(
            caller.tenant_id, decision_id, caller.person(said), caller.key_id, reason
        )
        match done:
            case Erased.NOT_FOUND:
                raise not_found("decision")
            case Erased.HELD:
                raise ControlFault(Fault.ERASURE_HELD, "a legal hold stops every erasure")
            case Erased.IN_USE:
                raise ControlFault(
                    Fault.ERASURE_TOO_SOON,
                    "its approval or an incident about it is open, or it is not in the log yet",
                )
            case Erased.ERASED_BEFORE:
                raise ControlFault(Fault.ERASED_BEFORE, "it was erased before")
            case Erased.DONE:
                rows = await self._store.erasures(caller.tenant_id, None, decision_id, 1)
                return rows[0]

    async def erasures(
        self, caller: Caller, before: int | None, decision_id: str | None, count_max: int
    ) -> Sequence[ErasureRow]:
        """What was erased, the newest first."""
        return await self._store.erasures(caller.tenant_id, before, decision_id, count_max)

    async def erasure(self, caller: Caller, erasure_id: uuid.UUID) -> ErasureRow:
        """Read one.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = await self._store.erasure(caller.tenant_id, erasure_id)
        if row is None:
            raise not_found("erasure")
        return row

    async def sweep(self) -> int:
        """Erase what is too old, of every tenant; how much that was."""
        total = 0
        for tenant_id in await self._store.tenants():
            for _ in range(BATCHES_MAX):
                count = await self._store.erase_old(tenant_id, self._default_days, ERASED_AT_ONCE)
                total += count
                if not count:
                    break
        return total

    async def sweep_forever(self) -> None:
        async def sweep() -> float:
            return 0.0 if await self.sweep() >= ERASED_AT_ONCE * BATCHES_MAX else PAUSE_SECONDS

        await sweep_forever(sweep, RETRY_SECONDS, self._metrics)
