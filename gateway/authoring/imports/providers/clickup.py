"""ClickUp, from the OpenAPI document that an SDK for agents carries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.documents import raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "clickup"
SOURCES = (
    Source(
        "pypi",
        "arcade-clickup-api",
        "0.2.1",
        "MIT",
        "6a13db1524e8e455d482ecc905d4547b1eaf3debf03a199bbd72c51d69f7696c",
    ),
)
_RULES = RowRules(
    kinds={
        "GetAccessToken": Kind.ADMIN,
        "Addtagsfromtimeentries": Kind.UPDATE,
        "Createatimeentry": Kind.CREATE,
    },
    credentials=frozenset({"GetAccessToken"}),
)
_ACCESS = (
    r"(?i)guest|UserOnWorkspace|UserToWorkspace|UserFromWorkspace|UserGroup"
    r"|(?:Create|Update|Delete)Team$"
)
"""Operations that say who may do what."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of this API."""
    path = folders["arcade-clickup-api"] / "arcade_clickup_api" / "moar" / "openapi.json"
    options = OpenApiOptions(rules=_RULES)
    return [section_of(path, PROVIDER, ("api.clickup.com",), options, raising(_ACCESS))]
