"""The JSON Schema of mapper files, for editors: made from what the loader itself goes by.

It finds what is wrong in one place of a file; what depends on the path of an entry, on a catalog
or on another file, `checkrein mappers check` alone can tell.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.canonicalize.authored.choices import ERROR_STYLES, FAMILIES, Select
from gateway.canonicalize.authored.mapper import API_VERSION, EXPECTATIONS
from gateway.canonicalize.authored.operation import ParamType, Place
from gateway.model.action import Kind

Schema = dict[str, Any]

FILE: Final = "mapper.schema.json"

_WIRE: Final = r"^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|WEBSOCKET|MESSAGE) /[^ ]*( [^ ]+)*$"
_ACT: Final = r"^act [A-Za-z0-9_./$:-]{1,256}$"
_NAME: Final = r"^[a-z][a-z0-9-]{0,62}$"
_ACTION: Final = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
_PARAM: Final = r"^[a-z][a-z0-9_]{0,63}$"
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}


def mapper_schema() -> Schema:
    """The whole schema."""
    kinds = [kind.value for kind in Kind]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Checkrein mapper",
        "description": "What the requests of an API mean. See the README in the mappers folder.",
        **_object(
            {
                "apiVersion": {"const": API_VERSION},
                "kind": {"const": "Mapper"},
                "metadata": _object({"name": _name("The mapper's name.")}, "name"),
                "spec": {"$ref": "#/$defs/spec"},
            },
            "apiVersion", "kind", "metadata", "spec",
        ),
        "$defs": {
            "spec": _spec(kinds),
            "entry": _either_block("entryBlock"),
            "override": _either_block("overrideBlock"),
            "entryBlock": _object({"operation": _TEXT, **_block(kinds)}, "action"),
            "overrideBlock": _object(_block(kinds)),
            "param": _param(),
            "witness": _witness(),
            "test": _test(),
        },
    }  # fmt: skip


def _object(properties: Schema, *required: str, **more: Any) -> Schema:
    """A mapping whose keys are all known."""
    found: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        found["required"] = list(required)
    return found | more


def _name(description: str) -> Schema:
    return {"type": "string", "pattern": _NAME, "description": description}


def _spec(kinds: list[str]) -> Schema:
    """Keys of operations are paths; names too where a catalog or a selector gives them."""
    properties: Schema = {
        "provider": _name("The name that policies match."),
        "hosts": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": _TEXT | {"pattern": r"^(\*[.-])?[a-z0-9_.-]+$"},
            "description": "`api.example.com`, or `*.example.com` for every name below it.",
        },
        "extends": {
            "type": "string",
            "pattern": "^catalog:.+",
            "description": "The imported operations that these entries stand over.",
        },
        "errors": {"enum": sorted(ERROR_STYLES), "description": "The shape of a refusal."},
        "select": {
            "enum": [select.value for select in Select],
            "description": "How entries are found.",
        },
        "prefix": {"type": "string", "pattern": "^/[^{]*$"},
        "ignoreCase": {"type": "boolean"},
        "volatile": {
            "type": "array",
            "items": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{2,63}$"},
            "description": "Keys of bodies whose values are new in each try.",
        },
        "defaults": _object(
            {"params": {"enum": [place.value for place in Place if place is not Place.PATH]}}
        ),
        "operations": {"type": "object"},
        "unmatched": _object(
            {"action": _TEXT, "kind": {"enum": [kind for kind in kinds if kind != Kind.READ]}}
        ),
        "tests": {"type": "array", "items": {"$ref": "#/$defs/test"}},
    }
    paths = {"patternProperties": {" ": {"$ref": "#/$defs/entry"}}}
    wires = {"pattern": rf"{_WIRE}|{_ACT}|^[^ ]+$"}
    paths_only = {"pattern": rf"{_WIRE}|{_ACT}"}
    by_name = {"required": ["select"], "properties": {"select": {"enum": ["path-tail", "aws"]}}}
    return _object(
        properties, "provider", "operations",
        anyOf=[{"required": ["hosts"]}, {"required": ["extends"]}],
        dependentSchemas={
            "prefix": {"required": ["select"], "properties": {"select": {"const": "path-tail"}}}
        },
        **{
            "if": {"required": ["extends"]},
            "then": {"properties": {"operations": {
                **paths, "propertyNames": wires,
                "additionalProperties": {"$ref": "#/$defs/override"},
            }}},
            "else": {
                "properties": {"operations": {"additionalProperties": {"$ref": "#/$defs/entry"}}},
                "if": by_name,
                "then": {"properties": {"operations": {"propertyNames": wires}}},
                "else": {"properties": {"operations": {"propertyNames": paths_only}}},
            },
        },
    )  # fmt: skip


def _either_block(block: str) -> Schema:
    """An action's name, a block, or a list of blocks that `when` tells apart."""
    one = [_TEXT | {"pattern": _ACTION}, {"$ref": f"#/$defs/{block}"}]
    return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}}]}


def _block(kinds: list[str]) -> Schema:
    return {
        "action": {
            "type": "string",
            "pattern": _ACTION,
            "description": "The provider-neutral `verb_noun`; one name for one act everywhere.",
        },
        "kind": {"enum": kinds, "description": "What sort of act it is. Unsure is `unknown`."},
        "target": _object(
            {"type": _TEXT, "id": _TEXT, "each": _TEXT}, "type",
            **{"not": {"required": ["id", "each"]}},
        ),
        "params": {
            "type": "object",
            "propertyNames": {"pattern": _PARAM},
            "additionalProperties": {"$ref": "#/$defs/param"},
        },
        "when": {
            "type": "object",
            "additionalProperties": {"type": ["string", "boolean", "number", "null"]},
            "description": "true: is there; false: is absent; anything else: is equal.",
        },
        "reversible": {"type": "boolean"},
        "sensitive": _TEXT,
        "witness": {"$ref": "#/$defs/witness"},
        "expand": {"enum": sorted(FAMILIES), "description": "What acts the body carries."},
    }  # fmt: skip


def _param() -> Schema:
    money = ParamType.MONEY_DECIMAL.value
    properties = {
        "from": _TEXT | {"description": "An address: `body.amount`, `path.order`, `query.q`."},
        "type": {"enum": [kind.value for kind in ParamType]},
        "currency": _TEXT,
        "separator": _TEXT,
    }
    block = _object(
        properties, "from",
        dependentSchemas={
            "currency": {"required": ["type"], "properties": {"type": {"const": money}}},
            "separator": {"required": ["type"], "properties": {"type": {"const": "list"}}},
        },
        **{
            "if": {"required": ["type"], "properties": {"type": {"const": money}}},
            "then": {"required": ["currency"]},
        },
    )  # fmt: skip
    return {"anyOf": [_TEXT, block]}


def _witness() -> Schema:
    return _object(
        {
            "read": {"type": "string", "pattern": r"^(GET|HEAD) (/|\{path\})"},
            "fields": {
                "anyOf": [
                    {"type": "array", "items": _TEXT},
                    {"type": "object", "additionalProperties": _TEXT},
                ]
            },
            "success": _TEXT,
            "absent": {"type": "boolean"},
        },
        "read", "fields",
    )  # fmt: skip


def _test() -> Schema:
    expectations: Schema = {name: {} for name in EXPECTATIONS}
    return _object(
        {
            "request": _TEXT | {"description": "METHOD TARGET [BODY]"},
            "headers": {"type": "object", "additionalProperties": _TEXT},
            "expect": _object(expectations, patternProperties={r"^params\.": {}}),
        },
        "request", "expect",
    )  # fmt: skip
