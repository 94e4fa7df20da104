"""What happens now, in numbers: for the dashboard's overview and its rail."""

from __future__ import annotations

from typing import Final

from controlplane.auth import Caller
from controlplane.store.overview import OverviewStore

PENDING_COUNT_MAX: Final = 1_000


class OverviewService:
    def __init__(self, store: OverviewStore) -> None:
        self._store = store

    async def pending_count(self, caller: Caller) -> int:
        """How many approvals wait for a person, at most `PENDING_COUNT_MAX`."""
        return await self._store.pending_count(caller.tenant_id, PENDING_COUNT_MAX)
