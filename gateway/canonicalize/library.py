"""Finds and reads mapper files and catalogs, each at most once, and the shipped ones only when a
request first needs them.

A folder's `catalogs/index.json` says which hosts a mapper file has, so that the file need not be
read at start. A file that isn't as the index says (somebody edited it) is read at start instead.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.canonicalize.authored.mapper import Mapper, load_mapper
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE
from gateway.canonicalize.catalog.file import CatalogFile, load_catalog, load_digest
from gateway.canonicalize.catalog.index import Index, Listing, load_index
from gateway.content import mappers_dir
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem

FILES_MAX = 2_000
"""More files than this in a mapper folder is a mistaken folder."""
CATALOGS = "catalogs"
"""The folder beside mapper files that holds their catalogs and the index."""


@dataclass(frozen=True, slots=True)
class MapperFile:
    """One mapper file that is in use; `listing` is what the index says of it, None without."""

    path: Path
    listing: Listing | None


class Library:
    """All mapper files in use and the catalogs that they can extend."""

    def __init__(
        self,
        files: Sequence[MapperFile],
        catalogs: Mapping[str, Path],
    ) -> None:
        self.files = tuple(files)
        self.catalog_paths = catalogs
        self._mappers: dict[Path, Mapper] = {}
        self._catalogs: dict[str, CatalogFile] = {}

    def load_mapper(self, path: Path) -> Mapper:
        """Read a mapper file.

        Raises:
            ConfigurationError: with all its problems.
        """
        found = self._mappers.get(path)
        if found is None:
            found, problems = load_mapper(path, self.catalog_paths)
            if found is None or problems:
                raise ConfigurationError("mapper.invalid", problems)
            self._mappers[path] = found
        return found

    def load_catalog(self, name: str) -> CatalogFile:
        """Read a catalog's header.

        Raises:
            CatalogError: it can't be used.
        """
        found = self._catalogs.get(name)
        if found is None:
            found = load_catalog(self.catalog_paths[name])
            self._catalogs[name] = found
        return found


def load_library(paths: Iterable[Path]) -> tuple[Library, list[Problem]]:
    """Find all mapper files of files and folders, with the problems of finding them."""
    problems: list[Problem] = []
    files: list[MapperFile] = []
    indexes: dict[Path, Index] = {}
    folders = [mappers_dir()]
    for path in load_mapper_files(paths, problems):
        folder = path.parent
        if folder not in indexes:
            indexes[folder] = load_index(folder / CATALOGS)
            folders.append(folder)
        files.append(MapperFile(path, _load_listing(indexes[folder], path)))
    catalogs = {
        path.stem: path for folder in folders for path in _load_paths(folder / CATALOGS, ".cat")
    }
    return Library(files, catalogs), problems


def load_paths_over_shipped(given: Sequence[Path]) -> tuple[Path, ...]:
    """The operator's files and folders first, then the shipped files; one of the same name
    replaces the shipped one, so that a provider can be mapped anew without a copy of all others."""
    names = {TAXONOMY_FILE}
    for path in given:
        names.update(_load_names(path, ".yaml") if path.is_dir() else (path.name,))
    folder = mappers_dir()
    shipped = (folder / name for name in _load_names(folder, ".yaml") if name not in names)
    return (*given, *shipped)


def load_mapper_files(paths: Iterable[Path], problems: list[Problem]) -> list[Path]:
    """The mapper files that paths name: files, and the `*.yaml` of folders."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = [one for one in _load_paths(path, ".yaml") if one.name != TAXONOMY_FILE]
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


def _load_listing(index: Index, path: Path) -> Listing | None:
    """What the index says of a file; None where the file or its catalog changed since."""
    listing = index.listings.get(path.name)
    if listing is None or hashlib.sha256(path.read_bytes()).hexdigest() != listing.sha256:
        return None
    if listing.catalog:
        digest = index.digests.get(listing.catalog, "")
        catalog = index.folder / f"{listing.catalog}.cat"
        if load_digest(catalog) != digest:
            return None
    return listing


def _load_names(folder: Path, suffix: str) -> list[str]:
    """The names in a folder that end so, sorted; a folder that can't be read has none.

    Not `Path.glob`: it takes four times as long, and the folders are looked at all the time.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.endswith(suffix))
    return []


def _load_paths(folder: Path, suffix: str) -> list[Path]:
    return [folder / name for name in _load_names(folder, suffix)]
