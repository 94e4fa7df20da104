"""Reads the named queries of `queries/<resource>.sql`: `-- name: x` begins query `x`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "queries"

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(resource: str) -> Mapping[str, str]:
    """Return the queries of one resource by name."""
    parts = _NAME.split((FOLDER / f"{resource}.sql").read_text(encoding="utf-8"))
    names, texts = parts[1::2], parts[2::2]
    assert len(set(names)) == len(names), f"two queries of {resource} share a name"
    return MappingProxyType({name: text.strip() for name, text in zip(names, texts, strict=True)})
