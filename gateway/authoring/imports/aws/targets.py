"""Finds what an AWS operation acts on among the members of its input: the name, id or ARN that goes
with the noun of its name. `DeleteTable` acts on `TableName`, of type `table`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gateway.authoring.imports.aws.models import Member, ModelOperation
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_ID_WORDS = frozenset(
    {"name", "names", "id", "ids", "arn", "arns", "identifier", "identifiers", "url", "number"}
)
_MORE_IDS = frozenset(
    {"key", "alias", "username", "email", "email address", "domain", "bucket", "resource"}
)
"""Whole names of members that are ids by themselves."""
_OWN = frozenset({"resource", "entity", "source", "target"})
_HOW = frozenset({"batch", "admin", "bulk", "transact"})
_JOINTS = frozenset({"to", "from", "for", "with", "in", "by", "on", "of", "as", "into"})
_LONG = frozenset(
    {
        "document", "body", "message", "text", "description", "code", "content", "definition",
        "configuration", "policy", "statement", "query", "string", "data", "input", "output",
        "template", "script", "comment", "reason", "date", "time", "expression", "uri", "cause",
        "reference", "type", "prompt", "title", "from", "to", "label", "category", "status",
        "subdirectory", "hostname", "format", "mode", "level", "locale", "principal", "arn",
        "state",
    }
)  # fmt: skip
"""Last words of members that are text and no names."""
_NOT_IT = re.compile(r"client|token|account|marker|request|next|page|max|region|owner|version")
"""Words of members that are ids, and seldom of what the operation acts on."""


@dataclass(frozen=True, slots=True)
class Target:
    """`id` is an address, or empty; with `each` that of a list."""

    type: str
    id: str = ""
    each: bool = False
    member: str = ""


def noun_of(operation: str) -> list[str]:
    """The words of what an operation acts on, in the singular: `DeleteDBClusters` -> db cluster."""
    words = words_of(operation)
    while len(words) > 1 and words[0] in _HOW:
        words = words[1:]
    kept: list[str] = []
    for word in words[1:]:
        if word in _JOINTS and kept:
            break
        kept.append(word)
    return [*kept[:-1], singular(kept[-1])] if kept else []


def target_of_operation(
    operation: ModelOperation, kind: Kind, variables: Mapping[str, str]
) -> Target:
    """The target. `variables` are our names of path variables by the model's."""
    noun = noun_of(operation.name)
    best: tuple[tuple[int, int, int], Member, list[str]] | None = None
    for position, member in enumerate(operation.members):
        words = words_of(member.name)
        if member.type == "list" and len(words) > 1 and words[-1] == "list":
            words = words[:-1]
        stem = noun if words == noun else _stem(words)
        if stem is None or looks_secret(member.name) or member.type not in ("text", "list"):
            continue
        if words[-2:] == ["public", "key"]:
            continue  # a whole key, and not its name
        if member.is_inner and (not stem or _match(stem, noun) < _TAIL or words[-1] in _LONG):
            continue
        rank = _rank(member, stem, noun, position, kind)
        if rank is not None and (best is None or rank > best[0]):
            best = rank, member, stem
    if best is None:
        return _target_by_place(operation, kind, noun, variables)
    _, member, stem = best
    address = _address(member, variables)
    kind_of_thing = stem if stem and set(stem) - _OWN else (stem or noun)
    return Target("_".join(kind_of_thing)[:64], address, member.type == "list", member.name)


def _address(member: Member, variables: Mapping[str, str]) -> str:
    return f"path.{variables[member.path_name]}" if member.path_name else member.address


def _target_by_place(
    operation: ModelOperation, kind: Kind, noun: list[str], variables: Mapping[str, str]
) -> Target:
    """Where no name fits: the first text that is needed, or, for what changes a thing that is there
    already, the first id that can be given (`PutRecord` has the stream's name, id or ARN)."""
    changes = kind in (Kind.UPDATE, Kind.DELETE, Kind.SEND) or operation.name.startswith("Put")
    makes = operation.name.startswith(("Create", "Import", "Generate"))
    for member in operation.members:
        words = words_of(member.name)
        if member.type != "text" or member.is_choice or member.is_secret or not words:
            continue
        stem = _stem(words)
        if looks_secret(member.name) or _NOT_IT.search(" ".join(words)):
            continue
        if words[-1] in _LONG or "kms" in words or "role" in words:
            continue
        if member.required and not stem and kind is not Kind.READ and not makes:
            return Target("_".join(words)[:64], _address(member, variables), member=member.name)
        if changes and stem:
            return Target("_".join(stem)[:64], _address(member, variables), member=member.name)
    return Target("_".join(noun))


def _stem(words: list[str]) -> list[str] | None:
    """`DBInstanceIdentifiers` -> db instance; None for what is no name or id."""
    if " ".join(words) in _MORE_IDS:
        return [singular(words[-1])] if words[-1] != "username" else ["user"]
    if not words or words[-1] not in _ID_WORDS:
        return None
    words = list(words)
    while words and words[-1] in _ID_WORDS:
        words.pop()
    return [*words[:-1], singular(words[-1])] if words else []


def _rank(
    member: Member, stem: Sequence[str], noun: Sequence[str], position: int, kind: Kind
) -> tuple[int, int, int] | None:
    """How well a member fits, None where it can't be the target."""
    is_needed = member.required or bool(member.path_name)
    match = _match(stem, noun)
    if not is_needed and (kind is Kind.READ or (match == _NONE and noun)):
        return None
    if match == _NONE and _NOT_IT.search(" ".join(stem)):
        if not is_needed:
            return None
        match = -1
    # Of path variables that fit equally the last is the most specific; of other members the first.
    order = position if member.path_name else -position
    return match, int(is_needed) + int(bool(member.path_name)), order


_NONE, _PART, _TAIL, _ALL = 0, 1, 2, 3


def _match(stem: Sequence[str], noun: Sequence[str]) -> int:
    if list(stem) == list(noun) or not stem:
        return _ALL
    if list(noun[-len(stem) :]) == list(stem) or list(stem[-len(noun) :]) == list(noun):
        return _TAIL if noun else _NONE
    return _PART if set(stem) <= set(noun) else _NONE
