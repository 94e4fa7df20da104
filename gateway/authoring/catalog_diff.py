"""Compares two catalogs, or two sets of mappers, by what a request would mean before and after.

What became weaker comes first: an act that would now pass as a read, or as a lesser kind, or that
lost its mark, is what a reviewer must see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from gateway.authoring.listing import Act
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_RANKS: Final[Mapping[str, int]] = {
    Kind.READ: 0,
    Kind.CREATE: 1,
    Kind.UPDATE: 1,
    Kind.SEND: 2,
    Kind.EXECUTE: 2,
    Kind.DELETE: 3,
    Kind.ADMIN: 4,
}
"""How strictly kinds are treated. UNKNOWN has no place in it: what was unknown and becomes an act
is better known now, and what becomes unknown is refused by most policies."""

_COMPARED: Final = (
    "operation", "kind", "action", "target_type", "target_id", "params", "reversible", "sensitive",
)  # fmt: skip

Key = tuple[str, str, str, tuple[tuple[str, str], ...]]


class Change(StrEnum):
    WEAKER = "weaker"
    REMOVED = "removed"
    CHANGED = "changed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Difference:
    """One way of calling an operation that is not as it was. `fields` maps what changed to the
    values before and after; `why` says what became weaker."""

    change: Change
    act: Act
    fields: Mapping[str, tuple[object, object]]
    why: str = ""


def compare(old: Iterable[Act], new: Iterable[Act]) -> list[Difference]:
    """All differences, weaker ones first, then removed, changed and added ones."""
    before, after = _by_call(old), _by_call(new)
    found = []
    for key, act in before.items():
        other = after.get(key)
        if other is None:
            found.append(Difference(Change.REMOVED, act, {}))
        elif difference := _difference(act, other):
            found.append(difference)
    found += [Difference(Change.ADDED, act, {}) for key, act in after.items() if key not in before]
    order = list(Change)
    return sorted(
        found, key=lambda one: (order.index(one.change), one.act.provider, one.act.operation)
    )


def _by_call(acts: Iterable[Act]) -> dict[Key, Act]:
    """Acts by what a request is told by: its path where it has one, else its name. What a mapper
    writes stands over what its catalog has."""
    found: dict[Key, Act] = {}
    for act in acts:
        when = tuple(sorted((name, str(value)) for name, value in act.when.items()))
        # Services of AWS and Google have the same paths at different hosts.
        where = act.section if act.wire else act.operation.partition(".")[0]
        found.setdefault((act.provider, where, _call(act), when), act)
    return found


def _call(act: Act) -> str:
    """The wire without the names of its variables, which mean nothing to a request."""
    if not act.wire:
        return act.operation
    method, _, path = act.wire.partition(" ")
    parts = (
        f"{{}}{part.partition('}')[2]}" if part.startswith("{") else part
        for part in path.split("/")
    )
    return f"{method} {'/'.join(parts)}"


def _difference(old: Act, new: Act) -> Difference | None:
    fields = {
        name: (getattr(old, name), getattr(new, name))
        for name in _COMPARED
        if getattr(old, name) != getattr(new, name)
    }
    if not fields:
        return None
    why = _why_weaker(old, new)
    return Difference(Change.WEAKER if why else Change.CHANGED, new, fields, why)


def _why_weaker(old: Act, new: Act) -> str:
    reasons = []
    if old.kind != new.kind:
        known = old.kind in _RANKS and new.kind in _RANKS
        if new.kind == Kind.READ or (known and _RANKS[new.kind] < _RANKS[old.kind]):
            reasons.append(f"{old.kind} became {new.kind}")
    if not old.reversible and new.reversible:
        reasons.append("it is no longer irreversible")
    if old.sensitive and not new.sensitive:
        reasons.append(f"it is no longer marked `{old.sensitive}`")
    return ", ".join(reasons)
