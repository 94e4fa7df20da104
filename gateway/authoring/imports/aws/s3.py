"""Makes the table by which S3's operations are told apart, from the model's paths and members."""

from __future__ import annotations

from typing import Any

from gateway.authoring.imports.aws.models import Model, ModelOperation
from gateway.canonicalize.authored.template import S3_VARIABLES
from gateway.canonicalize.selectors.s3 import BUCKET, COPY, OBJECT, SERVICE

_BY_HOST = frozenset({"ListDirectoryBuckets", "WriteGetObjectResponse"})
"""Operations that their host tells, and no key."""
_SELECTING_HEADERS = {"x-amz-copy-source": COPY}
_MORE_HARMLESS = ("versionId",)


def s3_facts(model: Model) -> dict[str, Any]:
    """Choices (operation, level, method, keys that must be there, keys that may) and the keys that
    choose nothing. Of two operations that send the same, the deprecated one is left out."""
    needed = {operation.name: _needed_keys(model, operation) for operation in model.operations}
    possible = {
        operation.name: _query_keys(model, operation) - set(needed[operation.name])
        for operation in model.operations
    }
    selecting = set().union(*needed.values())
    choices = []
    for operation in model.operations:
        if operation.name in _BY_HOST or operation.raw.get("deprecated"):
            continue
        path = operation.uri.partition("?")[0]
        level = OBJECT if "{Key" in path else BUCKET if "{Bucket" in path else SERVICE
        may = sorted(possible[operation.name] & selecting)
        keys = sorted(needed[operation.name])
        choices.append([operation.name, level, operation.method, keys, may])
    harmless = set().union(*possible.values()) - selecting
    return {
        "choices": choices,
        "harmless": sorted(harmless | set(_MORE_HARMLESS)),
        "variables": list(S3_VARIABLES),
    }


def _needed_keys(model: Model, operation: ModelOperation) -> set[str]:
    query = operation.uri.partition("?")[2]
    keys = {part.partition("=")[0] for part in query.split("&") if part}
    shape = _input(model, operation)
    for name in shape.get("required", ()):
        member = shape["members"][name]
        if member.get("location") == "querystring":
            keys.add(member["locationName"])
        elif member.get("locationName") in _SELECTING_HEADERS:
            keys.add(_SELECTING_HEADERS[member["locationName"]])
    return keys


def _query_keys(model: Model, operation: ModelOperation) -> set[str]:
    return {
        member["locationName"]
        for member in _input(model, operation).get("members", {}).values()
        if member.get("location") == "querystring"
    }


def _input(model: Model, operation: ModelOperation) -> dict[str, Any]:
    reference = operation.raw.get("input")
    return dict(model.shapes[reference["shape"]]) if reference else {}
