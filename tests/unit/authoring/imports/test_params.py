"""The values of a request that a rule would ask for are chosen from its description."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.authoring.imports.params import (
    Field,
    chosen_params,
    fields_of_schema,
    type_of_schema,
)


def plain(node: object) -> dict[str, Any]:
    """A resolver for schemas without references."""
    return node if isinstance(node, dict) else {}


TYPES = {
    "text": ({"type": "string"}, "text"),
    "whole numbers": ({"type": "integer"}, "integer"),
    "other numbers stay text": ({"type": "number"}, "text"),
    "booleans": ({"type": "boolean"}, "boolean"),
    "lists of texts": ({"type": "array", "items": {"type": "string"}}, "list"),
    "lists of objects are none": ({"type": "array", "items": {"type": "object"}}, None),
    "objects are none": ({"type": "object"}, None),
    "text or null": ({"type": ["string", "null"]}, "text"),
    "text or number is none": ({"type": ["string", "integer"]}, None),
    "choices": ({"enum": ["a", "b"]}, "text"),
    "nonsense": ({"type": {"a": 1}}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("case", TYPES)
def test_the_type_of_a_schema(case: str) -> None:
    """Scalars and text lists can be params."""
    schema, kind = TYPES[case]

    assert type_of_schema(schema, plain) == kind


def test_the_telling_fields_are_chosen() -> None:
    """Amounts, recipients and names before what merely is there; never secrets or long text."""
    fields = [
        Field("description", "body.description", required=True),
        Field("password", "body.password", required=True),
        Field("clientSecret", "body.clientSecret", required=True),
        Field("metadataHint", "body.metadataHint"),
        Field("amount", "body.amount", "integer"),
        Field("phoneNumber", "body.phoneNumber"),
        Field("dryRun", "query.dryRun", "boolean"),
    ]

    params = chosen_params(fields)

    assert {name: (param.source, param.type) for name, param in params.items()} == {
        "amount": ("body.amount", "integer"),
        "dry_run": ("query.dryRun", "boolean"),
        "phone_number": ("body.phoneNumber", "text"),
    }


def test_schemas_are_read_through_references_and_parts() -> None:
    """`allOf` and references are followed, cycles end, what is read-only isn't sent."""
    schemas: dict[str, Any] = {
        "A": {"allOf": [{"$ref": "B"}, {"$ref": "A"}], "required": ["name"]},
        "B": {
            "properties": {
                "name": {"type": "string"},
                "id": {"type": "string", "readOnly": True},
                "tags": {"type": "array", "items": {"type": "string"}},
            }
        },
    }

    def resolve(node: object) -> dict[str, Any]:
        found = plain(node)
        return resolve(schemas[found["$ref"]]) if "$ref" in found else found

    fields = fields_of_schema({"$ref": "A"}, "body", resolve)

    assert [(field.address, field.type) for field in fields] == [
        ("body.name", "text"),
        ("body.tags", "list"),
    ]
