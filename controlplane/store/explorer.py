"""Reads decisions as an auditor looks for them, the records of one, and pieces of a chain.

`run_steps` is the index of decisions: one row for each, made of its first record. What is found
there is a place in the records; what is shown is read out of those.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from controlplane.store.database import Database
from controlplane.store.queries import load_queries
from controlplane.store.records import Head, RecordFilter

_SQL = load_queries("explorer")

RECORD_ID_MAX: Final = 2**63 - 1

RUNS_MAX: Final = 200
"""Runs of one name that are looked through, the newest ones."""

_CUSTOM_PLAN: Final = "select set_config('plan_cache_mode', 'force_custom_plan', true)"
"""Which index serves depends on which words are there; a plan for all cases walks everything."""


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions are meant; None leaves it open. `run` is an id or a name, `text` stands
    somewhere in the words of a decision, `outcome` may be `open`. Times are the gateways'."""

    decision: str | None = None
    run: str | None = None
    target: str | None = None
    rule: str | None = None
    action: str | None = None
    agent: str | None = None
    provider: str | None = None
    effect: str | None = None
    operation: str | None = None
    kind: str | None = None
    policy: str | None = None
    reason: str | None = None
    mode: str | None = None
    risk: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    outcome: str | None = None

    def is_set(self) -> bool:
        """Whether anything is left out at all."""
        return any(getattr(self, field.name) is not None for field in fields(self))


_LEADING: Final = ("decision", "run", "target", "rule", "action", "agent", "provider", "effect")
"""Words that have an index, the one that usually leaves least first; agent and effect have one
together. In the order of `search`."""

_FITTING: Final = (
    *_LEADING, "operation", "kind", "policy", "reason", "mode", "risk", "since", "until", "text",
    "outcome",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a search stands: `before` is the record that it came to, `first` where it may end."""

    before: int
    first: int
    runs: Sequence[uuid.UUID] | None


@dataclass(frozen=True, slots=True)
class StoryRecord:
    """A record that names a decision. Of one that was erased `line` says only who and when."""

    record_id: int
    gateway_id: str
    seq: int
    kind: str
    hash: str
    line: str
    received_at: datetime
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """A record in its place in a gateway's chain; `hash` as it was stored, `line` None where it was
    erased."""

    seq: int
    hash: str
    line: str | None


class ExplorerStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_so_far(self, tenant_id: uuid.UUID) -> tuple[int, int]:
        """The newest record, and the newest that a search can find."""
        row = await self._database.row(_SQL["read_so_far"], tenant_id)
        assert row is not None
        return row["newest"], row["read"]

    async def begin(
        self, tenant_id: uuid.UUID, wanted: DecisionFilter, before: int | None
    ) -> Walk | None:
        """Where a search begins and may end; None where nothing can fit."""
        first, runs = 0, None
        if wanted.since is not None:
            row = await self._database.row(_SQL["first_since"], tenant_id, wanted.since)
            if row is None:
                return None
            first = row["record_id"]
        if wanted.run is not None:
            rows = await self._database.rows(
                _SQL["runs_named"], tenant_id, wanted.run, _uuid(wanted.run), RUNS_MAX
            )
            runs = [row["run_id"] for row in rows]
            if not runs:
                return None
        return Walk(RECORD_ID_MAX if before is None else before, first, runs)

    async def search(
        self,
        tenant_id: uuid.UUID,
        wanted: DecisionFilter,
        walk: Walk,
        look_max: int,
        count_max: int,
    ) -> tuple[Sequence[int], int | None]:
        """The first records of up to `count_max` decisions that fit, newest first, of `look_max`;
        and the last record that was looked at, where there may be more behind it."""
        fit = _values(wanted, walk)
        lead = next((name for name in _LEADING if fit[name] is not None), None)
        leading = {lead, "effect"} if lead == "agent" else {lead}
        leads = [fit[name] if name in leading else None for name in _LEADING]
        place = (tenant_id, walk.before, walk.first, *leads, look_max)
        async with self._database.transaction() as connection:
            await connection.execute(_CUSTOM_PLAN)
            rows = await connection.fetch(
                _SQL["search"], *place, count_max, *(fit[name] for name in _FITTING)
            )
            found = [row["record_id"] for row in rows]
            if len(found) >= count_max:
                return found, found[-1]
            return found, await connection.fetchval(_SQL["walk_end"], *place)

    async def words(
        self, tenant_id: uuid.UUID, look_max: int, count_max: int
    ) -> Mapping[str, Sequence[str]]:
        """What stands in the newest decisions, the most frequent first, by the filter's word."""
        rows = await self._database.rows(_SQL["words"], tenant_id, look_max, count_max)
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row["name"], []).append(row["value"])
        return found

    async def story(
        self, tenant_id: uuid.UUID, decision_id: str, count_max: int
    ) -> Sequence[StoryRecord]:
        """Every record that names a decision, in the order in which they came."""
        rows = await self._database.rows(_SQL["story"], tenant_id, decision_id, count_max)
        return [StoryRecord(*row.values()) for row in rows]

    async def run_of(self, tenant_id: uuid.UUID, decision_id: str) -> uuid.UUID | None:
        row = await self._database.row(_SQL["story_run"], tenant_id, decision_id)
        return None if row is None else row["run_id"]

    async def chain(
        self, tenant_id: uuid.UUID, gateway_id: str, first: int, end: int
    ) -> Sequence[ChainRecord]:
        """Records of a gateway from `first` up to, and without, `end`."""
        rows = await self._database.rows(_SQL["chain"], tenant_id, gateway_id, first, end)
        return [ChainRecord(row["seq"], row["hash"], row["line"]) for row in rows]

    async def chain_head(self, tenant_id: uuid.UUID, gateway_id: str) -> Head | None:
        row = await self._database.row(_SQL["chain_head"], tenant_id, gateway_id)
        return None if row is None else Head(row["seq"], row["hash"])

    async def records_after(
        self, tenant_id: uuid.UUID, after: int, last: int, wanted: RecordFilter, count_max: int
    ) -> Sequence[tuple[int, str]]:
        """Exact lines with their places, oldest first."""
        rows = await self._database.rows(
            _SQL["records_after"],
            tenant_id,
            after,
            last,
            wanted.agent,
            wanted.effect,
            wanted.kind,
            wanted.gateway_id,
            count_max,
        )
        return [(row["record_id"], row["line"]) for row in rows]


def _values(wanted: DecisionFilter, walk: Walk) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(wanted, name) for name in _FITTING}
    values["run"] = walk.runs
    return values


def _uuid(text: str) -> uuid.UUID | None:
    """The id that a text is; None for a name."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
