"""Turns DynamoDB's batched and transacted writes into what they do to each table.

A batch that deletes is a deletion, whatever else it puts.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.canonicalize.expand.acts import Call, NotUnderstoodError, own_action
from gateway.canonicalize.request.reader import member
from gateway.model.action import Action, Kind, Target

_ACTS: Mapping[str, tuple[str, Kind]] = {
    "PutRequest": ("insert_row", Kind.CREATE),
    "DeleteRequest": ("delete_row", Kind.DELETE),
    "Put": ("insert_row", Kind.CREATE),
    "Update": ("update_row", Kind.UPDATE),
    "Delete": ("delete_row", Kind.DELETE),
    "ConditionCheck": ("get_row", Kind.READ),
}


def expand_batch_write(call: Call) -> tuple[Action, ...]:
    """`BatchWriteItem`: puts and deletes by table.

    Raises:
        NotUnderstoodError: the body is not what the operation takes.
    """
    counts: dict[tuple[str, str], int] = {}
    for table, requests in _mapping(member(_mapping(call.reader.json), "RequestItems")).items():
        for request in _list(requests):
            _count(counts, request, table)
    return _actions(call, counts)


def expand_transaction(call: Call) -> tuple[Action, ...]:
    """`TransactWriteItems`: puts, updates, deletes and checks, each with its table.

    Raises:
        NotUnderstoodError: the body is not what the operation takes.
    """
    counts: dict[tuple[str, str], int] = {}
    for item in _list(member(_mapping(call.reader.json), "TransactItems")):
        _count(counts, item, None)
    return _actions(call, counts)


def _count(counts: dict[tuple[str, str], int], request: object, table: str | None) -> None:
    """Count one request: an object with the act as its key. One with two acts counts for both."""
    for name, inner in _mapping(request).items():
        named = table if table is not None else member(_mapping(inner), "TableName")
        if name not in _ACTS or not isinstance(named, str) or not named:
            raise NotUnderstoodError
        counts[name, named] = counts.get((name, named), 0) + 1


def _actions(call: Call, counts: Mapping[tuple[str, str], int]) -> tuple[Action, ...]:
    if not counts:
        raise NotUnderstoodError
    actions = []
    for (name, table), count in counts.items():
        action, kind = _ACTS[name]
        target = Target("table", table.rpartition("table/")[2])
        params = {"count": count}
        actions.append(
            own_action(call, action, kind, target, params, reversible=kind is not Kind.DELETE)
        )
    return tuple(actions)


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise NotUnderstoodError
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise NotUnderstoodError
    return value
