"""Turns a request into its canonical actions, by all mappers that were loaded.

Never raises for what a request carries: hostile input ends in a refused `Canonical`. What no
mapper knows is kind `unknown`, never a read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.canonicalize.ambiguity import AmbiguityError
from gateway.canonicalize.extractor import extract
from gateway.canonicalize.mapper import Mapper, Unmatched, load_mapper
from gateway.canonicalize.matcher import (
    Candidate,
    HostMap,
    PathTrie,
    first_that_holds,
    put_by_conditions,
)
from gateway.canonicalize.normalize import check_overrides, split_target
from gateway.canonicalize.operation import Operation
from gateway.canonicalize.reader import RequestReader
from gateway.canonicalize.selectors import AwsCall, Select, select_aws
from gateway.model.action import UNKNOWN_OPERATION, Action, Canonical, Kind, Target
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.exchange import HttpRequest
from gateway.model.vocabulary import Vocabulary

UNKNOWN_PROVIDER = "unknown"
UNKNOWN_ERRORS = "problem"
FILES_MAX = 2_000
"""More files than this in a mapper folder is a mistaken folder."""

_OPERATION_NAME = re.compile(r"[A-Za-z0-9_.]{1,128}")


@dataclass(slots=True, eq=False)
class Site:
    """All mappers of one host pattern, merged: entries by path, and by name under a selector."""

    provider: str
    errors: str
    select: Select
    prefix: tuple[str, ...]
    unmatched: Unmatched
    paths: PathTrie = field(default_factory=PathTrie)
    names: dict[str, list[Operation]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """How a request was read, step by step: for `explain`. `winner` is None where nothing fits."""

    site: Site | None
    segments: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    winner: Candidate | None
    call: AwsCall | None


class Canonicalizer:
    """Every loaded mapper, indexed by host. Immutable; swapped whole when mappers change."""

    def __init__(self, sites: HostMap[Site], mappers: Sequence[Mapper]) -> None:
        self.mappers = tuple(mappers)
        self._sites = sites

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Canonicalizer:
        """Load mapper files, or all `*.yaml` of folders.

        Raises:
            ConfigurationError: `mapper.invalid`, with every problem of every file.
        """
        problems: list[Problem] = []
        mappers: list[Mapper] = []
        for path in _load_file_names(paths, problems):
            mapper, found = load_mapper(path)
            problems += found
            if mapper is not None:
                mappers.append(mapper)
        sites, conflicts = _merge(mappers)
        if problems or conflicts:
            raise ConfigurationError("mapper.invalid", [*problems, *conflicts])
        return cls(sites, mappers)

    @property
    def operations(self) -> Iterator[Operation]:
        """Every entry of every mapper."""
        for mapper in self.mappers:
            yield from mapper.operations

    def vocabulary(self) -> Vocabulary:
        """Every name that an action of these mappers can carry, for the policy loader to check."""
        operations = tuple(self.operations)
        return Vocabulary(
            actions=frozenset(o.action for o in operations) | {UNKNOWN_OPERATION},
            operations=frozenset(o.operation for o in operations) | {UNKNOWN_OPERATION},
            providers=frozenset(o.provider for o in operations) | {UNKNOWN_PROVIDER},
        )

    def canonicalize(self, request: HttpRequest) -> Canonical:
        """Say what a request means, or why it is refused."""
        site = self._sites.find(request.authority.host)
        errors = UNKNOWN_ERRORS if site is None else site.errors
        try:
            check_overrides(request.method, request.fields)
            segments, raw_query = split_target(request.target)
            if site is None:
                return _unknown_host(request, segments)
            reader = RequestReader(request, raw_query)
            winner: Candidate | None
            if site.select is Select.AWS:
                errors, winner, name = _find_aws(site, reader, segments)
            else:
                winner, name = _find_path(site, reader, segments)
            # The winner's own conditions may have parsed the body already; the rest is lazy.
            reader.check_method()
            if winner is None:
                return _unmatched(site, request, segments, name, errors)
            reader.captured = winner.captured
            actions = extract(winner.operation, reader)
            return Canonical(actions, site.provider, errors)
        except AmbiguityError as error:
            provider = UNKNOWN_PROVIDER if site is None else site.provider
            return Canonical((), provider, errors, error.code, error.detail)

    def examine(self, request: HttpRequest) -> Finding:
        """Find all candidates for a request and the winner, for a person to look at.

        Raises:
            AmbiguityError: what `canonicalize` would refuse, as far as finding goes.
        """
        site = self._sites.find(request.authority.host)
        segments, raw_query = split_target(request.target)
        if site is None:
            return Finding(None, tuple(segments), (), None, None)
        reader = RequestReader(request, raw_query)
        call: AwsCall | None = None
        if site.select is Select.AWS:
            call = select_aws(reader, request.authority.host, segments)
            entries = site.names.get(call.name or "", [])
            found = [Candidate(entry, call.captured) for entry in entries]
        else:
            found = list(site.paths.candidates(_trimmed(segments), request.method))
        winner = first_that_holds(found, reader)
        return Finding(site, tuple(segments), tuple(found), winner, call)


def _trimmed(segments: Sequence[str]) -> Sequence[str]:
    """Without the empty segment of a trailing slash, which servers ignore."""
    return segments[:-1] if len(segments) > 1 and not segments[-1] else segments


def _find_path(
    site: Site, reader: RequestReader, segments: Sequence[str]
) -> tuple[Candidate | None, str]:
    segments = _trimmed(segments)
    winner = first_that_holds(site.paths.candidates(segments, reader.request.method), reader)
    if winner is None and site.select is Select.PATH_TAIL:
        *prefix, tail = segments
        if tuple(prefix) == site.prefix and _OPERATION_NAME.fullmatch(tail):
            return None, tail
    return winner, UNKNOWN_OPERATION


def _find_aws(
    site: Site, reader: RequestReader, segments: Sequence[str]
) -> tuple[str, Candidate | None, str]:
    call = select_aws(reader, reader.request.authority.host, segments)
    if call.name is None:
        return call.errors, None, UNKNOWN_OPERATION
    entries = site.names.get(call.name, ())
    winner = first_that_holds((Candidate(entry, call.captured) for entry in entries), reader)
    return call.errors, winner, call.name


def _unknown_host(request: HttpRequest, segments: Sequence[str]) -> Canonical:
    target = Target("endpoint", f"{request.authority.host}/{'/'.join(segments)}")
    action = Action(UNKNOWN_PROVIDER, UNKNOWN_OPERATION, UNKNOWN_OPERATION, Kind.UNKNOWN, target)
    return Canonical((action,), UNKNOWN_PROVIDER, UNKNOWN_ERRORS)


def _unmatched(
    site: Site, request: HttpRequest, segments: Sequence[str], name: str, errors: str
) -> Canonical:
    target = Target("endpoint", f"{request.authority.host}/{'/'.join(segments)}")
    action = Action(site.provider, name, site.unmatched.action, site.unmatched.kind, target)
    return Canonical((action,), site.provider, errors)


# --- loading --------------------------------------------------------------------------------------


def _load_file_names(paths: Iterable[Path], problems: list[Problem]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(path.glob("*.yaml"))
            if not found:
                problems.append(Problem(str(path), 0, 0, "the folder has no `*.yaml` file"))
            files += found
        elif path.exists():
            files.append(path)
        else:
            problems.append(Problem(str(path), 0, 0, "there is no such file or folder"))
    if len(files) > FILES_MAX:
        problems.append(Problem(str(paths), 0, 0, f"more than {FILES_MAX} files"))
    return files[:FILES_MAX]


def _merge(mappers: Sequence[Mapper]) -> tuple[HostMap[Site], list[Problem]]:
    """Index all mappers by host. Files with the same host must agree on everything but entries."""
    sites: HostMap[Site] = HostMap()
    conflicts: dict[tuple[str, str], Problem] = {}
    for mapper in mappers:
        for host in mapper.hosts:
            site = sites.get(host)
            if site is None:
                site = Site(
                    mapper.provider, mapper.errors, mapper.select, mapper.prefix, mapper.unmatched
                )
                sites.put(host, site)
            elif (site.provider, site.errors, site.select, site.prefix, site.unmatched) != (
                mapper.provider, mapper.errors, mapper.select, mapper.prefix, mapper.unmatched
            ):  # fmt: skip
                conflicts[mapper.file, host] = Problem(
                    mapper.file,
                    0,
                    0,
                    f"`{host}` belongs to provider `{site.provider}` in another file",
                    "files of one host agree on provider, errors, select, prefix and unmatched",
                )
                continue
            for operation in mapper.operations:
                equal = _add(site, operation)
                if equal is not None:
                    conflicts[operation.origin, operation.template] = _equal_entries(
                        operation, equal
                    )
    return sites, list(conflicts.values())


def _add(site: Site, operation: Operation) -> Operation | None:
    if operation.method:
        return site.paths.add(operation)
    return put_by_conditions(site.names.setdefault(operation.template, []), operation)


def _equal_entries(operation: Operation, equal: Operation) -> Problem:
    file, _, line = operation.origin.rpartition(":")
    return Problem(
        file,
        int(line),
        1,
        f"`{operation.template}` equals `{equal.template}` of {equal.origin}",
        "remove one, or tell them apart with `when`",
    )
