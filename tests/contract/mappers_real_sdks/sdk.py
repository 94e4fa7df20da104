"""Turns calls of real SDKs into the requests that they would send. No network: every transport is
replaced, keeps what it was given, and answers with an empty object."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from gateway.authoring.requests import build_request
from gateway.canonicalize.authored.operation import Operation
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.catalog.file import load_catalog, load_section
from gateway.canonicalize.catalog.lines import row_of
from gateway.canonicalize.library import CATALOGS
from gateway.content import mappers_dir
from gateway.model.exchange import HttpRequest


@functools.cache
def canonicalizer() -> Canonicalizer:
    """All shipped mappers, loaded once."""
    return Canonicalizer.load([mappers_dir()])


def operations_of(provider: str) -> list[Operation]:
    """The entries of a provider, one for each operation name."""
    found = {
        entry.operation: entry for entry in canonicalizer().operations if entry.provider == provider
    }
    return [found[name] for name in sorted(found)]


@functools.cache
def catalog_rows(name: str) -> tuple[Row, ...]:
    """Every row of a shipped catalog."""
    catalog = load_catalog(mappers_dir() / CATALOGS / f"{name}.cat")
    return tuple(row_of(line) for part in catalog.sections for line in load_section(catalog, part))


def catalog_operations(name: str) -> frozenset[str]:
    """The names of all operations of a shipped catalog."""
    return frozenset(row.operation for row in catalog_rows(name))


def as_request(
    method: str, url: str, headers: Mapping[str, object] | Iterable[tuple[str, str]], body: object
) -> HttpRequest:
    """What goes over the wire for arguments that a transport was given."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    texts = [
        (name, value.decode("latin-1") if isinstance(value, bytes) else str(value))
        for name, value in pairs
    ]
    match body:
        case None:
            data = b""
        case str():
            data = body.encode()
        case bytes() | bytearray():
            data = bytes(body)
        case _:
            raise AssertionError(f"a body of type {type(body).__name__}")
    return build_request(method.upper(), url, texts, data)
