"""Reads the named queries of `queries/<resource>.sql`: `-- name: x` begins query `x`.

`-- part: x` begins a text that several of them share, and have as `{x}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "queries"

_BEGINNING = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)


def load_queries(resource: str) -> Mapping[str, str]:
    """Return the queries of one resource by name."""
    pieces = _BEGINNING.split((FOLDER / f"{resource}.sql").read_text(encoding="utf-8"))
    parts: dict[str, str] = {}
    queries: dict[str, str] = {}
    for kind, name, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        found = parts if kind == "part" else queries
        assert name not in found, f"two of {resource} share the name {name}"
        found[name] = text.strip()
    return MappingProxyType({name: _joined(text, parts) for name, text in queries.items()})


def _joined(text: str, parts: Mapping[str, str]) -> str:
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text
