"""A run: what one program does from its start to its end. States and legal moves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.model.moves import open_states_of


class RunState(StrEnum):
    """PENDING: announced, and nothing was done yet."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class RunEvent(StrEnum):
    """STEP: the run did something. FALL_IDLE: it did nothing for long, and nobody else would end
    it."""

    STEP = "STEP"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    CANCEL = "CANCEL"
    FALL_IDLE = "FALL_IDLE"


LEGAL_MOVES: Mapping[RunState, Mapping[RunEvent, RunState]] = {
    RunState.PENDING: {
        RunEvent.STEP: RunState.RUNNING,
        RunEvent.COMPLETE: RunState.COMPLETED,
        RunEvent.FAIL: RunState.FAILED,
        RunEvent.CANCEL: RunState.CANCELLED,
    },
    RunState.RUNNING: {
        RunEvent.STEP: RunState.RUNNING,
        RunEvent.COMPLETE: RunState.COMPLETED,
        RunEvent.FAIL: RunState.FAILED,
        RunEvent.CANCEL: RunState.CANCELLED,
        RunEvent.FALL_IDLE: RunState.COMPLETED,
    },
    RunState.COMPLETED: {},
    RunState.FAILED: {},
    RunState.CANCELLED: {},
}
"""What is not in this table can't happen; the database enforces the same, in one statement a
move."""

OPEN_RUN_STATES: Final = open_states_of(LEGAL_MOVES)
