"""Asana, from the OpenAPI document that an SDK for agents carries, and from Asana's own Python
client for what is newer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.documents import raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
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
    Source(
        "pypi",
        "asana",
        "5.4.0",
        "MIT",
        "56071db5b80181c8358cdf7a3c31e18aa786dcf795c9764a5464f3dc0e2d9d35",
    ),
)
_CALL = re.compile(r"def (\w+)_with_http_info\(.*?call_api\(\s*'([^']+)', '([A-Z]+)'", re.DOTALL)
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
    judge = raising(_ACCESS)
    section = section_of(path, PROVIDER, ("app.asana.com",), options, judge)
    rows = {_key(row.wire): row for row in section.rows}
    for call in _calls(folders["asana"] / "asana" / "api"):
        row = judge(row_of(call, _RULES))
        rows.setdefault(_key(row.wire), row)
    return [replace(section, rows=list(rows.values()))]


def _calls(folder: Path) -> Iterator[Described]:
    for path in sorted(folder.glob("*_api.py")):
        for snake, template, method in _CALL.findall(path.read_text()):
            first, *rest = snake.split("_")
            name = first + "".join(word.capitalize() for word in rest)
            yield Described(name, method, f"/api/1.0{template}", words_of(snake))


def _key(wire: str) -> str:
    return re.sub(r"\{[a-z0-9_]+", "{", wire)
