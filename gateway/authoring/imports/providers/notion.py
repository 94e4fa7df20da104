"""Notion's API, from the source of its Python client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.notion import read_notion_calls
from gateway.authoring.imports.sdk.rows import sdk_rows, without_aliases
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "notion"
SOURCES = (
    Source(
        "pypi",
        "notion-client",
        "3.1.0",
        "MIT",
        "7e3935f4dbc11231d8ad1fe404112e278501520342eaa35f86456f0df44a8aca",
    ),
)
READS = {
    "notion.search": "a search with its filters in the body",
    "notion.data_sources.query": "a query of rows, with its filters in the body",
    "notion.blocks.meeting_notes.query": "a query of notes, with its filters in the body",
    "notion.oauth.introspect": "says whether a token is valid",
}
JUDGEMENT = Judgement(
    reads=READS,
    acts={
        # Keeps the result of a query for a while, under an id of its own.
        "notion.views.queries.create": Kind.CREATE,
        # The bytes of a file go up; nobody is written to.
        "notion.file_uploads.send": Kind.CREATE,
        "notion.file_uploads.complete": Kind.EXECUTE,
        "notion.blocks.children.append": Kind.CREATE,
    },
    admin=re.compile(r"\.oauth\."),
    credentials=re.compile(r"\.oauth\.token$"),
    irreversible=re.compile(r"\.oauth\.revoke$"),
    # What is deleted lies in the bin, from where anyone can take it back.
    reversible=re.compile(r"\.blocks\.delete$|queries\.delete$"),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = without_aliases(PROVIDER, read_notion_calls(folders["notion-client"]))
    return [NewSection(PROVIDER, sdk_rows(calls, JUDGEMENT, prefix="/v1/"))]
