"""Makes a section of rows out of one AWS service: wires, conditions, targets and params."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.authoring.imports.aws.hosts import host_keys, signing_names
from gateway.authoring.imports.aws.kinds import judge
from gateway.authoring.imports.aws.levels import Levels, level_of
from gateway.authoring.imports.aws.models import Model, ModelOperation
from gateway.authoring.imports.aws.s3 import s3_facts
from gateway.authoring.imports.aws.targets import Target, target_of_operation
from gateway.authoring.imports.params import Field, chosen_params, param_name
from gateway.authoring.imports.wires import wire_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import derived_action, words_of
from gateway.canonicalize.selectors.aws_index import AWS_ERRORS, Protocol
from gateway.model.action import Kind

_LOOKS = frozenset({"format", "pretty"})
"""Keys in path templates that say how an answer looks, and don't choose an operation."""

_MORE_WIRES = {"cloudsearchdomain.Search": "POST /2013-01-01/search"}
"""Other ways in which the official SDKs send an operation: a long search goes in a form."""
_LONG = frozenset(
    {
        "message", "message_body", "body", "document", "policy_document", "policy",
        "template_body", "definition", "user_data", "query_string", "statement", "code", "script",
        "assume_role_policy_document", "configuration", "schema", "schema_definition",
    }
)  # fmt: skip
"""Names of text that is long, or that no rule compares."""


def section_of(model: Model, levels: Levels) -> NewSection:
    """All operations of a service."""
    rows = [_row(model, operation, levels) for operation in model.operations]
    rows += [
        replace(row, wire=_MORE_WIRES[row.operation])
        for row in rows
        if row.operation in _MORE_WIRES
    ]
    return NewSection(model.name, rows, facts=_facts(model))


def _facts(model: Model) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "hosts": list(host_keys(model)),
        "signs": list(signing_names(model)),
        "speaks": [protocol.value for protocol in model.protocols],
        "version": model.metadata["apiVersion"],
        "errors": AWS_ERRORS[Protocol(model.protocols[0].value)],
    }
    if "targetPrefix" in model.metadata:
        facts["target"] = model.metadata["targetPrefix"]
    if model.name == "s3":
        facts |= s3_facts(model)
    return facts


def _row(model: Model, operation: ModelOperation, levels: Levels) -> Row:
    judgement = judge(model, operation, level_of(levels, model, operation.name))
    wire, variables, when = _wire(model, operation)
    target = target_of_operation(operation, judgement.kind, variables)
    if model.name == "s3":
        target = _s3_target(operation, target)
    words = words_of(operation.name)
    while len(words) > 1 and words[0] in ("batch", "admin", "bulk"):
        words = words[1:]
    row = Row(
        f"{model.name}.{operation.name}",
        wire,
        judgement.kind,
        derived_action(words[0], words[1:]),
        target.type,
        target.id,
        when=when,
        reversible=judgement.reversible,
        sensitive=judgement.sensitive,
        each=target.each,
    )
    return replace(row, params=_params(operation, judgement.kind, target, variables))


def _wire(
    model: Model, operation: ModelOperation
) -> tuple[str, dict[str, str], dict[str, str | bool]]:
    """Wire, our names of its variables, and what its query must have; nothing of that for what is
    found by its name."""
    if model.name == "s3":
        return "", {"Bucket": "bucket", "Key": "key"}, {}
    if not model.is_rest:
        return "", {}, {}
    wire, variables = wire_of(operation.method, operation.uri)
    when: dict[str, str | bool] = {}
    for part in operation.uri.partition("?")[2].split("&"):
        key, equals, value = part.partition("=")
        if key and key not in _LOOKS:
            when[f"query.{key}"] = value if equals else True
    return wire, variables, when


def _s3_target(operation: ModelOperation, found: Target) -> Target:
    """Buckets, and objects by bucket and key."""
    if operation.name == "DeleteObjects":
        return Target("object", "xml.Delete.Object.Key", each=True)
    names = {member.name for member in operation.members}
    if "Key" in names:
        return Target("object", "{path.bucket}/{path.key}", member="Key")
    return Target("bucket", "path.bucket", member="Bucket") if "Bucket" in names else found


def _params(
    operation: ModelOperation, kind: Kind, target: Target, variables: dict[str, str]
) -> dict[str, RowParam]:
    fields, path = [], {}
    for member in operation.members:
        if member.name == target.member or not member.type or member.is_inner:
            continue
        if member.path_name:
            name = param_name(member.name)
            if name and not looks_secret(member.name) and not looks_secret(name):
                path[name] = RowParam(f"path.{variables[member.path_name]}")
        elif kind is Kind.READ or member.is_secret or param_name(member.name) in _LONG:
            continue
        else:
            fields.append(Field(member.name, member.address, member.type, member.required))
    return {**chosen_params(fields), **path}
