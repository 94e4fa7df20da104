"""Turns the methods of Google's discovery documents into rows: an operation, its wires (JSON, media
upload, resumable upload), its target and its params.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.authoring.imports.google.documents import DiscoveryDocument, Method
from gateway.authoring.imports.google.kinds import (
    can_be_undone,
    google_kind,
    google_sensitivity,
    is_creation,
)
from gateway.authoring.imports.google.wires import GoogleWire, google_wires
from gateway.authoring.imports.google.words import google_action, resource_nouns
from gateway.authoring.imports.params import (
    Field,
    Resolve,
    chosen_params,
    fields_of_schema,
    type_of_schema,
)
from gateway.authoring.imports.targets import path_params, target_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.model.action import Kind

_OUTPUT = ("Output only", "[Output Only]", "Output-only", "The output only")
_BOOKKEEPING = frozenset(
    {"kind", "etag", "selfLink", "selfLinkWithId", "creationTimestamp", "fingerprint", "requestId"}
)
"""Values of a body that a client echoes, and no rule asks for."""
_SHORT_NAMES = {"b": "bucket", "o": "object"}
"""What Cloud Storage calls its collections in a path."""


def document_rows(document: DiscoveryDocument) -> list[Row]:
    """All rows of a document. Those of continued uploads come last: where two operations upload to
    one path, the PUT is the one's own method before it is the other's continuation."""
    resolve = _resolver(document.schemas)
    rows: list[Row] = []
    continued: list[Row] = []
    for method in document.methods:
        rows += _rows(method, method.http_method, method.path, resolve)
        for path in method.downloads:
            rows += _rows(method, method.http_method, path, resolve)
        for path in method.uploads:
            rows += _rows(method, method.http_method, path, resolve, has_media=True)
            if method.http_method != "PUT":
                continued += _rows(method, "PUT", path, resolve, has_media=True)
    return rows + continued


def _rows(
    method: Method, http_method: str, template: str, resolve: Resolve, *, has_media: bool = False
) -> list[Row]:
    kind = google_kind(method)
    fields = [] if kind is Kind.READ else _fields(method, resolve)
    if has_media:
        # The body is the media, or a multipart body with the media in it.
        fields = [field for field in fields if not field.address.startswith("body.")]
    wires = google_wires(template, method.parameters)
    return [_row(method, http_method, wire, kind, fields) for wire in wires]


def _row(
    method: Method, http_method: str, wire: GoogleWire, kind: Kind, fields: list[Field]
) -> Row:
    target_type, target_id = _target(method, wire, fields)
    params = _params(wire, target_id, fields)
    return Row(
        method.id,
        f"{http_method} {wire.path}",
        kind,
        google_action(method),
        target_type,
        target_id,
        params,
        reversible=can_be_undone(method, kind),
        sensitive=google_sensitivity(method),
    )


def _target(method: Method, wire: GoogleWire, fields: list[Field]) -> tuple[str, str]:
    """What is acted on: the whole resource name where the API has such names, the new thing where
    its body names it, else the last variable of the path."""
    is_named = any(field.address == "body.name" for field in fields)
    if is_named and is_creation(method) and not wire.resource and not wire.path.endswith("}"):
        return "_".join(resource_nouns(method)), "body.name"
    if method.api == "storage":
        return _storage_target(wire)
    kind, identity = target_of(f"{method.http_method} {wire.path}")
    if wire.resource and identity:
        return kind.removesuffix("_name"), wire.resource
    return kind, identity


def _storage_target(wire: GoogleWire) -> tuple[str, str]:
    kind, identity = target_of(f"GET {wire.path}")
    kind = _SHORT_NAMES.get(kind, kind)
    if kind == "object" and "bucket" in wire.names:
        return kind, f"{{path.{wire.names['bucket']}}}/{{{identity}}}"
    return kind, identity


def _params(wire: GoogleWire, target_id: str, fields: list[Field]) -> dict[str, RowParam]:
    given = path_params(wire.path, target_id)
    chosen = chosen_params(field for field in fields if field.address != target_id)
    return {**chosen, **given}


def _fields(method: Method, resolve: Resolve) -> list[Field]:
    """What a method's query and body can carry, the body first."""
    found = fields_of_schema(method.request, "body", resolve)
    for name, parameter in sorted(method.parameters.items()):
        if parameter.get("location") == "query" and "." not in name and "$" not in name:
            kind = type_of_schema(resolve(parameter), resolve)
            if parameter.get("repeated"):
                kind = "list" if kind == "text" else None
            if kind is not None:
                needed = bool(parameter.get("required"))
                found.append(Field(name, f"query.{name}", kind, needed))
    return [field for field in found if field.name not in _BOOKKEEPING]


def _resolver(schemas: Mapping[str, Mapping[str, Any]]) -> Resolve:
    """References by name; 64-bit numbers, which are texts in JSON, as the numbers that they are."""

    def resolve(node: object) -> Mapping[str, Any]:
        if not isinstance(node, Mapping):
            return {}
        if "$ref" in node:
            return schemas.get(str(node["$ref"]), {})
        if node.get("readOnly") or str(node.get("description", "")).startswith(_OUTPUT):
            return {"readOnly": True, "type": node.get("type", "any")}
        if node.get("format") in ("int64", "uint64") and node.get("type") == "string":
            return {"type": "integer"}
        return node

    return resolve
