"""Looks decisions up for auditors: by a filter, newest first, and one with what became of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controlplane.auth import Caller
from controlplane.faults import not_found
from controlplane.services.decisions.from_records import DecisionService, DecisionView
from controlplane.store.explorer import DecisionFilter, ExplorerStore, StoryRecord

CATCH_UP_SECONDS: Final = 0.5
CATCH_UP_PAUSE_SECONDS: Final = 0.02
"""What was shipped a moment ago is read within milliseconds; a first page awaits that."""

LOOK_COUNT: Final = 10_000
"""Steps of one statement: even where none fits it ends within some tens of milliseconds."""

LOOK_SECONDS: Final = 0.4
"""Of one page. Then it ends, full or not, and says from where to go on."""

WORDS_LOOK: Final = 5_000
WORDS_EACH: Final = 20
"""What completion knows: the most frequent of each word in the newest decisions."""

STORY_RECORDS_MAX: Final = 100
"""A decision has two or three; an id that is used over and over is shown up to here."""

NEW_COUNT_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class FoundPage:
    """`cursor` is where to go on, None at the end. `is_cut`: the page ended before it was full,
    since it had looked for long enough. `unread`: records that came and can't be found yet."""

    decisions: Sequence[DecisionView]
    cursor: int | None
    is_cut: bool = False
    unread: int = 0


class ExplorerService:
    def __init__(self, store: ExplorerStore, decisions: DecisionService) -> None:
        self._store = store
        self._decisions = decisions

    async def search(
        self, caller: Caller, wanted: DecisionFilter, before: int | None, count_max: int
    ) -> FoundPage:
        """Newest first; `before` is the cursor of the page before."""
        unread = await self._catch_up(caller) if before is None else 0
        record_ids, cursor, is_cut = await self._find(caller, wanted, before, count_max)
        views = await self._decisions.of_records(caller, record_ids)
        return FoundPage(views, cursor, is_cut, unread)

    async def new_count(self, caller: Caller, wanted: DecisionFilter, after: int) -> int:
        """How many came after a record, up to some."""
        ids, _, _ = await self._find(caller, wanted, None, NEW_COUNT_MAX, after)
        return len(ids)

    async def newest_seen(self, caller: Caller) -> int:
        """Up to which record a search finds everything."""
        _, read = await self._store.read_so_far(caller.tenant_id)
        return read

    async def words(self, caller: Caller) -> Mapping[str, Sequence[str]]:
        """Values that exist, for completion, by the word of the filter."""
        return await self._store.words(caller.tenant_id, WORDS_LOOK, WORDS_EACH)

    async def story(
        self, caller: Caller, decision_id: str
    ) -> tuple[Sequence[StoryRecord], uuid.UUID | None]:
        """The records of a decision, oldest first, and the run that it is of.

        Raises:
            ControlFault: NOT_FOUND.
        """
        if "\0" in decision_id or len(decision_id) > 256:
            raise not_found("decision")
        rows = await self._store.story(caller.tenant_id, decision_id, STORY_RECORDS_MAX)
        if not rows:
            raise not_found("decision")
        return rows, await self._store.run_of(caller.tenant_id, decision_id)

    async def _find(
        self,
        caller: Caller,
        wanted: DecisionFilter,
        before: int | None,
        count_max: int,
        after: int = 0,
    ) -> tuple[Sequence[int], int | None, bool]:
        """Places of decisions that fit, where to go on, and whether the time was over before."""
        walk = await self._store.begin(caller.tenant_id, wanted, before)
        if walk is None:
            return [], None, False
        walk = replace(walk, first=max(walk.first, after + 1))
        found: list[int] = []
        ends_at = time.monotonic() + LOOK_SECONDS
        while True:
            ids, end = await self._store.search(
                caller.tenant_id, wanted, walk, LOOK_COUNT, count_max - len(found)
            )
            found += ids
            if end is None or len(found) >= count_max:
                return found, end, False
            if time.monotonic() >= ends_at:
                return found, end, True
            walk = replace(walk, before=end)

    async def _catch_up(self, caller: Caller) -> int:
        """Wait, shortly, until what is there now can be found; how many records can't."""
        ends_at = time.monotonic() + CATCH_UP_SECONDS
        newest, read = await self._store.read_so_far(caller.tenant_id)
        while read < newest and time.monotonic() < ends_at:
            await asyncio.sleep(CATCH_UP_PAUSE_SECONDS)
            _, read = await self._store.read_so_far(caller.tenant_id)
        return max(0, newest - read)
