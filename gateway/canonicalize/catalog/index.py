"""The index of a folder of mappers: which hosts each file and each section of its catalog has.

Made by `checkrein mappers import catalogs`, so that a gateway starts without reading the files of
providers that its agents never call. It only ever says where to look: every file is checked against
its digest when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

import orjson

from gateway.canonicalize.authored.mapper import Mapper
from gateway.canonicalize.catalog.file import CatalogError, CatalogFile
from gateway.model.dataclass import dataclass

FORMAT = "checkrein-index/1"
FILE = "index.json"


@dataclass(frozen=True, slots=True)
class Listing:
    """One mapper file. `catalog` is what it extends, empty for none; `hosts` maps each pattern to
    the sections of the catalog that are there; `actions` and `operations` are the names that its
    own entries bring."""

    sha256: str
    provider: str
    catalog: str
    hosts: Mapping[str, tuple[str, ...]]
    actions: tuple[str, ...]
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """The listings by file name; `digests` are those of the catalogs that it was made with."""

    folder: Path
    listings: Mapping[str, Listing] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


def hosts_of(mapper: Mapper, catalog: CatalogFile | None) -> dict[str, tuple[str, ...]]:
    """Every host pattern of a mapper with the names of the sections that are found there.

    A mapper that has hosts, and none of the catalog's own, is for another installation of the
    provider: the whole catalog is at its hosts, and at no other.
    """
    hosts: dict[str, list[str]] = {pattern: [] for pattern in mapper.hosts}
    if catalog is not None:
        own = {pattern for section in catalog.sections.values() for pattern in section.hosts}
        is_elsewhere = bool(mapper.hosts) and own.isdisjoint(mapper.hosts)
        for section in catalog.sections.values():
            for pattern in mapper.hosts if is_elsewhere else section.hosts or mapper.hosts:
                hosts.setdefault(pattern, []).append(section.name)
    return {pattern: tuple(sections) for pattern, sections in hosts.items()}


def build_index(
    mappers: Sequence[Mapper], digests: Mapping[str, str], catalogs: Mapping[str, CatalogFile]
) -> bytes:
    """The bytes of the index of these mappers: the same for the same input. `digests` are the
    SHA-256 of their files, by file name."""
    listings = {}
    for mapper in mappers:
        path = Path(mapper.file)
        hosts = hosts_of(mapper, catalogs.get(mapper.extends))
        whole = tuple(catalogs[mapper.extends].sections) if mapper.extends else ()
        listings[path.name] = {
            "sha256": digests[path.name],
            "provider": mapper.provider,
            "catalog": mapper.extends,
            # Most hosts have all of a catalog's sections; then a null says so.
            "hosts": {
                pattern: None if set(sections) == set(whole) else sections
                for pattern, sections in hosts.items()
            },
            "sections": whole if any(set(s) == set(whole) for s in hosts.values()) else (),
            "actions": sorted(_actions(mapper)),
            "operations": sorted({entry.operation for entry in mapper.operations}),
        }
    value = {
        "format": FORMAT,
        "mappers": listings,
        "catalogs": {name: catalog.digest for name, catalog in catalogs.items()},
    }
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def _actions(mapper: Mapper) -> set[str]:
    overridden = {over.fields["action"] for over in mapper.overrides if "action" in over.fields}
    return {entry.action for entry in mapper.operations} | overridden


def load_index(folder: Path) -> Index:
    """Read the index of a folder of catalogs; an empty one where there is none.

    Raises:
        CatalogError: it is no index.
    """
    path = folder / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Index(folder)
    except OSError as error:
        raise CatalogError(path, f"can't be read: {error.strerror}") from error
    try:
        value = orjson.loads(data)
        if value["format"] != FORMAT:
            raise CatalogError(path, f"is not of the format {FORMAT}")
        listings = {
            name: Listing(
                one["sha256"],
                one["provider"],
                one["catalog"],
                {
                    pattern: tuple(one["sections"] if sections is None else sections)
                    for pattern, sections in one["hosts"].items()
                },
                tuple(one["actions"]),
                tuple(one["operations"]),
            )
            for name, one in value["mappers"].items()
        }
        return Index(folder, listings, value["catalogs"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CatalogError(path, "has no usable index") from error
