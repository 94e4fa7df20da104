"""Airtable, from the OpenAPI document that an SDK for agents carries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.documents import raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "airtable"
SOURCES = (
    Source(
        "pypi",
        "arcade-airtable-api",
        "0.4.1",
        "MIT",
        "3e8b7426b49e21a4920a433a1e0bb3564e46de160ac63847ff4f89cb7f88f22d",
    ),
)
_RULES = RowRules(
    kinds={
        "hyperdb-delete-records-by-primary-keys": Kind.DELETE,
    },
    credentials=frozenset({"create-a-webhook"}),
)
_ACCESS = r"scim|collaborator|user|admin|invite|share|move-|group|workspace-restrict"
"""Operations that say who may do what."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of this API."""
    path = folders["arcade-airtable-api"] / "arcade_airtable_api" / "moar" / "openapi.json"
    options = OpenApiOptions(rules=_RULES)
    return [section_of(path, PROVIDER, ("api.airtable.com",), options, raising(_ACCESS))]
