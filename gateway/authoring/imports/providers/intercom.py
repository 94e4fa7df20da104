"""Intercom, from the OpenAPI document that an SDK for agents carries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.documents import section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "intercom"
SOURCES = (
    Source(
        "pypi",
        "arcade-intercom-api",
        "0.1.1",
        "MIT",
        "1ae4ee7b0eb3c077e3ce544c147600b334d8efebe83ca03b51a6ee2efe40c183",
    ),
)
_RULES = RowRules(
    kinds={
        "createMessage": Kind.SEND,
        "replyConversation": Kind.SEND,
        "replyTicket": Kind.SEND,
        "setAwayAdmin": Kind.UPDATE,
        "autoAssignConversation": Kind.UPDATE,
        "manageConversation": Kind.UPDATE,
        "dataEventSummaries": Kind.CREATE,
    },
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of this API."""
    path = folders["arcade-intercom-api"] / "arcade_intercom_api" / "moar" / "openapi.json"
    options = OpenApiOptions(rules=_RULES)
    return [
        section_of(
            path,
            PROVIDER,
            ("api.intercom.io", "api.eu.intercom.io", "api.au.intercom.io"),
            options,
        )
    ]
