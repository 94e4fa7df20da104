"""Turns the methods that an SDK's source states (name, HTTP method, path, body fields) into rows.

Importers of SDKs read the source in their own way and hand over `Call`s; the judgement of what an
act means is made here, in one way for all of them. `Judgement` holds what a provider's own
documents settle: which POSTs only read, what changes permissions, what gives secrets away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from gateway.authoring.imports.params import PARAMS_MAX, Field, chosen_params
from gateway.authoring.imports.targets import path_params, target_of
from gateway.authoring.imports.wires import wire_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.naming.kinds import (
    KIND_BY_VERB,
    changes_access,
    derived_kind,
    sensitivity,
    verb_in,
)
from gateway.canonicalize.naming.words import derived_action, words_of
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_NEVER = re.compile(r"(?!)")
_MEANINGLESS = frozenset({"idempotency_key", "idempotencyKey", "client_token", "request_id"})
"""Fields that differ from call to call and say nothing of the act."""
API_VERSION = "api_version"
"""What importers call the version in a path, where it is a variable: never a target or a param."""
_NO_NOUNS = (frozenset(KIND_BY_VERB) | {"batch", "bulk", "by", "sync", "test", "all"}) - {"link"}
"""First words of path segments that name an act, and not what it acts on."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method of an SDK. `words` name the act, the verb first; `fields` are those of the body,
    and `params` what the importer knows better than them (money, recipients)."""

    operation: str
    method: str
    template: str
    words: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    params: Mapping[str, RowParam] = field(default_factory=dict)
    target_type: str = ""
    target_id: str = ""
    when: Mapping[str, str | bool] = field(default_factory=dict)
    action: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of a provider. The patterns are searched in the operation's name.

    `kinds`, `actions` and `params` hold single operations by name. `reads` are POSTs that only
    answer a question; `executes` are acts whose names sound like questions. `posts_act` says that
    a POST whose name tells nothing is an act, and no creation; `is_rpc` that the method means
    nothing at all.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    reads: re.Pattern[str] = _NEVER
    admin: re.Pattern[str] = _NEVER
    sends: re.Pattern[str] = _NEVER
    executes: re.Pattern[str] = _NEVER
    credentials: re.Pattern[str] = _NEVER
    irreversible: re.Pattern[str] = _NEVER
    reversible: re.Pattern[str] = _NEVER
    posts_act: bool = False
    is_rpc: bool = False
    actions: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, RowParam]] = field(default_factory=dict)


def row_of(call: Call, judgement: Judgement) -> Row:
    """The row of one call."""
    wire, _ = wire_of(call.method, call.template)
    kind = kind_of(call, judgement)
    target_type, target_id = _target_of(wire)
    if call.target_type:
        target_type, target_id = call.target_type, call.target_id
    action = judgement.actions.get(call.operation) or call.action
    known = {**call.params, **judgement.params.get(call.operation, {})}
    return Row(
        call.operation,
        wire,
        kind,
        action or derived_action(call.words[0], list(call.words[1:])),
        target_type,
        target_id,
        _params(call.fields, known, wire, kind, target_id),
        dict(call.when),
        is_reversible(call, kind, judgement),
        _sensitivity(call, kind, judgement),
    )


def kind_of(call: Call, judgement: Judgement) -> Kind:
    """The provider's word first, then the name, then the method; never a read by doubt."""
    name, method = call.operation, "POST" if judgement.is_rpc else call.method.upper()
    if name in judgement.kinds:
        return judgement.kinds[name]
    if method in ("GET", "HEAD") or (method == "POST" and judgement.reads.search(name)):
        return Kind.READ
    # Without a verb in front, a last noun such as `schedule` must not be taken for one.
    kind = derived_kind(call.words if verb_in(call.words) else (), method)
    if kind is Kind.READ and not _acts(name, judgement):
        return kind
    for pattern, means in (
        (judgement.sends, Kind.SEND),
        (judgement.executes, Kind.EXECUTE),
        (judgement.admin, Kind.ADMIN),
    ):
        if pattern.search(name):
            return means
    if judgement.credentials.search(name) or changes_access(call.words):
        return Kind.ADMIN
    if kind is Kind.UNKNOWN and method == "POST" and judgement.posts_act:
        return Kind.EXECUTE
    return kind


def _sensitivity(call: Call, kind: Kind, judgement: Judgement) -> str:
    if judgement.credentials.search(call.operation):
        return "credentials"
    return sensitivity(kind, call.words)


def _acts(name: str, judgement: Judgement) -> bool:
    """Whether a POST whose name reads is known to do more: it gives secrets away, or acts."""
    return bool(judgement.executes.search(name) or judgement.credentials.search(name))


def is_reversible(call: Call, kind: Kind, judgement: Judgement) -> bool:
    """Deletions and what is sent stay done, unless the provider says otherwise."""
    if kind is Kind.READ or judgement.reversible.search(call.operation):
        return True
    if judgement.irreversible.search(call.operation):
        return False
    return not (kind in (Kind.DELETE, Kind.SEND) or call.method.upper() == "DELETE")


def _target_of(wire: str) -> tuple[str, str]:
    """As `target_of`; without an id, the last literal that is no verb is the type."""
    target_type, target_id = target_of(wire, ignored=(API_VERSION,))
    if target_id:
        return target_type, target_id
    literals = [part for part in wire.partition(" ")[2].split("/") if part and "{" not in part]
    while len(literals) > 1 and (words_of(literals[-1])[:1] or [""])[0] in _NO_NOUNS:
        literals.pop()
    return (target_of("X /" + "/".join(literals))[0] if literals else target_type), ""


def _params(
    fields: tuple[Field, ...],
    known: Mapping[str, RowParam],
    wire: str,
    kind: Kind,
    target_id: str,
) -> dict[str, RowParam]:
    params = path_params(wire, target_id)
    in_path = {*params, *re.findall(r"path\.(\w+)", target_id)}
    params.pop(API_VERSION, None)
    if kind is Kind.READ:
        return params
    params |= known
    taken = {param.source for param in params.values()}
    left = [
        item
        for item in fields
        if item.address not in taken
        and item.name not in params
        and item.name not in _MEANINGLESS | in_path
    ]
    return params | chosen_params(left, most=max(0, PARAMS_MAX - len(params)))
