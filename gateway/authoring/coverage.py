"""Says how much of some traffic is mapped, and what is not, most frequent first.

Of what a gateway recorded, its own finding at that time counts: the record has no bodies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field

from gateway.authoring.observed import Observed
from gateway.authoring.recordings.traffic import Entry, Recorded, Unread, Written
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.site import Site
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

PLACES_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Gap:
    """Requests of one host, method and template that no mapper knows."""

    count: int
    host: str
    method: str
    template: str


@dataclass(slots=True)
class Coverage:
    """What was counted. `undecided` are mapped to kind `unknown`; `refused` maps codes to how
    often; `pages` are what a browser loads by itself, left out of everything else."""

    requests: int = 0
    mapped: int = 0
    undecided: int = 0
    pages: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    unread_count: int = 0
    by_host: dict[str, list[int]] = field(default_factory=dict)
    """Requests and mapped ones of each host."""
    rest: Observed = field(default_factory=Observed)
    """What is not mapped."""
    sites: dict[str, Site | None] = field(default_factory=dict)

    def gaps(self) -> list[Gap]:
        """What is not mapped, most frequent first."""
        found = [
            Gap(call.count, host, call.method, call.template)
            for host in self.rest.requests
            for call in self.rest.calls([host])
        ]
        return sorted(found, key=lambda gap: (-gap.count, gap.host, gap.template, gap.method))


def measure(
    entries: Iterable[Entry], canonicalizer: Canonicalizer, *, with_pages: bool = False
) -> Coverage:
    """Count some traffic.

    Raises:
        RecordingError: the recording can't be read any further.
        CatalogError: a catalog can't be used.
    """
    coverage = Coverage()
    for entry in entries:
        if isinstance(entry, Unread):
            coverage.unread_count += 1
            if len(coverage.unread) < PLACES_SHOWN_MAX:
                coverage.unread.append(f"{entry.place}: {entry.why}")
        elif isinstance(entry, Written):
            _count_written(coverage, entry)
        elif entry.is_page and not with_pages:
            coverage.pages += 1
        else:
            _count_request(coverage, entry, canonicalizer)
    return coverage


def _count(coverage: Coverage, host: str, *, is_mapped: bool) -> None:
    coverage.requests += 1
    coverage.mapped += is_mapped
    counts = coverage.by_host.setdefault(host, [0, 0])
    counts[0] += 1
    counts[1] += is_mapped


def _count_written(coverage: Coverage, entry: Written) -> None:
    _count(coverage, entry.host, is_mapped=entry.is_mapped)
    if entry.refused:
        coverage.refused[entry.refused] += 1
    elif not entry.is_mapped:
        coverage.rest.add_path(entry.host, entry.method, entry.path)


def _count_request(coverage: Coverage, entry: Recorded, canonicalizer: Canonicalizer) -> None:
    request = entry.request
    host = request.authority.host
    canonical = canonicalizer.canonicalize(request)
    if canonical.refused is not None:
        _count(coverage, host, is_mapped=False)
        coverage.refused[canonical.refused] += 1
        return
    try:
        finding = canonicalizer.examine(request)
    except AmbiguityError:
        is_mapped = False
    else:
        is_mapped = finding.winner is not None
        coverage.sites.setdefault(host, finding.site)
    _count(coverage, host, is_mapped=is_mapped)
    if not is_mapped:
        coverage.rest.add(request, entry.status)
    elif any(action.kind is Kind.UNKNOWN for action in canonical.actions):
        coverage.undecided += 1
