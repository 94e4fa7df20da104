"""Every state machine of the model, held to what all of them promise."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest

from gateway.model import approval, delivery, grant, incident, policy_version, run
from gateway.model.moves import open_states_of, sources_of

TABLES: dict[str, Mapping[StrEnum, Mapping[StrEnum, StrEnum]]] = {
    "approvals": approval.LEGAL_MOVES,
    "deliveries": delivery.LEGAL_MOVES,
    "grants": grant.LEGAL_MOVES,
    "incidents": incident.LEGAL_MOVES,
    "versions of policies": policy_version.LEGAL_MOVES,
    "runs": run.LEGAL_MOVES,
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_something_of_every_state_and_event(name: str) -> None:
    """A new state or event that nobody thought about is found here."""
    moves = TABLES[name]
    states, first = type(next(iter(moves))), next(iter(moves))
    events = {event for legal in moves.values() for event in legal}
    assert set(moves) == set(states)
    assert events == set(type(next(iter(events))))
    reached, left = {first}, [first]
    while left:
        fresh = set(moves[left.pop()].values()) - reached
        reached |= fresh
        left += fresh
    assert reached == set(states)


@pytest.mark.parametrize("name", TABLES)
def test_sources_are_where_an_event_is_legal(name: str) -> None:
    """And what is open is what some event is legal in."""
    moves = TABLES[name]
    events = {event for legal in moves.values() for event in legal}
    found = {state for event in events for state in sources_of(moves, event)}
    assert found == set(open_states_of(moves))
    for event in events:
        assert all(
            (event in moves[state]) == (state in sources_of(moves, event)) for state in moves
        )
