"""Google's APIs, from the static discovery documents that its Python client carries.

One section for each version of an API. Versions and documents that share a host share no wire: the
one that is preferred (stable before preview, newer before older) keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.authoring.imports.google.documents import DiscoveryDocument, load_documents
from gateway.authoring.imports.google.rows import document_rows
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source

PROVIDER = "google"
SOURCES = (
    Source(
        "pypi",
        "google-api-python-client",
        "2.202.0",
        "Apache-2.0",
        "aaa90064c9bb642ff1d065b22ca8958a2cb6e345909cefe70d0e5452fc50e08b",
    ),
)

SHARED_HOST = "www.googleapis.com"
"""Serves many APIs below their service paths, as older clients call them."""
_ALSO_SHARED = frozenset(
    {"storage:v1", "bigquery:v2", "compute:v1", "gmail:v1", "youtube:v3", "translate:v2"}
)
"""Sections with a host of their own that clients still call at the shared one."""
_FACTS = {"storage:v1": {"encoded_slash": "kept"}}
"""Names of objects have slashes in them, which this API wants encoded in a path."""
_VARIABLE = re.compile(r"\{\w+(\+?)\}")


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section for each document that has operations of its own."""
    return sections_of(load_documents(folders["google-api-python-client"]))


def sections_of(documents: Iterable[DiscoveryDocument]) -> list[NewSection]:
    """The sections of some documents; no two rows of one host are equal."""
    taken: dict[str, set[str]] = {}
    found = []
    for document in sorted(documents, key=lambda one: one.preference):
        wires = taken.setdefault(document.host, set())
        kept = _untaken(document_rows(document), wires)
        if kept:
            facts = _FACTS.get(document.section, {})
            found.append(NewSection(document.section, kept, section_hosts(document), facts))
    return found


def _untaken(rows: Iterable[Row], taken: set[str]) -> list[Row]:
    kept = []
    for row in rows:
        shape = _VARIABLE.sub(r"{\1}", row.wire)
        if shape not in taken:
            taken.add(shape)
            kept.append(row)
    return kept


def section_hosts(document: DiscoveryDocument) -> tuple[str, ...]:
    """The patterns of the hosts that a document names: its own and that for mutual TLS, and those
    of locations, whichever they are (`LOCATION-NAME.googleapis.com`, `NAME.LOCATION.rep...`)."""
    label, _, domain = document.host.partition(".")
    hosts = {document.host}
    if document.host != SHARED_HOST:
        hosts.add(f"*-{document.host}")
    for host in document.hosts:
        first, _, rest = host.partition(".")
        if rest.endswith(f".rep.{domain}"):
            hosts.add(f"{first}.*.rep.{domain}")
        elif not (rest == domain and first.endswith(f"-{label}")):
            hosts.add(host)
    if document.section in _ALSO_SHARED:
        hosts.add(SHARED_HOST)
    return tuple(sorted(hosts))
