"""Turns a request into its canonical actions, by all mappers that were loaded.

Never raises for what a request carries: hostile input ends in a refused `Canonical`. What no
mapper knows is kind `unknown`, never a read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from gateway.canonicalize.authored.choices import Select
from gateway.canonicalize.authored.mapper import Mapper
from gateway.canonicalize.authored.operation import Operation
from gateway.canonicalize.catalog.index import hosts_of
from gateway.canonicalize.catalog.names import action_names, operation_names
from gateway.canonicalize.expand import TEXTS, expand
from gateway.canonicalize.expand.acts import Resolve
from gateway.canonicalize.grpc import grpc_action, grpc_operation
from gateway.canonicalize.hosts import HostMap
from gateway.canonicalize.library import Library, MapperFile, load_library
from gateway.canonicalize.matcher import Candidate, first_that_holds
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.normalize import check_overrides, split_target, trimmed
from gateway.canonicalize.request.reader import RequestReader
from gateway.canonicalize.request.stable import stable_body
from gateway.canonicalize.selectors.aws import AwsCall, select_aws
from gateway.canonicalize.selectors.aws_entries import (
    entries_of,
    find_aws,
    index_of,
    needed_sections,
)
from gateway.canonicalize.site import LazySite, Part, Site, load_site
from gateway.canonicalize.verdicts import problems_of
from gateway.canonicalize.websocket import (
    UNREAD_NAMES,
    entry_method,
    reads_messages,
    unread_action,
)
from gateway.model.action import ANY_PARAM, UNKNOWN_OPERATION, Action, Canonical, Kind, Target
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.exchange import HttpRequest
from gateway.model.vocabulary import Vocabulary

# Looking up a member on its enum costs as much as a call in Python 3.11.
_AWS, _PATH_TAIL = Select.AWS, Select.PATH_TAIL

UNKNOWN_PROVIDER = "unknown"
UNKNOWN_ERRORS = "problem"

_NOT_READ = frozenset({ANY_PARAM})
"""Of a request that no entry describes: whatever it may carry, nobody has looked."""

_OPERATION_NAME = re.compile(r"[A-Za-z0-9_.]{1,128}")


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """How a request was read, step by step: for `explain`. `winner` is None where nothing fits."""

    site: Site | None
    segments: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    winner: Candidate | None
    call: AwsCall | None


class Canonicalizer:
    """Every mapper in use, indexed by host. Immutable; swapped whole when mappers change.

    Shipped mappers and their catalogs are read when their host is first called: `is_ready` tells
    whether a request can be canonicalized without reading a file; otherwise `canonicalize` reads
    what it needs, and belongs into a thread beside the event loop.
    """

    def __init__(self, sites: HostMap[LazySite], library: Library) -> None:
        self._sites = sites
        self._library = library

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Canonicalizer:
        """Load mapper files, or all `*.yaml` of folders. What the index of a folder describes is
        read later; everything else now, and strictly.

        Raises:
            ConfigurationError: `mapper.invalid`, with every problem of every file.
            CatalogError: a catalog can't be used.
        """
        library, problems = load_library(paths)
        eager: set[Path] = set()
        for file in library.files:
            if file.listing is None:
                eager.add(file.path)
                try:
                    library.load_mapper(file.path)
                except ConfigurationError as error:
                    problems += error.problems
        if problems:
            raise ConfigurationError("mapper.invalid", problems)
        sites, groups = _place(library)
        for lazy, files in groups:
            if not eager.isdisjoint(files):
                problems += problems_of(lazy.site, eager)
        if problems:
            raise ConfigurationError("mapper.invalid", problems)
        return cls(sites, library)

    def check(self) -> list[Problem]:
        """Read everything now, and compile every entry; give all problems. Takes seconds."""
        every = {file.path for file in self._library.files}
        sites = {id(lazy): lazy.site for _, lazy in self._sites.patterns()}
        for site in sites.values():
            site.load_all()
        return [problem for site in sites.values() for problem in problems_of(site, every)]

    @property
    def mappers(self) -> tuple[Mapper, ...]:
        """Every mapper file, read."""
        return tuple(self._library.load_mapper(file.path) for file in self._library.files)

    @property
    def catalogs(self) -> dict[str, Path]:
        """The files of the catalogs that these mappers extend, by name."""
        extended = {mapper.extends for mapper in self.mappers if mapper.extends}
        return {name: self._library.catalog_paths[name] for name in sorted(extended)}

    @property
    def operations(self) -> Iterator[Operation]:
        """Every entry that a mapper writes out; those of catalogs are in their files."""
        for mapper in self.mappers:
            yield from mapper.operations

    def vocabulary(self) -> Vocabulary:
        """Every name that an action of these mappers can carry, for the policy loader to check."""
        actions, operations, providers = {UNKNOWN_OPERATION}, {UNKNOWN_OPERATION}, set()
        for file in self._library.files:
            if file.listing is not None:
                actions.update(file.listing.actions)
                operations.update(file.listing.operations)
                providers.add(file.listing.provider)
                continue
            mapper = self._library.load_mapper(file.path)
            changed = [over.fields.get("action", UNKNOWN_OPERATION) for over in mapper.overrides]
            actions.update(changed, (entry.action for entry in mapper.operations))
            operations.update(entry.operation for entry in mapper.operations)
            providers.add(mapper.provider)
        catalogs = list(self._library.catalog_paths.values())
        return Vocabulary(
            actions=action_names(catalogs, frozenset(actions | UNREAD_NAMES)),
            operations=operation_names(catalogs, frozenset(operations | UNREAD_NAMES)),
            providers=frozenset(providers) | {UNKNOWN_PROVIDER},
        )

    # --- loading while requests come --------------------------------------------------------------

    def is_ready(self, request: HttpRequest) -> bool:
        """Whether all that this request needs is in memory."""
        lazy = self._sites.find(request.authority.host)
        if lazy is None:
            return True
        if not lazy.is_loaded:
            return False
        site = lazy.site
        if site.select is _AWS:
            return all(map(site.has, _needed(site, request)))
        if not site.waiting:
            return True
        # As the bytes are: what is percent-encoded would be read in the act, late but rightly.
        path = request.target.partition(b"?")[0].decode("latin-1")
        return not site.waits_for(path.split("/"))

    # --- one request ------------------------------------------------------------------------------

    def canonicalize(self, request: HttpRequest) -> Canonical:
        """Say what a request means, or why it is refused."""
        return self._canonicalize(request, self._within_batch)

    def _within_batch(self, request: HttpRequest) -> Canonical:
        return self._canonicalize(request, _refuse_batch)

    def _canonicalize(self, request: HttpRequest, resolve: Resolve) -> Canonical:
        lazy = self._sites.find(request.authority.host)
        site = None if lazy is None else lazy.site
        errors = UNKNOWN_ERRORS if site is None else site.errors
        try:
            check_overrides(request.method, request.fields)
            if site is not None:
                entry = site.main.paths.exact.get((entry_method(request), request.target))
                if entry is not None:
                    reader = RequestReader(request, "", untyped_json=site.takes_untyped_json)
                    return _act(site, Candidate(entry, ()), reader, resolve, errors)
            keeps = site is not None and (site.keeps_slashes or site.select is _AWS)
            segments, raw_query = split_target(request.target, keeps_slashes=keeps)
            if site is None:
                unread = unread_action(UNKNOWN_PROVIDER, request, segments)
                if unread is not None:
                    return Canonical((unread,), UNKNOWN_PROVIDER, UNKNOWN_ERRORS)
                return _unknown_host(request, segments)
            reader = RequestReader(request, raw_query, untyped_json=site.takes_untyped_json)
            winner: Candidate | None
            if _is_aws_call(site, request):
                call, winner, named = find_aws(site, reader, segments)
                errors, name = call.errors, named or UNKNOWN_OPERATION
            else:
                winner, name = _find_path(site, reader, segments)
            if winner is None:
                reader.check_method()
                unread = unread_action(site.provider, request, segments)
                if unread is not None:
                    return Canonical((unread,), site.provider, errors)
                called = _grpc_action(site, request)
                if called is not None:
                    return Canonical((called,), site.provider, errors)
                return _unmatched(site, request, segments, name, errors)
            return _act(site, winner, reader, resolve, errors)
        except AmbiguityError as error:
            provider = UNKNOWN_PROVIDER if site is None else site.provider
            return Canonical((), provider, errors, error.code, error.detail)

    def reads_messages(self, handshake: HttpRequest) -> bool:
        """Whether entries describe what an agent sends in the WebSocket that this opens."""
        lazy = self._sites.find(handshake.authority.host)
        return lazy is not None and reads_messages(lazy.site, handshake)

    def examine(self, request: HttpRequest) -> Finding:
        """Find all candidates for a request and the winner, for a person to look at.

        Raises:
            AmbiguityError: what `canonicalize` would refuse, as far as finding goes.
        """
        lazy = self._sites.find(request.authority.host)
        keeps = lazy is not None and (lazy.site.keeps_slashes or lazy.site.select is _AWS)
        segments, raw_query = split_target(request.target, keeps_slashes=keeps)
        if lazy is None:
            return Finding(None, tuple(segments), (), None, None)
        site = lazy.site
        reader = RequestReader(request, raw_query, untyped_json=site.takes_untyped_json)
        call: AwsCall | None = None
        if _is_aws_call(site, request):
            call = select_aws(reader, request.authority.host, segments, index_of(site))
            sections = [site.section(service) for service in call.services]
            found = [
                c for section in sections if section for c in entries_of(call, section, reader)
            ]
        else:
            site.load_within(segments)
            found = list(site.main.paths.candidates(trimmed(segments), entry_method(request)))
        winner = first_that_holds(found, reader)
        return Finding(site, tuple(segments), tuple(found), winner, call)


def _act(
    site: Site, winner: Candidate, reader: RequestReader, resolve: Resolve, errors: str
) -> Canonical:
    """What a request means that matched an entry."""
    # The winner's own conditions may have parsed the body already; the rest is lazy.
    operation = winner.operation
    reader.check_method(is_text=operation.expand in TEXTS)
    reader.captured = winner.captured
    if operation.expand:
        actions = expand(operation, reader, resolve, site.main.names)
    else:
        actions = winner.entry.extractor.actions(reader)
    stable = stable_body(reader, site.volatile) if site.volatile else None
    headers = frozenset(reader.headers_read)
    return Canonical(actions, site.provider, errors, stable_body=stable, headers_read=headers)


def _refuse_batch(_request: HttpRequest) -> Canonical:
    raise AmbiguityError(ambiguity.BODY, "a batch stands inside a batch")


def _is_aws_call(site: Site, request: HttpRequest) -> bool:
    return site.select is _AWS and not request.is_websocket and request.message is None


def _needed(site: Site, request: HttpRequest) -> tuple[str, ...]:
    """The sections of AWS services that a request needs; none where it will be refused."""
    query = request.target.partition(b"?")[2].decode("latin-1")
    try:
        return needed_sections(site, RequestReader(request, query))
    except AmbiguityError:
        return ()


def _find_path(
    site: Site, reader: RequestReader, segments: Sequence[str]
) -> tuple[Candidate | None, str]:
    segments = trimmed(segments)
    method = entry_method(reader.request)
    if site.waiting:
        site.load_within(segments)
    paths = site.main.paths
    winner = first_that_holds(paths.candidates(segments, method), reader)
    if winner is not None:
        return winner, UNKNOWN_OPERATION
    if site.select is _PATH_TAIL:
        *prefix, tail = segments
        if tuple(prefix) == site.prefix and _OPERATION_NAME.fullmatch(tail):
            return None, tail
    elif paths.has_in_other_case(segments, method):
        raise AmbiguityError(ambiguity.PATH, "the path differs from a known one in case only")
    return winner, UNKNOWN_OPERATION


def _grpc_action(site: Site, request: HttpRequest) -> Action | None:
    """What a gRPC call to a known host does; None for anything else."""
    media_type = request.fields.get(b"content-type", b"")
    if request.method != "POST" or not media_type.startswith(b"application/grpc"):
        return None
    operation = grpc_operation(request.target.decode("latin-1"), media_type.decode("latin-1"))
    if operation is None:
        return None
    is_described = any(part.catalog is not None for part in site.parts)
    return grpc_action(operation, site.provider, is_known_host=is_described)


def _unknown_host(request: HttpRequest, segments: Sequence[str]) -> Canonical:
    target = Target("endpoint", f"{request.authority.host}/{'/'.join(segments)}")
    action = Action(
        UNKNOWN_PROVIDER,
        UNKNOWN_OPERATION,
        UNKNOWN_OPERATION,
        Kind.UNKNOWN,
        target,
        missing=_NOT_READ,
        unreadable=_NOT_READ,
    )
    return Canonical((action,), UNKNOWN_PROVIDER, UNKNOWN_ERRORS)


def _unmatched(
    site: Site, request: HttpRequest, segments: Sequence[str], name: str, errors: str
) -> Canonical:
    target = Target("endpoint", f"{request.authority.host}/{'/'.join(segments)}")
    unmatched = site.unmatched
    action = Action(
        site.provider,
        name,
        unmatched.action,
        unmatched.kind,
        target,
        missing=_NOT_READ,
        unreadable=_NOT_READ,
    )
    return Canonical((action,), site.provider, errors)


# --- loading --------------------------------------------------------------------------------------


def _place(library: Library) -> tuple[HostMap[LazySite], list[tuple[LazySite, list[Path]]]]:
    """A lazy site for each group of hosts that have the same mappers and sections."""
    found: dict[str, list[tuple[MapperFile, tuple[str, ...]]]] = {}
    for file in library.files:
        for pattern, sections in _load_hosts(library, file).items():
            found.setdefault(pattern, []).append((file, sections))
    sites: HostMap[LazySite] = HostMap()
    groups: dict[tuple[tuple[Path, tuple[str, ...]], ...], tuple[LazySite, list[Path]]] = {}
    for pattern, parts in found.items():
        key = tuple((file.path, sections) for file, sections in parts)
        if key not in groups:
            lazy = LazySite(partial(_load_parts, library, parts))
            groups[key] = lazy, [file.path for file, _ in parts]
        sites.put(pattern, groups[key][0])
    return sites, list(groups.values())


def _load_hosts(library: Library, file: MapperFile) -> dict[str, tuple[str, ...]]:
    if file.listing is not None:
        return dict(file.listing.hosts)
    mapper = library.load_mapper(file.path)
    return hosts_of(mapper, library.load_catalog(mapper.extends) if mapper.extends else None)


def _load_parts(library: Library, parts: Sequence[tuple[MapperFile, tuple[str, ...]]]) -> Site:
    loaded = []
    for file, sections in parts:
        mapper = library.load_mapper(file.path)
        catalog = library.load_catalog(mapper.extends) if mapper.extends else None
        loaded.append(Part(mapper, catalog, sections))
    return load_site(loaded)
