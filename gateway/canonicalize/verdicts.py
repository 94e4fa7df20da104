"""Finds what is wrong with the mappers of a host beside each other: owners that differ, entries
that are equal, overrides of operations that don't exist or whose addresses don't fit."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from pathlib import Path

import orjson

from gateway.canonicalize.authored.choices import Select
from gateway.canonicalize.authored.document import nearest
from gateway.canonicalize.authored.mapper import Mapper
from gateway.canonicalize.authored.overrides import Override
from gateway.canonicalize.catalog.file import load_catalog, load_section
from gateway.canonicalize.matcher import Entry
from gateway.canonicalize.site import Part, Site, compile_line
from gateway.model.errors import Problem


def problems_of(site: Site, files: Collection[Path]) -> list[Problem]:
    """All problems of a site that one of these files has a part in."""
    problems: dict[tuple[object, ...], Problem] = {}
    first = site.parts[0].mapper
    for part in site.parts[1:]:
        if _owner(part.mapper) != _owner(first):
            problems[part.mapper.file, "owner"] = Problem(
                part.mapper.file,
                0,
                0,
                f"{_shown(part.mapper)} belongs to provider `{first.provider}` in another file",
                "files of one host agree on provider, errors, select, prefix and unmatched",
            )
    for entry, other in site.equal:
        problems[entry.operation.origin, entry.operation.template] = _equal(entry, other)
    for part in site.parts:
        if part.catalog is not None and Path(part.mapper.file) in files:
            for problem in _override_problems(site, part):
                problems[problem.file, problem.line, problem.message] = problem
    return list(problems.values())


def _owner(mapper: Mapper) -> tuple[object, ...]:
    return (
        mapper.provider, mapper.errors, mapper.select, mapper.prefix, mapper.unmatched,
        mapper.ignores_case,
    )  # fmt: skip


def _shown(mapper: Mapper) -> str:
    return f"`{mapper.hosts[0]}`" if mapper.hosts else "a host of its catalog"


def _equal(entry: Entry, equal: Entry) -> Problem:
    file, _, line = entry.operation.origin.rpartition(":")
    return Problem(
        file,
        int(line) if line.isdigit() else 0,
        1,
        f"`{entry.operation.template}` equals `{equal.operation.template}` of "
        f"{equal.operation.origin}",
        "remove one, or tell them apart with `when`",
    )


def _override_problems(site: Site, part: Part) -> Iterator[Problem]:
    """Overrides of nothing, and those that don't compile over their row."""
    assert part.catalog is not None
    overrides: dict[str, list[Override]] = {}
    for override in part.mapper.overrides:
        overrides.setdefault(override.operation, []).append(override)
    services = {name.partition(".")[0] for name in overrides}
    found = set()
    for section in part.sections:
        if site.select is Select.AWS and section not in services:
            continue
        facts = part.catalog.sections[section].facts
        for line in load_section(part.catalog, section):
            name = orjson.loads(line)[0]
            found.add(name)
            for override in overrides.get(name, ()):
                try:
                    compile_line(part, facts, line, override)
                except ValueError as error:
                    yield Problem(part.mapper.file, override.line, 1, str(error))
    if overrides.keys() <= found:
        return
    # Sections with hosts of their own make sites of their own: what is missing here may be there.
    names = _load_names(part.catalog.path, part.catalog.digest)
    for name in overrides.keys() - names:
        message = f"the catalog `{part.mapper.extends}` has no operation `{name}`"
        help_text = _load_nearest(part.catalog.path, part.catalog.digest, name)
        yield Problem(part.mapper.file, overrides[name][0].line, 1, message, help_text)


@functools.lru_cache(maxsize=8)
def _load_names(path: Path, _digest: str) -> frozenset[str]:
    """Every operation of a catalog; the digest is that of the file, so that a new one is read."""
    catalog = load_catalog(path)
    return frozenset(
        orjson.loads(line)[0] for name in catalog.sections for line in load_section(catalog, name)
    )


@functools.lru_cache(maxsize=256)
def _load_nearest(path: Path, digest: str, name: str) -> str:
    """The help for a wrong name, found once and not again for each host of the catalog."""
    return nearest(name, _load_names(path, digest))
