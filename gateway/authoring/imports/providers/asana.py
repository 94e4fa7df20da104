"""Asana, from the OpenAPI document that an SDK for agents carries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.documents import raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "asana"
SOURCES = (
    Source(
        "pypi",
        "arcade-asana-api",
        "0.2.3",
        "MIT",
        "a73a4d041fcdf603d560cdcc248e53cc52ab6ae65dca9fe5757788627ddff72c",
    ),
)
_RULES = RowRules(
    kinds={
        "createBatchRequest": Kind.EXECUTE,
        "instantiateProject": Kind.CREATE,
        "instantiateTask": Kind.CREATE,
        "projectSaveAsTemplate": Kind.CREATE,
    },
)
_ACCESS = (
    r"(?i)addUser|removeUser|membership|addMembers|removeMembers|accessRequest|roles?$|customRole"
)
"""Operations that say who may do what."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of this API."""
    path = folders["arcade-asana-api"] / "arcade_asana_api" / "moar" / "openapi.json"
    options = OpenApiOptions(rules=_RULES)
    return [section_of(path, PROVIDER, ("app.asana.com",), options, raising(_ACCESS))]
