"""A row as its line of a catalog's text, and back: the same bytes for the same row, always."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

from gateway.canonicalize.authored.row import Row, RowParam
from gateway.model.action import Kind

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def line_of(row: Row) -> bytes:
    """The row as one line of JSON without its newline: the same bytes for the same row, always."""
    params = {name: _param_value(param) for name, param in row.params.items()}
    extra: dict[str, object] = {}
    if row.when:
        extra["when"] = dict(row.when)
    if not row.reversible:
        extra["irreversible"] = True
    if row.each:
        extra["each"] = True
    for name in ("sensitive", "expand", "errors"):
        if getattr(row, name):
            extra[name] = getattr(row, name)
    values = [
        row.operation, row.wire, row.kind.value, row.action, row.target_type, row.target_id,
        params, extra,
    ]  # fmt: skip
    while not values[-1]:
        values.pop()
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def row_of(line: bytes) -> Row:
    """Read a line back."""
    values = orjson.loads(line)
    values += ("", "", {}, {})[len(values) - 4 :]
    operation, wire, kind, action, target_type, target_id, params, extra = values
    return Row(
        operation,
        wire,
        Kind(kind),
        action,
        target_type,
        target_id,
        {name: _param_of(value) for name, value in params.items()},
        extra.get("when", _NOTHING),
        not extra.get("irreversible", False),
        extra.get("sensitive", ""),
        extra.get("each", False),
        extra.get("expand", ""),
        extra.get("errors", ""),
    )


def _param_value(param: RowParam) -> str | list[str]:
    if param.detail:
        return [param.source, param.type, param.detail]
    return param.source if param.type == "text" else [param.source, param.type]


def _param_of(value: str | list[str]) -> RowParam:
    return RowParam(value) if isinstance(value, str) else RowParam(*value)
