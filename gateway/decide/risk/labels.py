"""Finds the labels of a call's target by an organisation's patterns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Final

from gateway.decide.conditions.facts import TARGET_ID
from gateway.decide.organisation import TargetLabel
from gateway.model.action import Action

LABELLED_MAX: Final = 8_192
"""Targets whose labels are kept, over all operations. Ids come from agents: the oldest makes room.
"""

ID_CHARS_MAX: Final = 256
"""Of an id that is kept; a longer one is looked at again each time."""

_Key = tuple[int, str]


class LabelShelf:
    """The labels of targets seen lately."""

    __slots__ = ("found", "numbers")

    def __init__(self) -> None:
        self.found: dict[_Key, tuple[str, ...]] = {}
        self.numbers = count()

    def put(self, key: _Key, labels: tuple[str, ...]) -> None:
        if len(self.found) >= LABELLED_MAX:
            del self.found[next(iter(self.found))]
        self.found[key] = labels


class TargetLabels:
    """The labels that targets of one operation can have. `fixed` are those of all of them, None
    where the id makes a difference."""

    __slots__ = ("_always", "_by_id", "_number", "_shelf", "fixed")

    def __init__(self, labels: Sequence[TargetLabel], shelf: LabelShelf) -> None:
        self._always = frozenset(each.label for each in labels if each.target_id is None)
        self._by_id = tuple(
            (each.label, each.target_id) for each in labels if each.target_id is not None
        )
        self._shelf = shelf
        # A number is never given twice, so what is kept for one operation is never another's.
        self._number = next(shelf.numbers)
        self.fixed: tuple[str, ...] | None = None if self._by_id else tuple(sorted(self._always))

    def of(self, action: Action) -> tuple[str, ...]:
        """The labels of one target, sorted. An id that can't be read may be any: it has all."""
        if action.missing and TARGET_ID in action.missing:
            return tuple(sorted(self._always | {label for label, _ in self._by_id}))
        target_id = action.target.id
        key = (self._number, target_id)
        labels = self._shelf.found.get(key)
        if labels is None:
            fitting = (label for label, pattern in self._by_id if pattern.matches(target_id))
            labels = tuple(sorted(self._always.union(fitting)))
            if len(target_id) <= ID_CHARS_MAX:
                self._shelf.put(key, labels)
        return labels
