"""Turns the calls of an SDK into rows: one operation for each wire, with kind, action, target and
params.

Where several methods send the same bytes, one name has to do for all of them: the one that is not
deprecated, not in beta, the shortest, the first. The others are its aliases.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence

from gateway.authoring.imports.params import PARAMS_MAX, Field, chosen_params
from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.python_calls import SdkCall
from gateway.authoring.imports.targets import path_params, target_of
from gateway.authoring.imports.wires import shape_of, wire_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.canonicalize.naming.words import derived_action, singular, words_of
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_HOW = frozenset({"batch", "bulk", "async", "beta"})
_VERBS = {"retrieve": "get", "del": "delete", "destroy": "delete", "edit": "update"}
"""Words of SDKs that mean the same as another one's everywhere."""
_VERSION = re.compile(r"v\d+|beta")
_NAMING = frozenset({"name", "email", "title", "url", "hostname", "domain", "domain_name"})
"""Required members of a body that name what is made, where the path names nothing."""
_NEVER_RECORDED = re.compile(
    r"(?:^|_)(?:custom|stream|debug|signing|license|shared)_key$|(?:^|_)(?:csr|psk|pem|code|nonce)$"
    r"|certificates?$|^(?:card|iban|cvc|ssn|pin|otp)$|(?:account|routing|id|card)_number$"
    r"|^mime_message$"
)
"""Members of bodies that are keys, codes, whole certificates or numbers of accounts, by names that
`secrets` doesn't know: they say too much about a person, or nothing to a rule."""


@dataclass(frozen=True, slots=True)
class NamedCall:
    """A call with its operation's name and those of its aliases."""

    operation: str
    call: SdkCall
    aliases: tuple[str, ...]


def without_aliases(
    provider: str, calls: Iterable[SdkCall], *, preferred: Container[str] = ()
) -> list[NamedCall]:
    """One call for each wire, in the order of the source; `preferred` names win in any case."""
    groups: dict[tuple[object, ...], list[SdkCall]] = {}
    for call in calls:
        shape = shape_of(call.template)
        groups.setdefault((call.method, shape, call.query), []).append(call)
    named = []
    for group in groups.values():
        best = min(group, key=lambda call: (call.name not in preferred, *_rank(call)))
        others = sorted({call.name for call in group} - {best.name})
        named.append(
            NamedCall(f"{provider}.{best.name}", best, tuple(f"{provider}.{n}" for n in others))
        )
    return named


def _rank(call: SdkCall) -> tuple[bool, bool, int]:
    """Python's `min` keeps the first of equals, which is the source's first."""
    return call.is_deprecated, "beta" in call.path, len(call.path)


def act_words(path: Sequence[str], method: str, *, nouns: int = 2) -> tuple[str, ...]:
    """The words of an act, its verb first: `(zones, settings, edit)` is update, zone, setting."""
    *resources, last = path
    words = _parts(last)
    things: list[str] = []
    for resource in [name for name in resources if not _VERSION.fullmatch(name)][-nouns:]:
        parts = _parts(resource)
        parts[-1] = singular(parts[-1])
        # `blogs.blog_posts` is a blog post, and `files.files` a file.
        overlap = next((n for n in range(len(parts), 0, -1) if things[-n:] == parts[:n]), 0)
        things += parts[overlap:]
    first = next((word for word in words if word not in _HOW), "")
    if first in KIND_BY_VERB or method not in ("GET", "HEAD"):
        kept = [_VERBS.get(word, word) for word in words]
        verbs = 1 + next((i for i, word in enumerate(kept) if word not in _HOW), 0)
        return (*kept[:verbs], *things, *without_repetition(things, kept[verbs:]))
    return ("get", *things, *words)


def _parts(name: str) -> list[str]:
    """The words of a Python name; `r2` and `layer3` stay whole."""
    return [part for part in name.lower().split("_") if part]


def without_repetition(things: Sequence[str], rest: Sequence[str]) -> list[str]:
    """The rest of a method's name, if it isn't what its resource says already: `void_invoice`."""
    if rest and list(things[-len(rest) :]) == [*rest[:-1], singular(rest[-1])]:
        return []
    return list(rest)


def sdk_rows(calls: Iterable[NamedCall], judgement: Judgement, *, prefix: str = "") -> list[Row]:
    """The rows of some calls; `prefix` is the path of the SDK's base URL."""
    rows = []
    for named in calls:
        call = named.call
        fields = [
            Field(field.name, f"{call.place}.{field.name}", field.type, field.required)
            for field in call.fields
            if not never_recorded(field.name, named.operation)
        ]
        rows.append(
            judged_row(
                named.operation,
                wire_of(call.method, prefix + call.template)[0],
                act_words(call.path, call.method),
                fields,
                judgement.kind_of(named.operation, words_of(call.path[-1]), call.method),
                judgement,
                {f"query.{name}": value for name, value in call.query},
            )
        )
    return rows


def never_recorded(name: str, operation: str) -> bool:
    """Whether a member of a body must not be a param; the value of a credential is none either."""
    if name in ("value", "values"):
        return re.search(r"credential|secret|tax_id", operation) is not None
    return _NEVER_RECORDED.search(name) is not None


def judged_row(
    operation: str,
    wire: str,
    words: Sequence[str],
    fields: Sequence[Field],
    kind: Kind,
    judgement: Judgement,
    when: Mapping[str, str | bool],
) -> Row:
    """One row. Reads have the params of their path only; what has no variable in its path acts on
    what its body has to name."""
    method = wire.partition(" ")[0]
    target_type, target_id = target_of(wire)
    if not target_id and kind is not Kind.READ:
        target_id = next((f.address for f in fields if f.required and f.name in _NAMING), "")
    params: dict[str, RowParam] = path_params(wire, target_id)
    if kind is not Kind.READ:
        params = {**chosen_params(fields, most=PARAMS_MAX - len(params)), **params}
    return Row(
        operation,
        wire,
        kind,
        derived_action(words[0], list(words[1:])),
        target_type,
        target_id,
        params,
        dict(when),
        judgement.is_reversible(operation, kind, method),
        judgement.sensitive(operation),
    )
