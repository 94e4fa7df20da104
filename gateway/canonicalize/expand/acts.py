"""What all families share: the call that is expanded, and an act's name, kind, target and params
from the names that the provider gave them.

Never makes a kind milder than the name is sure of, and never takes a secret for a param.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType

from gateway.canonicalize.authored.operation import Operation
from gateway.canonicalize.matcher import Candidate, Entry, first_that_holds
from gateway.canonicalize.naming.kinds import (
    KIND_BY_VERB,
    object_of,
    raised_kind,
    sensitivity,
    verb_of,
)
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import derived_action, words_of
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import DecimalText
from gateway.canonicalize.request.extractor import ACTIONS_MAX, ITEMS_MAX, TEXT_CHARS_MAX, extract
from gateway.canonicalize.request.reader import RequestReader
from gateway.model.action import ANY_PARAM, Action, Canonical, Kind, ParamValue, Target
from gateway.model.dataclass import dataclass
from gateway.model.exchange import HttpRequest

PARAMS_MAX = 32
"""Params that are named after what a body carries. A rule looks at a few."""
NAME_CHARS_MAX = 128
"""A longer name of an operation is nobody's; it would only fill the record."""


class NotUnderstoodError(Exception):
    """The body is not what its family describes, in a way that no two servers would differ on: its
    act is kind unknown."""


Resolve = Callable[[HttpRequest], Canonical]
"""Canonicalizes a request that stands inside another. It raises for a batch inside a batch."""


NamedActs = Mapping[str, Sequence[Entry]]
"""A mapper's own entries for single acts, by operation; their addresses `body.` lead into the
act's arguments."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A request that matched an entry with `expand`."""

    operation: Operation
    reader: RequestReader
    canonical_of: Resolve
    named: NamedActs


@dataclass(frozen=True, slots=True)
class Act:
    """One act that a body asks for, in the provider's words. `words` is its name, verb first;
    `arguments` are JSON-like."""

    operation: str
    words: Sequence[str]
    kind: Kind
    arguments: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    action: str = ""
    """The action's name, where it is not made of the words."""


def actions_of(call: Call, act: Act) -> tuple[Action, ...]:
    """The actions of an act: several where it names several targets."""
    entries = call.named.get(act.operation)
    if entries is not None:
        inner = call.reader.within(act.arguments)
        found = first_that_holds((Candidate(entry, ()) for entry in entries), inner)
        if found is not None:
            return found.entry.extractor.actions(inner)
    params, unreadable = params_of(act.arguments)
    free = free_params(act.arguments) & params.keys()
    kind = raised_kind(act.kind, act.words)
    irreversible = kind in (Kind.DELETE, Kind.SEND) or act.words[:1] in (["delete"], ["remove"])
    sensitive = sensitivity(kind, act.words) or None
    action = act.action
    if not action:
        action = (
            derived_action(act.words[0], list(act.words[1:])) if act.words else "call_operation"
        )
    return tuple(
        Action(
            call.operation.provider, act.operation, action, kind, target, params,
            not irreversible, sensitive, unreadable, unreadable, free=free,
        )
        for target in targets_of(act.arguments, act.words)
    )  # fmt: skip


def own_action(
    call: Call,
    action: str,
    kind: Kind,
    target: Target,
    params: Mapping[str, ParamValue],
    *,
    reversible: bool = True,
) -> Action:
    """An action under the matched entry's own operation, with its params beside the given ones."""
    frame = extract(call.operation, call.reader)[0] if call.operation.params else None
    own: Mapping[str, ParamValue] = frame.params if frame is not None else {}
    return Action(
        call.operation.provider,
        call.operation.operation,
        action,
        kind,
        target,
        MappingProxyType({**own, **params}),
        reversible,
        call.operation.sensitive,
        frame.missing - {"target.id"} if frame is not None else frozenset(),
        frame.unreadable - {"target.id"} if frame is not None else frozenset(),
    )


def unknown_action(call: Call, name: str, action: str, target: Target | None = None) -> Action:
    """What can't be read: kind unknown, whatever the entry says."""
    return Action(
        call.operation.provider,
        f"{call.operation.provider}.{name}",
        action,
        Kind.UNKNOWN,
        target or Target(call.operation.target.type, ""),
        reversible=False,
    )


def check_count(actions: Sequence[Action]) -> tuple[Action, ...]:
    """All of them, if they are not too many.

    Raises:
        AmbiguityError: `too_many_actions`.
    """
    if len(actions) > ACTIONS_MAX:
        raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the body asks for too many acts")
    return tuple(actions)


# --- names ----------------------------------------------------------------------------------------

_CRUD = frozenset(
    {
        "create", "update", "delete", "upsert", "add", "remove", "send", "cancel", "archive",
        "unarchive", "restore", "merge", "rotate", "close", "complete", "publish", "unpublish",
        "enable", "disable", "activate", "deactivate", "approve", "reject", "capture", "void",
        "import", "export", "transfer", "invite", "revoke", "grant", "set", "edit", "move", "open",
        "purge", "destroy", "refund", "charge", "pay", "release", "hold", "suspend", "resume",
        "commit", "begin",
    }
)  # fmt: skip
"""Verbs that noun-first names end with: `issueCreate`, `orderCancel`."""
_NOUNS_TOO = frozenset(
    {
        "release", "tag", "link", "schedule", "request", "process", "export", "record", "track",
        "post", "test", "build", "run", "star", "block", "watch", "vote", "fork", "copy", "import",
        "commit", "call", "reply", "order", "transfer", "charge", "refund", "match",
    }
)  # fmt: skip
"""First words that may be the noun of a verb at the end: `releaseSync`."""
_PLAINLY_FIRST = frozenset(
    {
        "create", "add", "update", "delete", "remove", "get", "set", "list", "send", "edit",
        "change", "move", "archive", "unarchive", "like", "unlike", "pin", "unpin", "duplicate",
        "clear", "complete",
    }
)  # fmt: skip
"""Verbs that are no nouns, so that a name which begins with one has its verb in front."""


def verb_first(name: str) -> list[str]:
    """The words of a name, its verb in front: `issueCreate` is `[create, issue]`."""
    words = words_of(name[:NAME_CHARS_MAX])
    verbs = KIND_BY_VERB if words and words[0] in _NOUNS_TOO else _CRUD
    if len(words) > 1 and words[-1] in verbs and words[0] not in _PLAINLY_FIRST:
        return [words[-1], *words[:-1]]
    if not words or words[0] in KIND_BY_VERB:
        return words
    for position, word in enumerate(words[1:], 1):
        if word in KIND_BY_VERB:
            return [word, *words[:position], *words[position + 1 :]]
    return words


def acting_kind(words: Sequence[str]) -> Kind:
    """The kind of an act that is known to change something. Where its name says that it reads, or
    says nothing, it is unknown."""
    verb = verb_of(words)
    kind = KIND_BY_VERB[verb] if verb else Kind.UNKNOWN
    return Kind.UNKNOWN if kind is Kind.READ else kind


def param_name(key: str) -> str:
    """A key as a param is called: `pullRequestId` is `pull_request_id`."""
    return "_".join(words_of(key))[:64]


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_SNAKE = re.compile(r"[^a-z0-9]+")


def snake(name: str) -> str:
    """A name as an action is written, word for word: `getWeather-v2` is `get_weather_v2`."""
    text = _NOT_SNAKE.sub("_", _CAMEL.sub("_", name).lower()).strip("_")[:80].strip("_")
    return text if text[:1].isalpha() else f"call_{text}".strip("_")


# --- params ---------------------------------------------------------------------------------------

_NOT_PARAMS = frozenset({"client_mutation_id"})
_UNWRAPPED = frozenset({"input"})
"""An argument that only wraps the others, by a habit of GraphQL."""
_MISSING = object()


def params_of(
    arguments: Mapping[str, object],
) -> tuple[Mapping[str, ParamValue], frozenset[str]]:
    """Scalars and lists of scalars by name, one level of nesting joined by `_`; and the names of
    those that are there and can't be given: null, too long, nested deeper, secret, two keys of one
    name, or more than are kept."""
    found: dict[str, ParamValue] = {}
    unreadable: set[str] = set()
    for name, value in _flat(arguments):
        if not name or name in _NOT_PARAMS:
            continue
        plain = _MISSING if looks_secret(name) else plain_value(value)
        if name in found or plain is _MISSING:
            unreadable.add(name)
            found.pop(name, None)
        elif name not in unreadable:
            found[name] = plain  # type: ignore[assignment]
    kept = sorted(found)[:PARAMS_MAX]
    unreadable.update(found.keys() - set(kept))
    named = sorted(unreadable)[:PARAMS_MAX]
    if len(named) < len(unreadable):
        named.append(ANY_PARAM)
    return MappingProxyType({name: found[name] for name in kept}), frozenset(named)


def free_params(arguments: Mapping[str, object]) -> frozenset[str]:
    """The names of those params of `params_of` that come from within an argument: what a tool takes
    it names, and what is in a map of those is anybody's."""
    return frozenset(
        f"{param_name(key)}_{param_name(inner)}"[:64]
        for key, value in arguments.items()
        if isinstance(value, Mapping) and key not in _UNWRAPPED
        for inner in value
    )


def weight_of(arguments: Mapping[str, object]) -> int:
    """How many values `params_of` looks at."""
    total = len(arguments)
    for value in arguments.values():
        if isinstance(value, Mapping | list):
            total += len(value)
            if isinstance(value, Mapping):
                total += sum(len(item) for item in value.values() if isinstance(item, list))
    return total


def _flat(arguments: Mapping[str, object]) -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for key, value in arguments.items():
        name = param_name(key)
        if isinstance(value, Mapping):
            prefix = "" if key in _UNWRAPPED else f"{name}_"
            secret = looks_secret(name)
            for inner_key, inner in value.items():
                hidden = secret or looks_secret(inner_key)
                inner_name = f"{prefix}{param_name(inner_key)}"[:64]
                flat.append((inner_name, None if hidden else inner))
        else:
            flat.append((name, None if looks_secret(key) else value))
    return flat


def _is_opaque(value: object) -> bool:
    """Null, objects, and lists with something in them that is no scalar."""
    if isinstance(value, list):
        return any(isinstance(item, list | Mapping) or item is None for item in value)
    return value is None or not isinstance(value, str | int)


def plain_value(value: object) -> object:
    """A scalar or list as a param carries it, or a mark that it is none, or too long."""
    if _is_opaque(value):
        return _MISSING
    if isinstance(value, list):
        items = [plain_value(item) for item in value[:ITEMS_MAX]]
        return _MISSING if len(value) > ITEMS_MAX or _MISSING in items else items
    if isinstance(value, str):
        text = str(value) if isinstance(value, DecimalText) else value
        return _MISSING if len(text) > TEXT_CHARS_MAX else text
    return value


# --- targets --------------------------------------------------------------------------------------

_NOT_TARGETS = frozenset({"client_mutation_id", "request_id", "idempotency_id", "operation_id"})
_NUMBERS = ("pull_number", "issue_number", "number", "pull_request_number")
_BY_NAME = ("name", "path", "url", "uri", "slug", "key", "ref")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,1024}")


def targets_of(arguments: Mapping[str, object], words: Sequence[str]) -> tuple[Target, ...]:
    """What an act is done to, from the arguments that look like ids: the one named like the act's
    object before any other, and none where two fit alike."""
    nouns = object_of(words)
    noun = "_".join(nouns)
    ids, lists = _candidates(arguments)
    if "id" in ids:
        return (Target(noun, ids["id"]),)
    for name in (f"{noun}_id", *(f"{last}_id" for last in nouns[-1:])):
        if name in ids:
            return (Target(name[:-3], ids[name]),)
    for name in ("ids", f"{noun}_ids", *(f"{last}_ids" for last in nouns[-1:])):
        if lists.get(name):
            if len(lists[name]) > ACTIONS_MAX:
                raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the act has too many targets")
            return tuple(Target(name[:-4] or noun, one) for one in lists[name])
    repository = ids.get("repo") or ids.get("repository") or ids.get("name")
    if "owner" in ids and repository:
        number = next((ids[name] for name in _NUMBERS if name in ids), "")
        path = f"{ids['owner']}/{repository}" + (f"/{number}" if number else "")
        return (Target(noun or "repository", path),)
    single = [name for name in ids if name.endswith("_id")]
    if len(single) == 1:
        return (Target(single[0][:-3], ids[single[0]]),)
    if not single:
        for name in (noun, f"{noun}_name", *nouns[-1:], *_BY_NAME):
            if name in ids:
                return (Target(noun, ids[name]),)
    return (Target(noun, ""),)


def _candidates(
    arguments: Mapping[str, object],
) -> tuple[dict[str, str], dict[str, list[str]]]:
    ids: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    doubled: set[str] = set()
    for name, value in _flat(arguments):
        if name in _NOT_TARGETS or isinstance(value, bool) or _is_opaque(value):
            continue
        if name in ids or name in lists:
            doubled.add(name)
        elif isinstance(value, list):
            texts = [str(item) for item in value]
            if all(_TEXT.fullmatch(text) for text in texts):
                lists[name] = texts
        elif _TEXT.fullmatch(str(value)):
            ids[name] = str(value)
    for name in doubled:
        ids.pop(name, None)
        lists.pop(name, None)
    return ids, lists
