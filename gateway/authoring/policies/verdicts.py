"""Turns decisions into what two of them are compared by: what was done, by whom, and which of two
lets more pass.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from gateway.model.dataclass import dataclass
from gateway.model.effect import Effect, Mode


class Direction(StrEnum):
    LOOSER = "looser"
    TIGHTER = "tighter"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was or would be done, and by what. `is_watched`: in monitor mode, so it passes."""

    effect: Effect
    is_watched: bool
    speaker: str

    @property
    def strictness(self) -> int:
        return 0 if self.is_watched else self.effect.strictness

    @property
    def done(self) -> str:
        return f"{self.effect} (monitor)" if self.is_watched else str(self.effect)


def direction_of(before: Verdict, after: Verdict) -> Direction:
    """Whether a change lets more pass or less. What was only watched and would now be enforced is
    compared by its effect: that it is switched on is no change of the rules."""
    strict_before = before.effect.strictness if not after.is_watched else before.strictness
    if after.strictness == strict_before:
        return Direction.SAME
    return Direction.LOOSER if after.strictness < strict_before else Direction.TIGHTER


class Decided(Protocol):
    """What a decision, and a recorded one, say of themselves."""

    @property
    def effect(self) -> Effect: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def policy(self) -> str | None: ...
    @property
    def rule(self) -> str | None: ...
    @property
    def reason_code(self) -> str: ...


def verdict_of(decided: Decided) -> Verdict:
    """What a decision came to. Where no rule spoke, its reason stands for it."""
    speaker = decided.rule or decided.reason_code
    if decided.policy is not None:
        speaker = f"{decided.policy}/{speaker}"
    return Verdict(decided.effect, decided.mode is Mode.MONITOR, speaker)
