"""What is known of a host: the entries of all mappers that name it, merged with their catalogs.

Built when the host is first called. The entries that a person wrote stand over the catalog's: one
by path replaces the catalog's rows of its operation, one by name changes fields of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import Any

import orjson

from gateway.canonicalize.authored.choices import Select
from gateway.canonicalize.authored.mapper import Mapper, Unmatched
from gateway.canonicalize.authored.operation import Operation
from gateway.canonicalize.authored.overrides import Override
from gateway.canonicalize.authored.template import split_template
from gateway.canonicalize.catalog.compiled import compile_row, compile_when
from gateway.canonicalize.catalog.file import CatalogFile, load_section, section_of
from gateway.canonicalize.catalog.lines import row_of
from gateway.canonicalize.expand import preload
from gateway.canonicalize.matcher import Entry, PathTrie, entry_of, put_by_conditions
from gateway.model.dataclass import dataclass

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One mapper at a host, with the catalog below it and the catalog's sections that are there."""

    mapper: Mapper
    catalog: CatalogFile | None
    sections: tuple[str, ...]


class Section:
    """Entries that are loaded together: by path, and by name for what a selector finds."""

    __slots__ = ("facts", "name", "names", "paths")

    def __init__(self, name: str, facts: Mapping[str, Any], *, ignores_case: bool = False) -> None:
        self.name = name
        self.facts = facts
        self.paths = PathTrie(ignores_case=ignores_case)
        self.names: dict[str, list[Entry]] = {}

    def add(self, entry: Entry) -> Entry | None:
        """Add an entry; give back the one that it equals, if there is one already."""
        if entry.segments:
            return self.paths.add(entry)
        return put_by_conditions(self.names.setdefault(entry.name, []), entry)


@dataclass(slots=True, eq=False)
class Site:
    """A host, or a group of hosts with the same mappers.

    Under `Select.AWS` each service is a section of its own, loaded by `section`; everywhere else
    all stand in `main`. `facts` are those of every section, loaded or not.
    """

    provider: str
    errors: str
    select: Select
    prefix: tuple[str, ...]
    unmatched: Unmatched
    parts: tuple[Part, ...]
    main: Section
    facts: Mapping[str, Mapping[str, Any]]
    equal: list[tuple[Entry, Entry]] = field(default_factory=list)
    """Pairs of entries that nothing tells apart; the first of each is used."""
    keeps_slashes: bool = False
    """`%2F` is a part of its segment for these servers (object names), and no separator."""
    takes_untyped_json: bool = False
    """A body without a content type is JSON for these servers."""
    volatile: frozenset[str] = frozenset()
    """Keys of bodies whose values don't belong to an act."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What a selector computes once from the facts."""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    """Sections of `main` that are read when a path first has their literal in it, by that literal
    in lower case. Their fact `within` says so; a section without it is read with the site."""
    _sections: dict[str, Section] = field(default_factory=dict)

    def waits_for(self, segments: Sequence[str]) -> list[str]:
        """The sections that a path needs and that are not read yet."""
        waiting = self.waiting
        found = [literal for part in segments if (literal := part.lower()) in waiting]
        return [name for literal in found for name in waiting.get(literal, ())] if found else found

    def load_within(self, segments: Sequence[str]) -> None:
        """Read what `waits_for` names. A path without the literal can't match an entry of such a
        section, so others may be matched meanwhile.

        Raises:
            CatalogError: the catalog is damaged.
        """
        for name in self.waits_for(segments):
            if name not in self._sections:
                for part in self.parts:
                    if name in part.sections:
                        self.equal += _rows(self.main, part, name)
                self._sections[name] = self.main
        for literal in {part.lower() for part in segments} & self.waiting.keys():
            if all(name in self._sections for name in self.waiting.get(literal, ())):
                self.waiting.pop(literal, None)

    def load_all(self) -> None:
        """Read every section that waits, as a check does."""
        self.load_within(tuple(self.waiting))

    def has(self, name: str) -> bool:
        """Whether a section needs no loading."""
        return name in self._sections or name not in self.facts

    def section(self, name: str) -> Section | None:
        """A service's entries, loaded at the first call; None for one that nobody describes.

        Raises:
            CatalogError: the catalog is damaged.
        """
        found = self._sections.get(name)
        if found is None and name in self.facts:
            found = self.load_section(name)
        return found

    def load_section(self, name: str) -> Section:
        """Read and index a service, whatever is loaded already."""
        section = Section(name, self.facts[name])
        for part in self.parts:
            for operation in part.mapper.operations:
                if operation.operation.partition(".")[0] == name:
                    section.add(entry_of(operation))
            if part.catalog is not None and name in part.sections:
                self.equal += _rows(section, part, name)
        self._sections[name] = section
        return section


def load_site(parts: Sequence[Part]) -> Site:
    """Merge the mappers of a host."""
    first = parts[0].mapper
    facts: dict[str, Mapping[str, Any]] = {}
    for part in parts:
        if part.catalog is not None:
            facts |= {name: section_of(part.catalog, name).facts for name in part.sections}
        if first.select is Select.AWS:
            for operation in part.mapper.operations:
                facts.setdefault(operation.operation.partition(".")[0], _NOTHING)
    main = Section("", _NOTHING, ignores_case=first.ignores_case)
    site = Site(
        first.provider, first.errors, first.select, first.prefix, first.unmatched, tuple(parts),
        main, facts,
    )  # fmt: skip
    site.volatile = frozenset().union(*(part.mapper.volatile for part in parts))
    if first.select is Select.AWS:
        return site
    site.keeps_slashes = _all_say(facts, "encoded_slash", "kept")
    site.takes_untyped_json = _all_say(facts, "untyped_body", "json")
    for part in parts:
        for operation in part.mapper.operations:
            preload(operation.expand)
            entry = entry_of(operation)
            other = main.add(entry)
            if other is not None:
                site.equal.append((entry, other))
    for part in parts:
        if part.catalog is not None:
            for name in part.sections:
                within = facts[name].get("within", ())
                for literal in within:
                    site.waiting.setdefault(literal, []).append(name)
                if not within:
                    site.equal += _rows(main, part, name)
    return site


def _all_say(facts: Mapping[str, Mapping[str, Any]], name: str, value: str) -> bool:
    """Whether every section of a host has a fact; what one of them lacks holds for none."""
    return bool(facts) and all(one.get(name) == value for one in facts.values())


def _rows(section: Section, part: Part, name: str) -> Iterator[tuple[Entry, Entry]]:
    """Index the rows of a catalog's section; give the pairs of them that are equal."""
    assert part.catalog is not None
    written = {(entry.operation, entry.method) for entry in part.mapper.operations}
    overrides: dict[str, list[Override]] = {}
    for override in part.mapper.overrides:
        overrides.setdefault(override.operation, []).append(override)
    facts = section_of(part.catalog, name).facts
    for line in load_section(part.catalog, name):
        values = orjson.loads(line)
        method, _, path = values[1].partition(" ")
        if (values[0], method) in written:
            continue
        segments = split_template(path) if path else ()
        extra = values[7] if len(values) > 7 else _NOTHING
        when = extra.get("when", _NOTHING)
        changes: list[Override | None] = [*overrides.get(values[0], ())]
        if "expand" in extra:
            preload(extra["expand"])
        for change in changes:
            if change is not None and "expand" in change.fields:
                preload(change.fields["expand"])
        if all(change is not None and change.when for change in changes):
            changes.append(None)
        for change in changes:
            all_when = {**when, **change.when} if change is not None else when
            conditions = compile_when(all_when, place=part.mapper.place) if all_when else ()
            compiled = partial(compile_line, part, facts, line, change)
            for method_, segments_ in _ways(part.mapper, values[0], method, segments):
                entry = Entry(values[0], method_, segments_, conditions, compiled)
                other = section.add(entry)
                if other is not None:
                    yield entry, other


def _ways(
    mapper: Mapper, name: str, method: str, segments: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Method and path of a row; GET and POST for a name that is the tail of a path."""
    if mapper.select is not Select.PATH_TAIL or method:
        return ((method, segments),)
    path = (*mapper.prefix, name)
    return ("POST", path), ("GET", path)


def compile_line(
    part: Part, facts: Mapping[str, Any], line: bytes, override: Override | None
) -> Operation:
    """The operation of a catalog's line, as the mapper over it wants it.

    Raises:
        AddressError, TemplateError, ValueError: the two don't fit.
    """
    row = row_of(line)
    assert part.catalog is not None
    origin = f"catalog:{part.catalog.name}"
    if override is not None:
        row = override.apply(row)
        origin = f"{part.mapper.file}:{override.line}"
    return compile_row(
        row,
        part.mapper.provider,
        facts.get("errors", part.mapper.errors),
        origin,
        variables=tuple(facts.get("variables", ())),
        place=part.mapper.place,
        witness=None if override is None else override.witness,
    )


Loader = Callable[[], Site]


class LazySite:
    """A site that is built when it is first asked for. Building it twice at once is harmless."""

    __slots__ = ("_load", "_site")

    def __init__(self, load: Loader) -> None:
        self._load = load
        self._site: Site | None = None

    @property
    def is_loaded(self) -> bool:
        return self._site is not None

    @property
    def site(self) -> Site:
        """The site itself.

        Raises:
            CatalogError, ConfigurationError: a file that it needs can't be used.
        """
        found = self._site
        if found is None:
            found = self._site = self._load()
        return found
