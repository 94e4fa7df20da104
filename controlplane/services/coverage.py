"""Says what of the agents' traffic no mapper knows, and what the shipped mappers know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controlplane.auth import Caller
from controlplane.store.coverage import CoverageStore, SeenRow, UnmappedRow
from gateway.canonicalize.canonicalizer import UNKNOWN_PROVIDER
from gateway.canonicalize.catalog.file import CatalogError, load_catalog
from gateway.canonicalize.catalog.index import load_index
from gateway.content import mappers_dir

DAYS: Final = 30
"""What nobody sent for a month need not be mapped."""

LOOKED_AT_MAX: Final = 20_000
"""Of unmapped requests, the newest: a page waits for it."""

GAPS_MAX: Final = 200
PROVIDERS_MAX: Final = 500
TEXT_LENGTH_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Gap:
    """Requests that no mapper knows: of one host, or of a known provider. `places` are their
    distinct paths; `method` and `path` are those of the newest, redacted by its gateway."""

    host: str
    provider: str
    requests: int
    agents: int
    places: int
    last_at: datetime
    method: str
    path: str
    decision_id: str


@dataclass(frozen=True, slots=True)
class ProviderCoverage:
    """`operations` are those that the shipped mappers know, 0 where only somebody's own mapper
    knows the provider. `decisions` and `actions` were seen."""

    provider: str
    operations: int
    hosts: int
    decisions: int
    actions: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """`is_whole`: all unmapped requests of the days were looked at."""

    gaps: Sequence[Gap]
    unmapped: int
    decisions: int
    is_whole: bool
    providers: Sequence[ProviderCoverage]


@dataclass(frozen=True, slots=True)
class _Known:
    operations: int
    hosts: int


class CoverageService:
    def __init__(self, store: CoverageStore) -> None:
        self._store = store
        self._known: Mapping[str, _Known] | None = None

    async def measure(self, caller: Caller) -> Coverage:
        """What the last 30 days show."""
        rows = await self._store.unmapped(caller.tenant_id, DAYS, LOOKED_AT_MAX, GAPS_MAX)
        seen = await self._store.seen(caller.tenant_id, DAYS, PROVIDERS_MAX)
        if self._known is None:
            self._known = await asyncio.to_thread(_read_known)
        unmapped = sum(row.requests for row in rows)
        return Coverage(
            [_gap(row) for row in rows],
            unmapped,
            sum(row.decisions for row in seen),
            unmapped < LOOKED_AT_MAX and len(rows) < GAPS_MAX,
            _providers(self._known, seen),
        )


def _gap(row: UnmappedRow) -> Gap:
    """A line was accepted without a look at its fields, so each may be anything."""
    try:
        fields = json.loads(row.line)
    except (ValueError, RecursionError):
        fields = None
    line = fields if isinstance(fields, dict) else {}
    return Gap(
        row.host or _text(line.get("authority")),
        row.provider,
        row.requests,
        row.agents,
        row.places,
        row.last_at,
        _text(line.get("method")),
        _text(line.get("path")),
        _text(line.get("decision_id")),
    )


def _text(value: object) -> str:
    return value[:TEXT_LENGTH_MAX] if isinstance(value, str) else ""


def _providers(known: Mapping[str, _Known], seen: Sequence[SeenRow]) -> list[ProviderCoverage]:
    """Those that agents call first, then all that could be called."""
    nothing = _Known(0, 0)
    found = [
        ProviderCoverage(
            row.provider,
            known.get(row.provider, nothing).operations,
            known.get(row.provider, nothing).hosts,
            row.decisions,
            row.actions,
        )
        for row in seen
        if row.provider != UNKNOWN_PROVIDER
    ]
    called = {row.provider for row in seen}
    found += [
        ProviderCoverage(name, one.operations, one.hosts, 0, 0)
        for name, one in sorted(known.items())
        if name not in called
    ]
    return found


def _read_known() -> Mapping[str, _Known]:
    """The shipped mappers, by provider. Headers alone are read; one that can't be is left out."""
    folder = mappers_dir() / "catalogs"
    try:
        listings = load_index(folder).listings
    except CatalogError:
        return {}
    catalogs: dict[str, set[str]] = {}
    operations: dict[str, set[str]] = {}
    hosts: dict[str, set[str]] = {}
    for listing in listings.values():
        catalogs.setdefault(listing.provider, set()).update({listing.catalog} - {""})
        operations.setdefault(listing.provider, set()).update(listing.operations)
        hosts.setdefault(listing.provider, set()).update(listing.hosts)
    found = {}
    for provider, names in catalogs.items():
        # A catalog counts its own; entries by hand mostly stand for operations of it.
        count = 0
        for name in names:
            try:
                count += load_catalog(folder / f"{name}.cat").operations
            except CatalogError:
                continue
        found[provider] = _Known(max(count, len(operations[provider])), len(hosts[provider]))
    return found
