"""The file of an imported catalog: a header line, then sections of one row a line.

The header says where everything came from and carries the digest of all that follows; a section
(an AWS service, a Google API, a whole small provider) is read alone, when its host is first called.
Text and uncompressed on purpose: a new import is reviewed as a diff, and no compressor's version
can change a byte of it. Never trusts a file whose bytes don't match its digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.lines import line_of
from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError

FORMAT = "checkrein-catalog/1"
HEADER_BYTES_MAX = 4_000_000
SECTION_BYTES_MAX = 16_000_000


class CatalogError(CheckreinError):
    """A catalog file that can't be used; nothing of it is believed."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__("catalog.invalid", f"the catalog `{path.name}` {why}")


@dataclass(frozen=True, slots=True)
class Source:
    """What a catalog was made from: a package of a registry (`pypi`, `npm`) and its SHA-256."""

    registry: str
    package: str
    version: str
    licence: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SectionHeader:
    """`hosts` are the section's own host patterns; without them it is found at its mapper's.
    `facts` are what its selector needs to know (an AWS service's protocol, its signing name)."""

    name: str
    at: int
    bytes: int
    operations: int
    sha256: str
    hosts: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewSection:
    """A section that is about to be written."""

    name: str
    rows: Sequence[Row]
    hosts: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """An opened catalog. `body_at` is where its first section begins in the file."""

    path: Path
    name: str
    provider: str
    sources: tuple[Source, ...]
    digest: str
    sections: Mapping[str, SectionHeader]
    body_at: int

    @property
    def operations(self) -> int:
        """Rows of distinct operations, as the importer counted them."""
        return sum(section.operations for section in self.sections.values())


def load_catalog(path: Path) -> CatalogFile:
    """Read the header of a catalog.

    Raises:
        CatalogError: it can't be read, or is no catalog of this format.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(HEADER_BYTES_MAX)
    except OSError as error:
        raise CatalogError(path, f"can't be read: {error.strerror}") from error
    try:
        header = orjson.loads(line)
        if header["format"] != FORMAT:
            raise CatalogError(path, f"is not of the format {FORMAT}")
        sections = {
            name: _section_header(name, value)
            for name, value in header["sections"].items()
        }  # fmt: skip
        sources = tuple(Source(**source) for source in header["sources"])
        return CatalogFile(
            path, header["name"], header["provider"], sources, header["digest"], sections, len(line)
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CatalogError(path, "has no usable header") from error


def load_digest(path: Path) -> str:
    """The digest that a catalog's header claims, without reading the header; empty if it can't be
    had. The keys of a header are sorted, so it stands first."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_DIGEST_KEY) + 64)
    except OSError:
        return ""
    return start.removeprefix(_DIGEST_KEY).decode("latin-1")


_DIGEST_KEY = b'{"digest":"'


def _section_header(name: str, value: Mapping[str, Any]) -> SectionHeader:
    at, length = value["span"]
    hosts, facts = tuple(value.get("hosts", ())), value.get("facts", {})
    return SectionHeader(name, at, length, value["operations"], value["sha256"], hosts, facts)


def section_of(catalog: CatalogFile, name: str) -> SectionHeader:
    """The header of a section.

    Raises:
        CatalogError: it has no such section: the file changed since it was indexed.
    """
    found = catalog.sections.get(name)
    if found is None:
        raise CatalogError(catalog.path, f"has no section `{name}`; rebuild the index")
    return found


def load_section(catalog: CatalogFile, name: str) -> list[bytes]:
    """Read the lines of one section.

    Raises:
        CatalogError: the file changed or is damaged.
    """
    section = section_of(catalog, name)
    if not 0 <= section.bytes <= SECTION_BYTES_MAX or section.at < 0:
        raise CatalogError(catalog.path, f"has a section `{name}` out of bounds")
    try:
        with catalog.path.open("rb") as file:
            file.seek(catalog.body_at + section.at)
            data = file.read(section.bytes)
    except OSError as error:
        raise CatalogError(catalog.path, f"can't be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != section.sha256:
        raise CatalogError(catalog.path, f"is damaged in its section `{name}`")
    return data.splitlines()


def write_catalog(
    name: str, provider: str, sources: Sequence[Source], sections: Sequence[NewSection]
) -> bytes:
    """The bytes of a catalog: the same for the same input, whatever the order it comes in."""
    body = bytearray()
    headers: dict[str, object] = {}
    for section in sorted(sections, key=lambda section: section.name):
        if section.name in headers:
            raise ValueError(f"two sections `{section.name}`")
        rows = sorted(section.rows, key=lambda row: row.key)
        for row, following in pairwise(rows):
            if row.key == following.key:
                raise ValueError(f"two rows `{row.operation}` `{row.wire}` in `{section.name}`")
        data = b"".join(line_of(row) + b"\n" for row in rows)
        header: dict[str, object] = {
            "span": [len(body), len(data)],
            "operations": len({row.operation for row in rows}),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        if section.hosts:
            header["hosts"] = sorted(section.hosts)
        if section.facts:
            header["facts"] = section.facts
        headers[section.name] = header
        body += data
    top = {
        "format": FORMAT,
        "name": name,
        "provider": provider,
        "digest": hashlib.sha256(body).hexdigest(),
        "sources": [
            {
                "registry": source.registry,
                "package": source.package,
                "version": source.version,
                "licence": source.licence,
                "sha256": source.sha256,
            }
            for source in sorted(sources, key=lambda source: source.package)
        ],
        "sections": headers,
    }
    return orjson.dumps(top, option=orjson.OPT_SORT_KEYS) + b"\n" + bytes(body)
