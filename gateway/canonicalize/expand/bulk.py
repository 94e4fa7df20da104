"""Turns Elasticsearch's and OpenSearch's line-wise bodies into what they do to each index.

Only the lines that say what to do are parsed; a document is one line, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.canonicalize.authored.template import variables_of
from gateway.canonicalize.expand.acts import Call, NotUnderstoodError, check_count, own_action
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import parse_json
from gateway.canonicalize.request.reader import member
from gateway.model.action import Action, Kind, Target

LINES_MAX = 10_000
"""Reading as many takes some 40 milliseconds; clients send some hundred documents at once."""

_ACTS: Mapping[str, tuple[str, Kind]] = {
    "index": ("update_document", Kind.UPDATE),
    "create": ("create_document", Kind.CREATE),
    "update": ("update_document", Kind.UPDATE),
    "delete": ("delete_document", Kind.DELETE),
}
"""`index` writes over a document of the same id."""


def expand_bulk(call: Call) -> tuple[Action, ...]:
    """`_bulk`: creations, updates and deletions by index.

    Raises:
        NotUnderstoodError: a line that is no act, or no document behind one.
        AmbiguityError: lines that end in two ways.
    """
    counts: dict[tuple[str, str], int] = {}
    lines = iter(_lines(call))
    for line in lines:
        act, meta = _single(line)
        if act != "delete" and next(lines, None) is None:
            raise NotUnderstoodError
        name = member(meta, "_index")
        index = name if isinstance(name, str) else _index_of_path(call)
        counts[act, index] = counts.get((act, index), 0) + 1
    if not counts:
        raise NotUnderstoodError
    actions = []
    for (act, index), count in counts.items():
        action, kind = _ACTS[act]
        erases = kind is Kind.DELETE
        target = Target("index", index)
        actions.append(
            own_action(call, action, kind, target, {"count": count}, reversible=not erases)
        )
    return check_count(actions)


def expand_msearch(call: Call) -> tuple[Action, ...]:
    """`_msearch`: searches by index.

    Raises:
        NotUnderstoodError: a line that is no JSON object, or a search without a body.
        AmbiguityError: lines that end in two ways.
    """
    indexes: dict[str, None] = {}
    lines = iter(_lines(call))
    for line in lines:
        if next(lines, None) is None:
            raise NotUnderstoodError
        named = member(_object(line), "index")
        names = named if isinstance(named, list) else [named]
        for name in names:
            indexes[name if isinstance(name, str) else _index_of_path(call)] = None
    if not indexes:
        raise NotUnderstoodError
    return check_count(
        [
            own_action(call, call.operation.action, Kind.READ, Target("index", name), {})
            for name in indexes
        ]
    )


def _lines(call: Call) -> list[bytes]:
    body = call.reader.whole_body()
    if not body.endswith(b"\n"):
        raise NotUnderstoodError
    if body.count(b"\n") > LINES_MAX:
        raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the body has too many lines")
    lines = [line.removesuffix(b"\r") for line in body[:-1].split(b"\n")]
    if not all(lines) or b"\r" in b"".join(lines):
        raise AmbiguityError(ambiguity.BODY, "a line is empty, or ends in an unusual way")
    return lines


def _object(line: bytes) -> Mapping[str, object]:
    value = parse_json(line)
    if not isinstance(value, Mapping):
        raise NotUnderstoodError
    return value


def _single(line: bytes) -> tuple[str, Mapping[str, object]]:
    items = list(_object(line).items())
    if len(items) != 1 or items[0][0] not in _ACTS or not isinstance(items[0][1], Mapping):
        raise NotUnderstoodError
    return items[0][0], items[0][1]


def _index_of_path(call: Call) -> str:
    names = variables_of(call.operation.segments)
    return dict(zip(names, call.reader.captured, strict=False)).get("index", "")
