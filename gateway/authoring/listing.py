"""Gives every mapped operation, of mapper files and of the catalogs below them, one at a time.

Rows of catalogs are read as they stand in their files and never compiled: there are tens of
thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from gateway.authoring.explain import target_source
from gateway.canonicalize.authored.mapper import Mapper
from gateway.canonicalize.authored.operation import Operation, Param, Presence
from gateway.canonicalize.authored.overrides import Override
from gateway.canonicalize.catalog.file import CatalogFile, load_section
from gateway.canonicalize.catalog.lines import line_of, row_of
from gateway.canonicalize.library import Library, load_library
from gateway.model.errors import ConfigurationError

_NOTHING: Mapping[str, Any] = {}


class Act(NamedTuple):
    """One way to call one operation. `section` is that of its catalog, empty for an entry of a
    mapper; `wire` is method and template, or empty for what is found by its name; `params` and
    `when` are as a catalog's row has them."""

    provider: str
    section: str
    operation: str
    wire: str
    kind: str
    action: str
    target_type: str
    target_id: str
    params: Mapping[str, Any]
    when: Mapping[str, Any]
    reversible: bool
    sensitive: str
    origin: str


def acts_of_mappers(paths: Sequence[Path]) -> Iterator[Act]:
    """Every operation of mapper files and folders, entries of mappers before their catalog's.

    Raises:
        ConfigurationError: a mapper has problems.
        CatalogError: a catalog can't be used.
    """
    library = _load(paths)
    for file in library.files:
        mapper = library.load_mapper(file.path)
        yield from _entries(mapper)
        if mapper.extends:
            catalog = library.load_catalog(mapper.extends)
            yield from acts_of_catalog(catalog, mapper)


def witnessed_of_mappers(paths: Sequence[Path]) -> Iterator[tuple[str, str, str]]:
    """Operation, action and provider of whatever has a witness; the action of an override that
    doesn't change it is empty, since its catalog has it.

    Raises:
        ConfigurationError: a mapper has problems.
    """
    library = _load(paths)
    for file in library.files:
        mapper = library.load_mapper(file.path)
        for entry in mapper.operations:
            if entry.witness is not None:
                yield entry.operation, entry.action, entry.provider
        for override in mapper.overrides:
            if override.witness is not None:
                yield override.operation, override.fields.get("action", ""), mapper.provider


def catalogs_of_mappers(paths: Sequence[Path]) -> list[CatalogFile]:
    """The catalogs that mapper files and folders extend, by name.

    Raises:
        ConfigurationError: a mapper has problems.
        CatalogError: a catalog can't be used.
    """
    library = _load(paths)
    names = {library.load_mapper(file.path).extends for file in library.files} - {""}
    return [library.load_catalog(name) for name in sorted(names)]


def _load(paths: Sequence[Path]) -> Library:
    library, problems = load_library(paths)
    if problems:
        raise ConfigurationError("mapper.invalid", problems)
    return library


def acts_of_catalog(catalog: CatalogFile, mapper: Mapper | None = None) -> Iterator[Act]:
    """Every row of a catalog, as the mapper over it wants it.

    Raises:
        CatalogError: the catalog is damaged.
    """
    written: set[tuple[str, str]] = set()
    overrides: dict[str, list[Override]] = {}
    provider, origin = catalog.provider, f"catalog:{catalog.name}"
    if mapper is not None:
        provider = mapper.provider
        written = {(entry.operation, entry.method) for entry in mapper.operations}
        for override in mapper.overrides:
            overrides.setdefault(override.operation, []).append(override)
    for section in catalog.sections:
        for line in load_section(catalog, section):
            values = orjson.loads(line)
            if written and (values[0], values[1].partition(" ")[0]) in written:
                continue
            changes = overrides.get(values[0])
            if not changes:
                yield _act(provider, section, values, origin)
                continue
            for change in changes:
                changed = orjson.loads(line_of(change.apply(row_of(line))))
                assert mapper is not None
                yield _act(provider, section, changed, f"{mapper.file}:{change.line}")
            if all(change.when for change in changes):
                yield _act(provider, section, values, origin)


def _act(provider: str, section: str, values: list[Any], origin: str) -> Act:
    count = len(values)
    extra: Mapping[str, Any] = values[7] if count > 7 else _NOTHING
    return Act(
        provider,
        section,
        values[0],
        values[1],
        values[2],
        values[3],
        values[4] if count > 4 else "",
        values[5] if count > 5 else "",
        values[6] if count > 6 else _NOTHING,
        extra.get("when", _NOTHING),
        "irreversible" not in extra,
        extra.get("sensitive", ""),
        origin,
    )


def _entries(mapper: Mapper) -> Iterator[Act]:
    """The entries of a mapper; one that GET and POST take stands there once."""
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for entry in mapper.operations:
        when = _when(entry)
        key = entry.operation, entry.template, tuple(f"{k}={v}" for k, v in when.items())
        if key in seen:
            continue
        seen.add(key)
        yield Act(
            entry.provider,
            "",
            entry.operation,
            entry.template if " " in entry.template else "",
            entry.kind.value,
            entry.action,
            entry.target.type,
            target_source(entry),
            {param.name: _param(param) for param in entry.params},
            when,
            entry.reversible,
            entry.sensitive or "",
            entry.origin,
        )


def _when(entry: Operation) -> dict[str, Any]:
    return {
        str(condition.address): condition.expected.value
        if isinstance(condition.expected, Presence)
        else condition.expected
        for condition in entry.when
    }


def _param(param: Param) -> str | list[str]:
    source = ", ".join(map(str, (param.address, *param.more)))
    detail = str(param.currency or param.separator or "")
    if detail:
        return [source, param.type.value, detail]
    return source if param.type.value == "text" else [source, param.type.value]
