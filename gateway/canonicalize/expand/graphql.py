"""Turns a GraphQL request into one act for each root field that it asks for.

Takes JSON (one request or a batch), a GET's query, a form, `application/graphql` and the multipart
request specification. `@skip` and `@include` are taken for nothing: what might run counts. What is
persisted elsewhere, or is no document, is kind unknown, never a read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gateway.canonicalize.expand.acts import (
    Act,
    Call,
    acting_kind,
    actions_of,
    check_count,
    param_name,
    unknown_action,
    verb_first,
    weight_of,
)
from gateway.canonicalize.expand.graphql_document import (
    Document,
    Field,
    OperationDefinition,
    Selections,
    Variable,
    parse_document,
)
from gateway.canonicalize.expand.graphql_tokens import TOKENS_MAX, GraphqlSyntaxError
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import MediaType, parse_json
from gateway.canonicalize.request.extractor import ACTIONS_MAX
from gateway.canonicalize.request.reader import RequestReader, member
from gateway.model.action import Action, Kind, Target
from gateway.model.dataclass import dataclass

BATCH_MAX = 100
"""Requests of one batch; Apollo's client sends ten."""

WEIGHT_MAX = 20_000
"""Values in the arguments of all root fields, where there are several."""

_KEYS = ("query", "variables", "operationName", "extensions")
_STORED = ("id", "documentId", "document_id", "queryId", "query_id", "doc_id", "hash")
"""Keys by which servers take a document that they hold already."""


@dataclass(frozen=True, slots=True)
class _Request:
    query: str | None
    variables: Mapping[str, object]
    name: str
    persisted: str | None


def expand_graphql(call: Call) -> tuple[Action, ...]:
    """The acts of a GraphQL request.

    Raises:
        AmbiguityError: it is said twice, in two places, or is too large.
    """
    actions: list[Action] = []
    room, weight = TOKENS_MAX, 0
    for body in _bodies(call.reader):
        request = _request(body)
        if request.query is None:
            target = Target("document", (request.persisted or "")[:128])
            actions.append(unknown_action(call, "graphql.persisted", "run_document", target))
            continue
        try:
            document = parse_document(request.query, room)
        except GraphqlSyntaxError:
            actions.append(unknown_action(call, "graphql.unparsed", "run_document"))
            room -= len(request.query) // 8
            continue
        room -= document.size
        for found in _acts(call.operation.provider, document, request):
            # A variable may stand in every field, so its size counts every time.
            weight += weight_of(found.arguments)
            if actions and weight > WEIGHT_MAX:
                raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the arguments are too many")
            actions += actions_of(call, found)
            check_count(actions)
    return tuple(actions)


# --- where the request stands ---------------------------------------------------------------------


def _bodies(reader: RequestReader) -> list[Mapping[str, object]]:
    """The requests of a batch, or the one request, wherever the client put it."""
    in_url = {key: reader.query.values[key] for key in _KEYS if key in reader.query.values}
    raw = reader.whole_body()
    if not raw:
        return [_from_pairs(reader.query.values)]
    found: object
    if reader.media is MediaType.FORM:
        found = _from_pairs(reader.form.values)
    elif _media(reader) == b"application/graphql":
        found = _graphql_text(raw, in_url)
        in_url = {}
    elif reader.media is MediaType.MULTIPART:
        found = _from_multipart(reader)
    else:
        found = reader.json
    listed = found if isinstance(found, list) else [found]
    if len(listed) > BATCH_MAX:
        raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the GraphQL batch is too large")
    bodies = [body for body in listed if isinstance(body, Mapping)]
    if not bodies or len(bodies) != len(listed):
        raise AmbiguityError(ambiguity.BODY, "the body is no GraphQL request")
    for key, value in in_url.items():
        # Clients repeat the name in the URL, for logs; anything else would be a second request.
        if key != "operationName" or any(body.get(key) != value for body in bodies):
            raise AmbiguityError(ambiguity.BODY, f"`{key}` is in the query and in the body")
    return bodies


def _media(reader: RequestReader) -> bytes:
    value = reader.request.fields.get(b"content-type", b"")
    return value.lower().partition(b";")[0].strip()


def _from_multipart(reader: RequestReader) -> object:
    """The field that the multipart request specification names."""
    found = reader.form.values.get("operations")
    if not isinstance(found, str):
        raise AmbiguityError(ambiguity.BODY, "`operations` is not there once")
    return parse_json(found.encode())


def _from_pairs(pairs: Mapping[str, str | list[str]]) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for key in pairs:
        if key.strip().partition("[")[0].lower() in {known.lower() for known in _KEYS}:
            value = pairs[key]
            if key not in _KEYS or isinstance(value, list):
                raise AmbiguityError(ambiguity.QUERY, "a GraphQL key is there twice or misspelled")
            found[key] = value
        elif key in _STORED:
            found[key] = pairs[key]
    return found


def _graphql_text(raw: bytes, in_url: Mapping[str, object]) -> Mapping[str, object]:
    if "query" in in_url:
        raise AmbiguityError(ambiguity.BODY, "a document is in the query and in the body")
    try:
        return {**in_url, "query": raw.decode("utf-8")}
    except UnicodeDecodeError:
        raise AmbiguityError(ambiguity.BODY, "the GraphQL document is not UTF-8") from None


def _request(body: Mapping[str, object]) -> _Request:
    query = member(body, "query")
    if query is not None and not isinstance(query, str):
        raise AmbiguityError(ambiguity.BODY, "`query` is no text")
    extensions = _object(member(body, "extensions"), "extensions")
    stored = _object(extensions.get("persistedQuery"), "persistedQuery").get("sha256Hash")
    named = [body[key] for key in _STORED if body.get(key) is not None]
    text = query if query and query.strip() else None
    if text is not None:
        if named:
            raise AmbiguityError(ambiguity.BODY, "a document is given, and another one is named")
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if stored is not None and str(stored).lower() != digest:
            raise AmbiguityError(ambiguity.BODY, "the document is not the one that is named")
    name = member(body, "operationName")
    if name is not None and not isinstance(name, str):
        raise AmbiguityError(ambiguity.BODY, "`operationName` is no text")
    variables = _object(member(body, "variables"), "variables")
    identity = stored if stored is not None else named[0] if named else None
    return _Request(text, variables, name or "", None if identity is None else str(identity))


def _object(value: object, what: str) -> Mapping[str, object]:
    """An object, or one written as JSON text, as a query has to carry it."""
    if isinstance(value, str) and value.strip():
        value = parse_json(value.encode("utf-8", "surrogatepass"))
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise AmbiguityError(ambiguity.BODY, f"`{what}` is no object")
    return value


# --- acts -----------------------------------------------------------------------------------------


def _acts(provider: str, document: Document, request: _Request) -> list[Act]:
    operation = _chosen(document, request.name)
    values = {**operation.defaults, **request.variables}
    acts = []
    for found in _root_fields(operation.selections, document.fragments):
        name = f"{provider}.graphql.{operation.type}.{found.name}"
        arguments = {
            key: _settled(value, values)
            for key, value in found.arguments.items()
            if not isinstance(value, Variable) or value.name in values
        }
        acts.append(_act(name, operation.type, found.name, arguments))
    return acts


def _act(name: str, kind: str, field: str, arguments: Mapping[str, object]) -> Act:
    if kind == "mutation":
        words = verb_first(field)
        return Act(name, words, acting_kind(words), arguments)
    if kind == "subscription":
        return Act(name, ["subscribe", *verb_first(field)], Kind.UNKNOWN, arguments)
    nouns = param_name(field.strip("_")).split("_")
    return Act(
        name, nouns if nouns[0] in ("get", "list") else ["get", *nouns], Kind.READ, arguments
    )


def _chosen(document: Document, name: str) -> OperationDefinition:
    """The operation that runs. Servers differ where the name is missing or fits nothing."""
    names = [operation.name for operation in document.operations]
    if len(set(names)) != len(names) or (len(names) > 1 and "" in names):
        raise AmbiguityError(ambiguity.OPERATION, "two GraphQL operations have one name")
    if name:
        if name not in names:
            raise AmbiguityError(ambiguity.OPERATION, "no GraphQL operation has this name")
        return document.operations[names.index(name)]
    if len(names) > 1:
        raise AmbiguityError(ambiguity.OPERATION, "several GraphQL operations and no name")
    return document.operations[0]


def _root_fields(top: Selections, fragments: Mapping[str, Selections]) -> list[Field]:
    """The fields of the first level with those of its fragments, each fragment once."""
    found: list[Field] = []
    seen: set[str] = set()
    stack = [top]
    while stack:
        here = stack.pop()
        found += here.fields
        if len(found) > ACTIONS_MAX:
            raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "too many root fields")
        for name in here.spreads:
            if name not in fragments:
                raise AmbiguityError(ambiguity.BODY, "a GraphQL fragment is not there")
            if name not in seen:
                seen.add(name)
                stack.append(fragments[name])
    _check_cycles(seen, fragments)
    return found


def _check_cycles(names: set[str], fragments: Mapping[str, Selections]) -> None:
    """Take away what spreads nothing, until nothing is left; a cycle never goes."""
    waiting = {name: set(fragments[name].spreads) for name in names}
    users: dict[str, list[str]] = {}
    for name, spreads in waiting.items():
        for spread in spreads:
            users.setdefault(spread, []).append(name)
    ready = [name for name, spreads in waiting.items() if not spreads]
    done = 0
    while ready:
        done += 1
        name = ready.pop()
        for user in users.get(name, ()):
            waiting[user].discard(name)
            if not waiting[user]:
                ready.append(user)
    if done != len(waiting):
        raise AmbiguityError(ambiguity.BODY, "GraphQL fragments spread each other in a circle")


def _settled(value: object, variables: Mapping[str, object]) -> object:
    """The value with variables put in; no variable holds another, and depth is bounded already."""
    if isinstance(value, Variable):
        return variables.get(value.name)
    if isinstance(value, list):
        return [_settled(item, variables) for item in value]
    if isinstance(value, Mapping):
        return {
            key: _settled(item, variables)
            for key, item in value.items()
            if not isinstance(item, Variable) or item.name in variables
        }
    return value
