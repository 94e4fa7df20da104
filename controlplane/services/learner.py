"""The mode in which an organisation wants to learn from its agents' behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlplane.auth import Caller
from controlplane.store.learner import LearnerStore


class LearnerMode(StrEnum):
    """MONITOR: observe and say. ENFORCE: what was learnt may refuse. AUTO_PROMOTE_SAFE: candidates
    that only allow what was seen become rules by themselves."""

    MONITOR = "MONITOR"
    ENFORCE = "ENFORCE"
    AUTO_PROMOTE_SAFE = "AUTO_PROMOTE_SAFE"


DEFAULT = LearnerMode.MONITOR
"""Nothing follows from watching."""


@dataclass(frozen=True, slots=True)
class ModeInForce:
    """`set_by` None: nobody ever said anything."""

    mode: LearnerMode
    set_by: str | None
    set_at: datetime | None


class LearnerService:
    def __init__(self, store: LearnerStore) -> None:
        self._store = store

    async def mode(self, caller: Caller) -> ModeInForce:
        """The mode of the caller's organisation."""
        row = await self._store.current(caller.tenant_id)
        if row is None:
            return ModeInForce(DEFAULT, None, None)
        return ModeInForce(LearnerMode(row.mode), row.set_by, row.set_at)

    async def set_mode(self, caller: Caller, mode: LearnerMode) -> ModeInForce:
        """Set it; the same one again changes nothing."""
        await self._store.set(caller.tenant_id, mode.value, caller.key_name, caller.key_id)
        return await self.mode(caller)
