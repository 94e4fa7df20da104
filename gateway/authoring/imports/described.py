"""One operation, as an importer found it described, -> its catalog row.

The importers of REST APIs share this: they tell name, method, path and fields; kind, action,
target, params and marks are derived here, the same way for all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from gateway.authoring.imports.params import Field, chosen_params
from gateway.authoring.imports.targets import path_params, target_of
from gateway.authoring.imports.wires import wire_of
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.naming.kinds import (
    KIND_BY_VERB,
    derived_kind,
    object_of,
    raised_kind,
    sensitivity,
    verb_of,
)
from gateway.canonicalize.naming.words import derived_action, singular, words_of
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_VARIABLE = re.compile(r"\{[^{}]*\}")
_FINAL_VERBS = frozenset(
    {
        "delete", "destroy", "purge", "terminate", "drop", "erase", "wipe", "truncate", "pay",
        "capture", "redeem", "finalize", "transfer",
    }
)  # fmt: skip
_MONEY = frozenset(
    {"payout", "refund", "payment", "transfer", "charge", "withdrawal", "disbursement"}
)
_METHOD_VERBS = {
    "GET": "get", "HEAD": "get", "DELETE": "delete", "PUT": "update", "PATCH": "update",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Described:
    """`name` is the operation's own name, `words` those of it that begin with its verb (without
    the group that it is in), `group` the noun of that group. `is_read` is an authority's word.
    `path` is the template as published; `condition` what tells two calls of one path apart."""

    name: str
    method: str
    path: str
    words: Sequence[str]
    group: str = ""
    fields: Sequence[Field] = ()
    is_read: bool | None = None
    is_collection: bool = False
    condition: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowRules:
    """How a provider's targets are named (see `target_of`), and what is known better than any
    rule tells: kinds, targets and marks by operation name."""

    scope: Sequence[str] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    ignored: Collection[str] = ()
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    credentials: Collection[str] = ()
    no_credentials: Collection[str] = ()
    irreversible: Collection[str] = ()


def row_of(found: Described, rules: RowRules) -> Row:
    """The row of one operation."""
    wire, _ = wire_of(found.method, found.path)
    words = verb_first(found)
    kind = rules.kinds.get(found.name) or kind_of(found)
    target_type, target_id = target_of(
        wire, scope=rules.scope, types=rules.types, ignored=rules.ignored
    )
    params = path_params(wire, target_id)
    if kind is not Kind.READ:
        params = {**chosen_params(found.fields), **params}
    return Row(
        operation=found.name,
        wire=wire,
        kind=kind,
        action=action_of(found, kind),
        target_type=target_type,
        target_id=target_id,
        params=dict(sorted(params.items())),
        when=dict(found.condition),
        reversible=not (found.name in rules.irreversible or is_final(kind, words, found.method)),
        sensitive=_sensitive(found, kind, words, rules),
    )


def kind_of(found: Described) -> Kind:
    """The kind that name, path, method and authority give."""
    words = verb_first(found)
    is_read = found.is_read
    named = KIND_BY_VERB.get(verb_of(words) or "", Kind.UNKNOWN)
    if is_read and named not in (Kind.READ, Kind.UNKNOWN):
        is_read = None  # a scope is coarser than a name that says it acts
    kind = derived_kind(words, found.method, is_read=is_read)
    if kind is Kind.UNKNOWN and found.is_collection and found.method == "POST":
        kind = Kind.CREATE
    return raised_kind(kind, words)


def verb_first(found: Described) -> list[str]:
    """The words of a name with its verb in front; `post_users` and the like have none, and then
    the path's last word is asked (`/orders/{id}/cancel`)."""
    words = list(found.words)
    if len(words) > 1 and words[0] == found.method.lower():
        if words[0] == "post":
            words = words[1:]
        elif words[0] in ("put", "patch"):
            words[0] = "update"
    if words and words[0] == "post" and found.method == "POST":
        words = []
    if (
        len(words) > 1
        and words[-1] == found.method.lower()
        and words[-1] in ("post", "put", "patch")
    ):
        words.pop()
    verb = verb_of(words)
    if verb is not None:
        if words[0] != verb and words[-1] == verb:
            return [verb, *words[:-1]]
        return words
    literals = [part for part in found.path.split("/") if part and "{" not in part]
    ends_literal = not found.path.rstrip("/").endswith("}")
    tail = words_of(literals[-1]) if literals and ends_literal else []
    says_verb = bool(tail) and verb_of(tail) == tail[0] and singular(tail[-1]) == tail[-1]
    if says_verb and found.method == "POST":
        return [*tail, *(word for word in words if word not in tail)]
    return words


def action_of(found: Described, kind: Kind) -> str:
    """The derived `verb_noun`. A name without an object takes its group's, or the path's."""
    words = verb_first(found)
    verb = verb_of(words)
    if verb is None:
        verb = _METHOD_VERBS.get(found.method) or ("create" if kind is Kind.CREATE else "call")
        rest = words
    else:
        at = words.index(verb)
        rest = [*words[:at], *words[at + 1 :]] if at else words[1:]
    nouns = [*rest]
    if not object_of([verb, *rest]):
        nouns = [*(singular(word) for word in words_of(found.group) or _path_nouns(found)), *rest]
    return derived_action(verb, nouns)


def _path_nouns(found: Described) -> list[str]:
    for part in reversed([part for part in _VARIABLE.sub("", found.path).split("/") if part]):
        words = words_of(part)
        if words and words[0].isalpha() and words[0] not in ("v", "api", "json"):
            return words
    return []


def is_final(kind: Kind, words: Sequence[str], method: str) -> bool:
    """Whether nothing takes an act back: deletes of things, sends, money that goes out."""
    if kind is Kind.READ:
        return False
    verb = verb_of(words)
    if kind is Kind.SEND or verb in _FINAL_VERBS or (verb is None and method == "DELETE"):
        return True
    if kind not in (Kind.CREATE, Kind.EXECUTE):
        return False
    nouns = object_of(words)
    return bool(nouns) and nouns[-1] in _MONEY


def _sensitive(found: Described, kind: Kind, words: Sequence[str], rules: RowRules) -> str:
    if found.name in rules.credentials:
        return "credentials"
    is_given = found.method == "PUT" and verb_of(words) in ("create", "add")
    if is_given or found.name in rules.no_credentials:
        return ""  # who puts a secret has it already
    return sensitivity(kind, words)
