"""What the counters of limits make of a decision. Pure: the readings come in and are recorded, so
that a replay gives the same answer.

INVARIANT(stricter): a limit never weakens a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.model.decision import Decision, ReasonCode, Watched
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitReading


def with_readings(decision: Decision, readings: Sequence[LimitReading]) -> Decision:
    """The decision after the counters were read: the strictest of it and of every limit that is
    exceeded. Limits in monitor mode are only noted; a claim's mode is MONITOR too where the whole
    gateway's is."""
    exceeded = [reading for reading in readings if reading.is_exceeded]
    watched = tuple(
        Watched(*_names(reading), reading.claim.effect, reading.claim.reason_code)
        for reading in exceeded
        if reading.claim.mode is Mode.MONITOR
    )
    changed = replace(decision, readings=tuple(readings), watched=decision.watched + watched)
    enforced = [reading for reading in exceeded if reading.claim.mode is Mode.ENFORCE]
    if not enforced:
        return changed
    worst = max(enforced, key=lambda reading: reading.claim.effect.strictness)
    claim = worst.claim
    done = Effect.ALLOW if decision.passes else decision.effect
    if claim.effect.strictness <= done.strictness:
        return changed
    policy, limit = _names(worst)
    return replace(
        changed,
        effect=claim.effect,
        reason_code=claim.reason_code,
        message=_sentence(worst),
        policy=policy,
        rule=limit,
        mode=Mode.ENFORCE,
        terms=claim.terms,
        unresolved=None if claim.amount is not None else "amount",
    )


def with_store_gone(decision: Decision) -> Decision:
    """Block, because nobody knows what is left."""
    return replace(
        decision,
        effect=Effect.BLOCK,
        reason_code=ReasonCode.LIMIT_STORE_UNAVAILABLE,
        message="the counters of limits can't be reached, so this can't be sent",
        mode=Mode.ENFORCE,
        terms=None,
    )


def _names(reading: LimitReading) -> tuple[str, str]:
    policy, _, limit = reading.claim.limit.partition("/")
    return policy, limit


def _sentence(reading: LimitReading) -> str:
    claim = reading.claim
    if claim.amount is None:
        return f"{claim.message} (its amount could not be read)"
    return f"{claim.message} ({reading.used} of {claim.max} used, {claim.amount} more asked)"
