"""Proposes mappers from recordings, from what coverage found unmapped, from published documents."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.authoring.coverage import Coverage
from gateway.authoring.imports.agreement import agreed
from gateway.authoring.imports.openapi import rows_of_openapi
from gateway.authoring.observed import Observed
from gateway.authoring.proposals import Proposal, ProposalError, Proposed, provider_of
from gateway.authoring.recorded import entries_of
from gateway.canonicalize.authored.choices import Select
from gateway.canonicalize.authored.mapper import Unmatched
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE, Taxonomy, load_taxonomy
from gateway.canonicalize.catalog.file import NewSection
from gateway.canonicalize.site import Site
from gateway.content import mappers_dir
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_NOTE = "Look at every line with `decide:`, then run `checkrein mappers check` and `test`."


@functools.cache
def _shipped_taxonomy() -> Taxonomy | None:
    """What travels with the product, read once: it never changes while a process lives."""
    taxonomy, _ = load_taxonomy(mappers_dir() / TAXONOMY_FILE)
    return taxonomy


def _with_shared_names(entries: Sequence[Proposed]) -> list[Proposed]:
    """The entries under the taxonomy's names where it has one for the same act, so that rules that
    are there already cover them. What somebody has to decide on keeps its plain name."""
    taxonomy = _shipped_taxonomy()
    if taxonomy is None:
        return list(entries)
    (section,) = agreed([NewSection("", [entry.row for entry in entries])], taxonomy)
    return [
        entry
        if entry.row.kind is Kind.UNKNOWN
        else replace(entry, row=replace(entry.row, action=row.action, kind=row.kind))
        for entry, row in zip(entries, section.rows, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal, the hosts (with their requests) that it leaves out, and what can't be used."""

    proposal: Proposal
    left_out: Sequence[tuple[str, int]] = ()
    problems: Sequence[str] = ()


def draft_of_recording(
    observed: Observed, *, hosts: Sequence[str] = (), provider: str = "", only: str = ""
) -> Draft:
    """Propose a mapper for what was recorded at some hosts, or at the one with most requests.

    Raises:
        ProposalError: nothing was recorded there.
    """
    chosen = _chosen(observed, hosts)
    calls = [call for call in observed.calls(chosen) if not only or _fits(call.template, only)]
    count = sum(call.count for call in calls)
    proposal = Proposal(
        provider or provider_of(chosen[0]),
        chosen,
        _with_shared_names(entries_of(calls)),
        [f"Proposed from {count} recorded requests. {_NOTE}"],
    )
    return Draft(proposal, _rest(observed, chosen))


def draft_of(coverage: Coverage, hosts: Sequence[str] = ()) -> Draft:
    """Propose a mapper for what coverage found unmapped; it fits beside the mapper of its host.

    Raises:
        ProposalError: all is mapped, or the host is one whose operations have names and no paths.
    """
    observed = coverage.rest
    if not observed.requests:
        raise ProposalError("everything is mapped")
    chosen = _chosen(observed, hosts)
    draft = draft_of_recording(observed, hosts=chosen)
    site = next((site for host in chosen if (site := coverage.sites.get(host))), None)
    if site is None:
        return draft
    if site.select is Select.AWS:
        raise ProposalError(f"`{chosen[0]}` is AWS: its operations come from its catalog")
    proposal = Proposal(
        site.provider,
        chosen,
        draft.proposal.entries,
        [*draft.proposal.notes, f"To stand beside the mapper of provider `{site.provider}`."],
        _settings(site),
    )
    return Draft(proposal, draft.left_out)


def _settings(site: Site) -> Mapping[str, object]:
    """What files of one host must agree on."""
    settings: dict[str, object] = {"errors": site.errors}
    if site.select is Select.PATH_TAIL:
        settings |= {"select": site.select.value, "prefix": "/" + "/".join(site.prefix)}
    if site.unmatched != Unmatched():
        settings["unmatched"] = {
            "action": site.unmatched.action,
            "kind": site.unmatched.kind.value,
        }
    return settings


def draft_of_openapi(
    document: Mapping[str, Any], *, hosts: Sequence[str] = (), provider: str = "", only: str = ""
) -> Draft:
    """Propose a mapper for a published document.

    Raises:
        ProposalError: it names no host and none is given, or has no operation.
    """
    name = provider or _title(document)
    found = rows_of_openapi(document, provider=name or "api")
    used = tuple(hosts) or found.hosts
    if not used:
        raise ProposalError("the document names no host: add `--host api.example.com`")
    name = name or provider_of(used[0])
    rows = [row for row in found.rows if not only or _fits(row.wire.partition(" ")[2], only)]
    entries = [
        Proposed(row, _DECIDE if row.kind is Kind.UNKNOWN and not row.expand else "")
        for row in rows
    ]
    notes = [f"Proposed from a published document. {_NOTE}"]
    proposal = Proposal(name, used, _with_shared_names(entries), notes)
    return Draft(proposal, problems=found.problems)


_DECIDE = "decide: create, update, delete, execute, send, admin, or read"


def _title(document: Mapping[str, Any]) -> str:
    """The provider that the document's title names, where it is one word."""
    info = document.get("info")
    title = info.get("title") if isinstance(info, Mapping) else None
    words = [word for word in str(title or "").lower().split() if word not in ("api", "rest")]
    return words[0] if len(words) == 1 and words[0].isascii() and words[0].isalpha() else ""


def _chosen(observed: Observed, hosts: Sequence[str]) -> list[str]:
    if not observed.requests:
        raise ProposalError("there is no request of an API in it")
    if not hosts:
        ranked = sorted(observed.requests.items(), key=lambda item: (-item[1], item[0]))
        return [ranked[0][0]]
    found = [
        host for host in observed.requests if any(fnmatch.fnmatchcase(host, one) for one in hosts)
    ]
    if not found:
        there = ", ".join(f"`{host}`" for host, _ in observed.requests.most_common(10))
        raise ProposalError(f"nothing is there of `{hosts[0]}`; there are {there}")
    return sorted(found)


def _rest(observed: Observed, chosen: Sequence[str]) -> list[tuple[str, int]]:
    return [item for item in observed.requests.most_common() if item[0] not in chosen]


def _fits(path: str, only: str) -> bool:
    return fnmatch.fnmatchcase(path, only)
