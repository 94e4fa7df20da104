"""State machines as tables: from a state, by an event, to a state. A table is called `LEGAL_MOVES`
and stands beside its states; what is not in it can't happen."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


def sources_of(moves: Mapping[State, Mapping[Event, State]], event: Event) -> tuple[State, ...]:
    """The states in which an event is legal."""
    return tuple(state for state, legal in moves.items() if event in legal)


def open_states_of(moves: Mapping[State, Mapping[Event, State]]) -> tuple[State, ...]:
    """The states in which something can still happen."""
    return tuple(state for state, legal in moves.items() if legal)
